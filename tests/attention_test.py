"""Tests of attention in spikes: the transformer, played event by event."""

import dataclasses
import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from experiments.models import gpt
from experiments.models import transformer
import ssnn_jax
from ssnn_jax import network as network_lib
from ssnn_jax import realtime
from ssnn_jax import samples
from tests.testing import models
from tests.testing import networks

LENGTH, SIZE, BATCH = 8, 8, 2
KEY = jax.random.key(3)
make = functools.partial(transformer.make, (LENGTH, SIZE), SIZE, 8, 1, 2)


@functools.cache
def make_grid_model():
  """Returns a transformer, and parameters, whose sums have few bits."""
  grid = functools.partial(models.to_grid, steps=4)
  model = dataclasses.replace(make(), grid=grid, num_steps=4, num_winners=16)
  rng, shapes = np.random.default_rng(0), jax.eval_shape(model.init, KEY)

  def draw(own):  # of which no bias and no branch is 0
    values = rng.normal(size=own.shape) / np.sqrt(own.shape[0])
    return np.float32(np.round(4 * values + rng.integers(-1, 2, own.shape)) / 4)

  return model, jax.tree.map(draw, shapes)


def make_batch():
  """Returns windows of random characters, and the next ones."""
  codes = np.random.default_rng(1).integers(SIZE, size=(BATCH, LENGTH + 1))
  one_hot = 255 * np.eye(SIZE, dtype=np.uint8)
  return one_hot[codes[:, :-1]], np.int32(codes[:, 1:])


@jax.jit
def learn(params):
  """Returns the gradient, the response, and all neurons of a transformer."""
  model, batch = make_grid_model()[0], make_batch()
  loss = jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True)
  gradient, inference = loss(params, KEY, *batch)
  prepared = samples.prepare(model, params, KEY, *batch)
  settled = network_lib.settle(model, params, KEY, prepared)
  return gradient, inference, settled._replace(calls=())


class AttentionTest(parameterized.TestCase):
  def test_play_equals_the_gradient_in_every_bit(self):
    model, params = make_grid_model()
    gradient, inference, settled = jax.device_get(learn(params))
    shapes = [(LENGTH, SIZE), *(own.shape[1:] for own in settled.errors)]
    rng = np.random.default_rng(2)
    forward, backward = (
      tuple(rng.integers(0, 4, own) for own in ends)
      for ends in (shapes[:-1], shapes[1:])
    )
    wires = realtime.Wires(forward, backward, wait=2)
    played = realtime.play(model, params, KEY, *make_batch(), wires)
    networks.assert_same(played.update, gradient)
    np.testing.assert_array_equal(played.potentials[-1], inference.potential)
    steps = model.steps_of_inputs, *[model.num_steps] * (len(shapes) - 2)
    same = lambda *own: np.testing.assert_array_equal(*map(np.ravel, own))
    for counts, rates, num_steps in zip(played.counts, settled.rates, steps):
      same(counts, num_steps * rates)
      self.assertTrue(np.any(counts))
    for ours, theirs in zip(played.sent_errors, settled.errors, strict=True):
      same(ours, theirs)
      self.assertTrue(np.any(ours))

  def test_gpt_has_as_many_parameters(self):
    count = lambda model: sum(
      own.size
      for own in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0)))
    )
    ratio = count(gpt.make()) / count(transformer.make())
    self.assertAlmostEqual(ratio, 1.0, delta=0.02)
    self.assertEqual(count(transformer.make()), 298_625)

  def test_answers_see_the_past_alone(self):
    inputs = np.float32(make_batch()[0]) / 255
    other = inputs.copy()
    other[:, 5:] = inputs[:, :3]
    for module in (transformer, gpt):
      model = module.make((LENGTH, SIZE), SIZE, 8, 1, 2)

      @jax.jit
      def respond(model=model):
        params = model.init(KEY)
        find = lambda own: model.respond(params, own, model.fire)
        return find(inputs), find(other)

      found, expected = respond()
      networks.assert_close(found[:, :5], expected[:, :5])
      self.assertFalse(np.allclose(found[:, 5:], expected[:, 5:]))


if __name__ == '__main__':
  absltest.main()
