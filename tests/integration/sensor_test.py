"""A test that a stream of recordings of touch is learned on line."""

from absl.testing import parameterized
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import streams
from tests.testing import datasets as data_util

LETTERS, NUM_TEST, NUM_PASSES = (1, 5, 12), 50, 3


class Touch(nn.Module):
  """A layer of neurons, of traces, below traces of its own spikes."""

  neuron: object

  @nn.compact
  def __call__(self, x):
    x = ssnn_jax.trace(x, (0, 0.5, 0.8, 0.92, 0.97))
    x = self.neuron(nn.Dense(64)(x))
    return nn.Dense(len(LETTERS))(ssnn_jax.trace(x, (0, 0.9)))


def load():
  """Returns `[N, L, 24]` rates of three letters, and their numbers."""
  found = datasets.load('braille', data_util.REAL_DATA)
  rates, labels = (np.concatenate(own) for own in zip(found.train, found.test))
  letters = np.max(labels, axis=1)
  is_own = np.isin(letters, LETTERS)
  return np.float32(rates[is_own]) / 255, np.searchsorted(
    LETTERS, letters[is_own]
  )


def learn(model, inputs, labels):
  """Learns a stream from its first moment; returns answers at each."""
  stream, key = streams.follow(model), jax.random.key(1)

  def step(state, given):
    params, carry, t = state
    now, label = given
    gradient, (carry, inference) = jax.grad(stream.loss, has_aux=True)(
      params,
      carry,
      jax.random.fold_in(key, t),
      now[None, None],
      label[None],
    )
    params = jax.tree.map(lambda w, g: w - 0.1 * g, params, gradient)
    return (params, carry, t + 1), jnp.argmax(inference.potential[0, 0])

  start = model.init(jax.random.key(0)), stream.start(1), 0
  run = jax.jit(lambda *given: jax.lax.scan(step, start, given)[1])
  return np.asarray(run(inputs, labels))


class SensorTest(parameterized.TestCase):
  @data_util.requires_files('braille.npz')
  def test_letters_are_learned_from_one_endless_stream(self):
    rates, letters = load()
    rng, length = np.random.default_rng(0), rates.shape[1]
    order = rng.permutation(len(letters))
    known, others = order[:-NUM_TEST], order[-NUM_TEST:]
    passes = (rng.permutation(known) for _ in range(NUM_PASSES))
    order = np.concatenate([*passes, others])
    labels = np.full((len(order), length), -1, np.int32)
    labels[:-NUM_TEST, -1] = letters[order[:-NUM_TEST]]
    model = ssnn_jax.from_linen(Touch, rates.shape[1:], num_steps=16)
    inputs = rates[order].reshape(-1, rates.shape[2])
    answers = learn(model, inputs, labels.ravel()).reshape(-1, length)
    accuracy = np.mean(answers[-NUM_TEST:, -1] == letters[others])
    # Five standard errors above chance.
    self.assertGreater(accuracy, 1 / 3 + 5 * np.sqrt(2 / 9 / NUM_TEST))
