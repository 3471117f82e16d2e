"""Tests for the configuration of a network."""

from absl.testing import absltest
from absl.testing import parameterized
import jax.numpy as jnp

import ssnn_jax
from ssnn_jax.neuron import firing

SIZES = (12, 9, 8, 3)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(layer_sizes=(5,)),
    dict(layer_sizes=(5, 0, 3)),
    dict(num_steps=0),
    dict(num_steps=64.0),
    dict(layer_sizes=(5, 2.5, 3)),
    dict(window=0),
    dict(window=65),
    dict(tau=0.0),
    dict(tau=float('nan')),
    dict(gain=0.0),
    dict(gain=(1.0, 1.0, 1.0)),
    dict(input_gain=-1.0),
    dict(dropout=1.0),
    dict(dropout=-0.1),
    dict(firing_function='relu'),
    dict(firing_function=firing.clip()._replace(probability=jnp.tanh)),
    dict(integration='sum'),
    dict(forward='spike'),
    dict(backward=''),
    dict(update='pulses'),
    dict(sampler='sobol '),
    dict(representation='sparse'),
  )
  def test_what_cannot_be_is_refused_by_name(self, **options):
    (field,) = options
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} is .*expected'):
      ssnn_jax.NetworkConfig(**{'layer_sizes': SIZES} | options)

  def test_window_left_out_is_a_word_or_the_presentation(self):
    for num_steps, window in ((7, 7), (32, 32), (100, 32)):
      config = ssnn_jax.NetworkConfig(SIZES, num_steps=num_steps)
      self.assertEqual(config.schedule, (num_steps, window))


if __name__ == '__main__':
  absltest.main()
