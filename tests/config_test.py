"""Tests for the configuration of a network."""

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane

SIZES = (12, 9, 8, 3)
MEAN = membrane.mean()


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(layer_sizes=(5,)),
    dict(layer_sizes=(5, 0, 3)),
    dict(num_steps=0),
    dict(num_steps=64.0),
    dict(layer_sizes=(5, 2.5, 3)),
    dict(window=0),
    dict(window=65),
    dict(window=5),
    dict(window=24),
    dict(window=31),
    dict(window=33),
    dict(window=48),
    dict(window=63),
    dict(tau=0.0),
    dict(tau=float('nan')),
    dict(gain=0.0),
    dict(gain=(1.0, 1.0, 1.0)),
    dict(input_gain=-1.0),
    dict(dropout=1.0),
    dict(dropout=-0.1),
    dict(firing_function='relu'),
    dict(firing_function=firing.clip()._replace(probability=jnp.tanh)),
    dict(layer_sizes=64),
    dict(layer_sizes=(5, True, 3)),
    dict(firing_function=jnp.tanh),
    dict(integration='sum'),
    dict(integration=jnp.tanh),
    dict(integration=MEAN._replace(init=lambda n: jnp.zeros((n, 2)))),
    dict(integration=MEAN._replace(integrate=lambda v, d, w: (v, d))),
    dict(integration=MEAN._replace(read=lambda v, w: v[:1])),
    dict(settle=8),  # buffered
    dict(race=None),
    dict(reads=8),
    dict(kernels='no'),
    dict(sampler='threefry'),
    dict(output_errors='loser'),
    dict(forward='spike'),
    dict(backward=''),
    dict(update='pulses'),
    dict(sampler='sobol '),
    dict(representation='sparse'),
    dict(timing='phased'),
    dict(winner='first'),
    dict(update_every='tick'),
  )
  def test_invalid_fields_are_refused_by_name(self, **options):
    (field,) = options
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} is .*expected'):
      ssnn_jax.NetworkConfig(**{'layer_sizes': SIZES} | options)

  def test_default_window_is_a_word_or_the_presentation(self):
    for num_steps, window in ((7, 7), (32, 32), (100, 32)):
      config = ssnn_jax.NetworkConfig(SIZES, num_steps=num_steps)
      self.assertEqual(config.schedule, (num_steps, window, False))

  @parameterized.parameters(np.int64, np.int32, np.uint8)
  def test_numpy_integers_are_integers(self, dtype):
    sizes = np.array(SIZES, dtype)
    for layer_sizes in (sizes, tuple(sizes), list(sizes)):
      config = ssnn_jax.NetworkConfig(
        layer_sizes, num_steps=dtype(40), window=dtype(8)
      )
      expected = ssnn_jax.NetworkConfig(SIZES, num_steps=40, window=8)
      self.assertEqual(config, expected)
      self.assertEqual(hash(config), hash(expected))

  @parameterized.parameters(
    *((100, window) for window in (1, 2, 4, 8, 16, 32, 64, 96, 100)),
    (7, 7),
    (33, 33),
    (1, 1),
  )
  def test_windows_divide_words_or_hold_them(self, num_steps, window):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=num_steps, window=window)
    self.assertEqual(config.schedule, (num_steps, window, False))
    self.assertEqual(config.error_steps, (num_steps,) * 3)
    self.assertEqual(config.active_steps, (num_steps,) * 4)

  @parameterized.parameters(
    (dict(window=32), 'window'),
    (dict(num_steps=3), 'num_steps'),
    (dict(settle=60), 'settle'),
    (dict(settle=-1), 'settle'),
    (dict(settle=1.5), 'settle'),
    (dict(timing='buffered', update_every='window'), 'update_every'),
    (dict(timing='buffered', settle=0), 'settle'),
  )
  def test_real_time_is_refused_by_name(self, options, field):
    options = dict(timing='realtime', num_steps=60) | options
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} is .*expected'):
      ssnn_jax.NetworkConfig((5, 4, 3), **options)

  @parameterized.parameters(
    # Errors start with the output layer and pass one layer in a window.
    ((5, 3), 4, (1,)),
    ((5, 4, 3), 4, (3, 2)),
    ((5, 4, 4, 3), 1, (5, 4, 3)),
  )
  def test_errors_start_later_in_real_time(self, sizes, window, starts):
    config = ssnn_jax.NetworkConfig(
      sizes, num_steps=19, window=window, timing='realtime'
    )
    self.assertEqual(config.error_starts, starts)
    steps = tuple(19 - window * start for start in starts)
    self.assertEqual(config.error_steps, steps)
    active = tuple(19 - window * layer for layer in range(len(sizes)))
    self.assertEqual(config.active_steps, active)

  def test_default_window_of_real_time_is_one_tick(self):
    config = ssnn_jax.NetworkConfig((5, 4, 3), timing='realtime')
    self.assertEqual(config.schedule, (64, 1, False))
    self.assertEqual(config.updates_per_presentation, 1)
    config = ssnn_jax.NetworkConfig(
      (5, 4, 3), timing='realtime', window=4, update_every='window'
    )
    self.assertEqual(config.schedule, (64, 4, True))
    self.assertEqual(config.updates_per_presentation, 16)
