"""Tests that the picture of a neuron shows what the library does."""

import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from experiments import figures
from experiments import neuron_figure
from experiments import neuron_trace
import ssnn_jax
from tests.testing import networks

NEURON, LABEL = 4, 2
LEAKY = {'num_steps': 64, 'window': 1, 'integration': 'leaky', 'tau': 4.0}
IMAGE = np.random.default_rng(0).uniform(size=6).astype(np.float32)


def trace(**changes):
  config = ssnn_jax.NetworkConfig((6, 5, 4), **changes)
  params = ssnn_jax.ssnn(config).init(jax.random.key(0))
  params = jax.tree.map(lambda values: 2 * values, params)
  key = jax.random.key(1)
  told = neuron_trace.trace(config, params, key, IMAGE, LABEL, NEURON)
  return config, params, told


class TraceTest(parameterized.TestCase):
  @parameterized.parameters(
    LEAKY,
    {'num_steps': 70, 'window': 48},  # blocks that share a word
    {'num_steps': 40, 'window': 8, 'sampler': 'sobol', 'backward': 'rates'},
  )
  def test_coincidences_are_those_of_learn(self, **changes):
    config, params, told = trace(**changes)
    learn = jax.jit(
      ssnn_jax.ssnn(config).learn, compiler_options=networks.QUICKLY
    )
    sample = IMAGE[None], np.array([LABEL])
    update, _ = learn(params, jax.random.key(1), *sample)
    counted = update.positive[0]
    np.testing.assert_array_equal(
      told.coincidences.sum(axis=0), counted.weights[:, NEURON]
    )
    self.assertEqual(told.errors.sum(), counted.biases[NEURON])
    # And those of its axon.
    np.testing.assert_array_equal(
      told.spikes @ told.next_errors, update.positive[1].weights[NEURON]
    )
    self.assertGreater(np.abs(told.coincidences).sum(), 0)

  def test_errors_pass_where_the_gate_is_open(self):
    _, _, told = trace(**LEAKY)
    is_inside = (told.potential > 0) & (told.potential < 1)
    np.testing.assert_array_equal(told.gate, is_inside)
    np.testing.assert_array_equal(told.rate, np.clip(told.potential, 0, 1))
    passed = told.gate * told.arriving
    sent = told.errors != 0
    np.testing.assert_array_equal(
      np.sign(passed[sent]), np.sign(told.errors[sent])
    )
    self.assertBetween(told.gate.mean(), 0.1, 0.9)

  def test_the_transposed_read_is_that_of_the_weights(self):
    _, params, told = trace(**LEAKY)
    np.testing.assert_allclose(
      told.arriving,
      told.next_errors @ np.asarray(params[1].weights)[NEURON],
      atol=1e-6,
    )


class FigureTest(absltest.TestCase):
  def test_the_picture_shows_all_there_is(self):
    _, told = neuron_figure.simulate()
    self.assertBetween(told.gate.mean(), 0.5, 0.95)
    self.assertLess(told.potential.min(), 0)
    self.assertGreater(told.potential.max(), 1)
    self.assertContainsSubset({-1, 1}, set(told.coincidences.ravel()))

  def test_the_picture_is_drawn(self):
    stem = pathlib.Path(self.create_tempdir().full_path) / 'figure'
    png, svg = figures.save(neuron_figure.draw(), stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')
    self.assertIn('<svg', svg.read_text()[:1000])

  def test_the_picture_is_where_readers_look(self):
    for suffix in ('.png', '.svg'):
      path = pathlib.Path(__file__).parent.parent.parent / neuron_figure.STEM
      self.assertTrue(path.with_suffix(suffix).exists())


if __name__ == '__main__':
  absltest.main()
