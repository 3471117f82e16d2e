"""Random words of spike thresholds, as a stream for statistical tests.

  python -m experiments.measurements.random_words --seed=0 | dieharder -a -g 200

The output is an endless stream of raw 32-bit words. The indices, fastest first,
are the key of the presentation, the role of the spike train, the bit plane, the
neuron, the sample and the word of the presentation, so that words that might be
correlated are adjacent.
"""

import sys

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments.config import command
from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes import thresholds

_KEYS, _NEURONS, _SAMPLES = 8, 64, 16
_ROLES = tuple(thresholds.Role)


def draw(seed: int, word: jax.Array) -> jax.Array:
  """Draws words `[samples, neurons, planes, roles, keys]` of 32 ticks."""

  def draw_one(key, role, position):
    keys = thresholds.make_keys(key, 1)
    own = keys[0, role], position, word[None], role, 0, _NEURONS
    return bernoulli.planes(thresholds.Source(*own, bernoulli.SAMPLER), word)

  keys = jax.random.split(jax.random.key(seed), _KEYS)
  over_keys = jax.vmap(draw_one, in_axes=(0, None, None))
  over_roles = jax.vmap(over_keys, in_axes=(None, 0, None))
  over_samples = jax.vmap(over_roles, in_axes=(None, None, 0))
  words = over_samples(keys, jnp.array(_ROLES), jnp.arange(_SAMPLES))
  # [samples, roles, keys, planes, neurons]
  return jnp.transpose(words, (0, 4, 3, 1, 2))


def main() -> None:
  """Writes words to standard output until it is closed."""
  words = jax.jit(draw, static_argnums=0)
  for word in range(2**32):
    block = np.asarray(words(flags.FLAGS.seed, jnp.uint32(word)))
    sys.stdout.buffer.write(np.ascontiguousarray(block).data)


if __name__ == '__main__':
  with command.group('Words'):
    command.define_seed(0, 'seed of the keys of presentations.')
  command.launch(main)
