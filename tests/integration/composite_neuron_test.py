"""Tests that the figure of a neuron shows the simulation of the library."""

import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from docs import composite_neuron
from experiments.analysis import figures
import ssnn_jax
from tests.testing import commands

NEURON, LABEL = 4, 2
KEY = jax.random.key(1)
IMAGE = np.random.default_rng(0).uniform(size=6).astype(np.float32)
LEAKY = {'num_steps': 64, 'window': 1, 'integration': 'leaky', 'tau': 4.0}


def trace(**options):
  """Returns a network, its parameters and the trace of one of its neurons."""
  config = ssnn_jax.NetworkConfig((6, 5, 4), **options)
  network = ssnn_jax.ssnn(config)
  params = jax.tree.map(lambda x: 2 * x, network.init(jax.random.key(0)))
  found = composite_neuron.trace(config, params, KEY, IMAGE, LABEL, NEURON)
  return network, params, found


class TraceTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.leaky = trace(**LEAKY)

  @parameterized.parameters(
    LEAKY,
    {'num_steps': 40, 'window': 8, 'sampler': 'sobol', 'backward': 'rates'},
  )
  def test_coincidences_equal_those_of_learn(self, **options):
    is_leaky = options == LEAKY
    network, params, found = self.leaky if is_leaky else trace(**options)
    update, _ = jax.jit(network.learn)(
      params, KEY, IMAGE[None], np.array([LABEL])
    )
    hidden, output = update.positive
    np.testing.assert_array_equal(
      found.coincidences.sum(axis=0), hidden.weights[:, NEURON]
    )
    self.assertEqual(found.errors.sum(), hidden.biases[NEURON])
    # Coincidences of output spikes with error spikes of the next layer.
    np.testing.assert_array_equal(
      found.spikes @ found.next_errors, output.weights[NEURON]
    )
    self.assertGreater(np.abs(found.coincidences).sum(), 0)

  def test_errors_pass_where_the_gate_is_open(self):
    _, _, found = self.leaky
    is_inside = (found.potential > 0) & (found.potential < 1)
    np.testing.assert_array_equal(found.gate, is_inside)
    gated = found.gate * found.drive
    spikes = found.errors != 0
    np.testing.assert_array_equal(
      np.sign(gated[spikes]), np.sign(found.errors[spikes])
    )
    self.assertBetween(found.gate.mean(), 0.1, 0.9)

  def test_drive_is_a_transposed_read_of_the_weights(self):
    _, params, found = self.leaky
    np.testing.assert_allclose(
      found.drive,
      found.next_errors @ np.asarray(params[1].weights)[NEURON],
      atol=1e-6,
    )


class FigureTest(absltest.TestCase):
  def test_trace_of_the_figure_shows_all_cases(self):
    _, found = composite_neuron.simulate()
    self.assertBetween(found.gate.mean(), 0.5, 0.95)
    self.assertLess(found.potential.min(), 0)
    self.assertGreater(found.potential.max(), 1)
    self.assertContainsSubset({-1, 1}, set(found.coincidences.ravel()))

  def test_figure_is_saved(self):
    stem = pathlib.Path(self.create_tempdir().full_path) / 'figure'
    png = figures.save(composite_neuron.draw(), stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')

  def test_figure_is_committed(self):
    self.assertTrue((commands.ROOT / f'{composite_neuron.STEM}.png').exists())
