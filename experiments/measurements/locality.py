"""Gradients with errors local in time, beside those through time, by lag.

  python -m experiments.measurements.locality --dataset=mnist_1d > lines

The flags of `experiments.run` describe models of `--model=gru`, exact. A JSON
line has, for a layer at initial or trained weights, the cosine of both
gradients of the loss of the last moment, and their lengths' ratio, if errors
and eligibilities reach `lag` moments back: before, what was carried is given.
"""

import functools

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm

from experiments import command
from experiments.measurements import lines
from experiments.runs import config as config_lib
from experiments.runs import models
from experiments.runs import train
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.spiking import transform

FLAGS = flags.FLAGS
LAGS = 0, 1, 2, 4, 8, 16, 32


class _Since(transform.Interpreter):
  """Stops errors at what scans carried some moments before the end."""

  lag = 0

  def remember(self, loop, begin):
    """Runs a scan in two parts, of which the first has no errors."""
    size = loop.length - self.lag - 1
    first = loop._replace(xs=[own[:size] for own in loop.xs], length=size)
    carry, before = jax.lax.stop_gradient(super().remember(first, begin))
    rest = {'carry': carry, 'xs': [own[size:] for own in loop.xs]}
    last = loop._replace(**rest, length=self.lag + 1)
    carry, after = super().remember(last, begin)
    return carry, list(map(jnp.concatenate, zip(before, after)))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _learn(apply, bptt, lag, params, inputs, labels):
  """Returns the gradient of the loss of the last moment."""

  def find_loss(params):
    traced = transform.trace(apply, params, inputs)
    network = _Since(transform.EXACT._replace(bptt=bptt))
    network.lag = lag
    (logits,) = network.run(traced, *traced.arrays)
    entropy = optax.softmax_cross_entropy_with_integer_labels
    return jnp.mean(entropy(logits[:, -1], labels))

  return jax.grad(find_loss)(params)


def _by_layer(gradient):
  """Returns the gradient of each layer, flat, by its name."""
  layers = gradient['params']
  flat = lambda own: np.concatenate(
    [np.ravel(x) for x in jax.tree.leaves(own)], dtype=np.float64
  )
  return {name: flat(own) for name, own in layers.items()}


def _measure():
  """Yields the lines of each model, at initial and trained weights."""
  for config in tqdm.tqdm(lines.list_settings(), disable=None):
    if config.method != 'ssnn':
      continue
    dataset = train.load(config, FLAGS.data_dir)
    function = config_lib.network_config(config, dataset)
    ann, optimizer = ssnn_jax.ann(function), optax.adam(config.learning_rate)
    trained = training.fit(
      ann, optimizer, dataset, num_epochs=config.num_epochs,
      batch_size=config.batch_size, progress=False,
    )  # fmt: skip
    inputs, labels = (own[-256:] for own in dataset.train)
    data = jnp.asarray(inputs), jnp.asarray(labels).reshape(256, -1)[:, -1]
    for epochs, params in (
      (0, ann.init(jax.random.key(0))),
      (config.num_epochs, trained.state.params),
    ):
      for lag in (own for own in LAGS if own < inputs.shape[1]):
        local, exact = (
          _by_layer(_learn(function.apply, bptt, lag, params, *data))
          for bptt in (False, True)
        )
        local.pop('Dense_0')  # which has no memory
        for name, own in local.items():
          lengths = np.linalg.norm(own), np.linalg.norm(exact[name])
          yield {
            **lines.describe(config, function), 'method': 'bp', 'layer': name,
            'epochs': epochs, 'lag': lag,
            'cosine': round(float(own @ exact[name] / np.prod(lengths)), 4),
            'length': round(float(lengths[0] / lengths[1]), 4),
          }  # fmt: skip


if __name__ == '__main__':
  lines.define_flags()
  command.launch(
    lambda: lines.write(__spec__.name, _measure()),
    define_flags=models.define_flags,
  )
