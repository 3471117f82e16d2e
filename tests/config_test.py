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
    dict(settle=-1),
    dict(settle=64),
    dict(settle=2.0),
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
    dict(delay=2),
    dict(delay=-1),
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
    (dict(num_steps=20, window=20), 20),
    (dict(num_steps=32), 32),  # the default window has the same length
    (dict(num_steps=1), 1),
  )
  def test_delay_needs_more_than_one_window(self, options, num_steps):
    with self.assertRaises(ssnn_jax.UserError) as caught:
      ssnn_jax.NetworkConfig((3, 2), delay=1, **options)
    self.assertEqual(
      str(caught.exception),
      'delay is 1; expected 0 for a presentation of one window '
      f'({num_steps} ticks), or a shorter window.',
    )
    self.assertEqual(
      ssnn_jax.NetworkConfig((3, 2), **options).error_steps, (num_steps,)
    )

  @parameterized.parameters(
    (
      dict(window=20),
      'window is 20; expected a shorter window: num_steps = 60 '
      'ticks must be longer than the 3 windows after which errors reach the '
      'first layer.',
    ),
    (
      dict(num_steps=3),
      'num_steps is 3; expected more ticks than the 3 '
      'windows after which errors reach the first layer.',
    ),
    (dict(delay=1), "delay is 1; expected 0, as timing is 'realtime'."),
    (
      dict(timing='buffered', update_every='window'),
      "update_every is window; expected 'presentation', as timing is not "
      "'realtime'.",
    ),
    (
      dict(timing='buffered', delay=1, winner='race'),
      "delay is 1; expected 0, as winner is not 'softmax'.",
    ),
  )
  def test_real_time_is_refused_with_the_remedy(self, options, message):
    options = dict(timing='realtime', num_steps=60) | options
    with self.assertRaises(ssnn_jax.UserError) as caught:
      ssnn_jax.NetworkConfig((5, 4, 3), **options)
    self.assertEqual(str(caught.exception), message)

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
      (5, 4, 3), timing='realtime', window=5, update_every='window'
    )
    self.assertEqual(config.schedule, (64, 5, True))
    self.assertEqual(config.updates_per_presentation, 13)

  @parameterized.parameters(1, 2)
  def test_errors_of_buffered_timing_start_with_the_delay(self, num_layers):
    sizes = (5,) * num_layers + (3,)
    for delay in (0, 1):
      config = ssnn_jax.NetworkConfig(sizes, num_steps=40, delay=delay)
      self.assertEqual(config.error_starts, (delay,) * num_layers)
      self.assertEqual(config.error_steps, (40 - 32 * delay,) * num_layers)
      self.assertEqual(config.active_steps, (40,) * len(sizes))
