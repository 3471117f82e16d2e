"""States of training for tests of checkpoints."""

import jax
import numpy as np

import ssnn_jax
from ssnn_jax import training


def make_state(epoch=0, num_hidden=5, num_seeds=1):
  """Returns a state of NumPy arrays `[S, ...]` that depend on the epoch."""
  network = ssnn_jax.ann(ssnn_jax.NetworkConfig((4, num_hidden, 3)))

  def init():
    state = training.init_state(network, training.make_optimizer(0.3), 0)
    return state._replace(key=jax.random.key_data(state.key))

  random = np.random.default_rng(epoch)
  state = jax.tree.map(
    lambda leaf: np.asarray(
      100 * random.random((num_seeds, *leaf.shape)), leaf.dtype
    ),
    jax.eval_shape(init),
  )
  return state._replace(epoch=np.full(num_seeds, epoch, np.int32))
