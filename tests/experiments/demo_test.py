"""Tests of the first look."""

from absl.testing import absltest
import jax

from experiments import demo
import ssnn_jax
from ssnn_jax import datasets


class DemoTest(absltest.TestCase):
  def test_both_kinds_of_spikes_end_with_the_same_accuracy(self):
    config = ssnn_jax.NetworkConfig((64, 12, 10), num_steps=4)
    params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    samples = tuple(own[:16] for own in datasets.load('digits').test)
    (axes,) = demo.draw(config, params, samples, products=888).axes
    graded, unit, _ = axes.lines
    self.assertEqual(graded.get_ydata()[-1], unit.get_ydata()[-1])
    self.assertLess(graded.get_xdata()[-1], unit.get_xdata()[-1])
