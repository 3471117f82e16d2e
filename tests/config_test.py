"""Tests for the configuration of a network."""

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane

SIZES = (12, 9, 8, 3)
CLIP, MEAN = firing.clip(), membrane.mean()
INVALID = {
  'layer_sizes': ((5,), (5, 0, 3), (5, 2.5, 3), (5, True, 3), (5, 10**10, 3)),
  'num_steps': (0, 64.0),
  'window': (0, 65, 5, 24, 31, 33, 48, 63),
  'tau': (0.0, 1e-50, float('nan')),
  'gain': (0.0, float('inf'), (1.0, 1.0, 1.0)),
  'input_gain': (-1.0,),
  'dropout': (1.0, -0.1),
  'firing_function': (
    'relu',
    jnp.tanh,
    CLIP._replace(probability=jnp.tanh),
    CLIP._replace(derivative=lambda v: v / 0),
    CLIP._replace(derivative=lambda v: v[:1]),
  ),
  'integration': (
    'sum',
    jnp.tanh,
    MEAN._replace(init=lambda n: jnp.zeros((n, 2))),
    MEAN._replace(integrate=lambda v, d, w: (v, d)),
    MEAN._replace(read=lambda v, w: v[:1]),
  ),
  'settle': (8,),  # buffered
  'race': (None,),
  'reads': (8,),
  'kernels': ('no',),
  'sampler': ('threefry', 'sobol '),
  'output_errors': ('loser',),
  'update': ('pulses',),
  'timing': ('phased',),
}


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(*INVALID)
  def test_invalid_fields_are_refused_by_name(self, field):
    for value in INVALID[field]:
      with self.assertRaisesRegex(
        ssnn_jax.UserError, f'^{field} is .*expected'
      ):
        ssnn_jax.NetworkConfig(**{'layer_sizes': SIZES} | {field: value})

  def test_arrays_of_gains_are_gains(self):
    expected = ssnn_jax.NetworkConfig(SIZES, gain=2.0, input_gain=0.5)
    for array in (np.array, jnp.asarray):
      config = ssnn_jax.NetworkConfig(
        SIZES, gain=array(2.0), input_gain=array(0.5)
      )
      self.assertEqual(config, expected)
      self.assertEqual(hash(config), hash(expected))
    for gain in ([1.0, 2.0], np.array([1.0, 2.0])):
      config = ssnn_jax.NetworkConfig(SIZES, gain=gain)
      self.assertEqual(config, ssnn_jax.NetworkConfig(SIZES, gain=(1.0, 2.0)))
      hash(config)

  def test_numpy_integers_are_integers(self):
    for dtype in (np.int64, np.uint8):
      sizes = np.array(SIZES, dtype)
      for layer_sizes in (sizes, tuple(sizes), list(sizes)):
        config = ssnn_jax.NetworkConfig(
          layer_sizes, num_steps=dtype(40), window=dtype(8)
        )
        expected = ssnn_jax.NetworkConfig(SIZES, num_steps=40, window=8)
        self.assertEqual(config, expected)
        self.assertEqual(hash(config), hash(expected))

  def test_windows_divide_words_or_hold_them(self):
    for num_steps, window in (
      *((100, window) for window in (1, 2, 4, 8, 16, 32, 64, 96, 100)),
      *((7, 7), (33, 33), (1, 1)),
    ):
      config = ssnn_jax.NetworkConfig(SIZES, num_steps, window)
      self.assertEqual(config.schedule, (num_steps, window, False))
      self.assertEqual(config.error_steps, (num_steps,) * 3)
      self.assertEqual(config.active_steps, (num_steps,) * 4)

  def test_default_window_is_the_presentation(self):
    for num_steps in (7, 32, 100):
      config = ssnn_jax.NetworkConfig(SIZES, num_steps=num_steps)
      self.assertEqual(config.schedule, (num_steps, num_steps, False))

  @parameterized.parameters(
    (dict(window=32), 'window is 32; expected at most 19 ticks, for the 3'),
    (dict(num_steps=3), 'num_steps is 3; expected more than 3 ticks, for the'),
    (dict(settle=60), 'settle is .*expected'),
    (dict(timing='buffered', update_every='window'), 'update_every is .*expec'),
  )
  def test_real_time_is_refused_by_name(self, options, message):
    options = dict(timing='realtime', num_steps=60) | options
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{message}'):
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
