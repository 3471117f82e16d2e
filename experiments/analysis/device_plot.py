"""Table and figure of a device that is fitted to measured pulse responses."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import style
from ssnn_jax import hardware
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware import resistive

_NUM_DEVICES = 400  # that are simulated
_WEIGHTS = 'dw_min', 'w_max', 'w_min'


def table(fit: hardware.PulseFit) -> pd.DataFrame:
  """Makes the table of the fitted parameters: cells of text."""
  rows = []
  for name, value in device_config.changed_fields(fit.config).items():
    ends = ''
    if name in fit.intervals:
      low, high = fit.intervals[name]
      ends = f'{low:.4g} to {high:.4g}'
    unit = '' if isinstance(value, bool) else 'relative'
    unit = 'weight' if name in _WEIGHTS else unit
    rows.append((name, f'{value:.4g}', ends, unit))
  one = fit.zero + fit.scale
  rows += [
    ('read noise', f'{fit.read_noise:.4g}', '', 'weight'),
    ('read noise', f'{fit.read_noise * fit.scale:.4g}', '', 'conductance'),
    ('number of states', f'{fit.config.num_states:.4g}', '', ''),
    ('weight 0', f'{fit.zero:.4g}', '', 'conductance'),
    ('weight 1', f'{one:.4g}', '', 'conductance'),
  ]
  columns = ['parameter', 'value', '95% interval', 'unit']
  return pd.DataFrame(rows, columns=columns)


def draw(
  curves: Sequence[hardware.PulseCurve], fit: hardware.PulseFit
) -> figure.Figure:
  """Draws measured curves, and the response of the fitted mean device."""
  fig, panels = style.make(2, 2, height=3.2, sharey=True)
  for axes, is_up in zip(panels, (True, False)):
    same = [curve for curve in curves if curve.is_up == is_up]
    number = int(max(np.ptp(curve.pulses) for curve in same))
    pulses = np.linspace(0, number, min(number + 1, 1000), dtype=int)
    start = np.mean([curve.conductances[0] for curve in same])
    for curve in same:
      look = {'color': style.BLUE, 'alpha': 0.5, 'label': 'measured'}
      passed = curve.pulses - curve.pulses[0]
      axes.plot(passed, curve.conductances, '.', markersize=4, **look)
    start = (start - fit.zero) / fit.scale
    weights = _respond(fit.config, start, pulses, is_up)
    fitted = fit.zero + fit.scale * np.asarray(weights)
    axes.plot(pulses, fitted, color=style.VERMILION, lw=2, label='fit, mean')
    low, high = fit.zero + fit.scale * _simulate(fit, start, pulses, is_up)
    band = {'color': style.VERMILION, 'alpha': 0.15, 'lw': 0}
    axes.fill_between(pulses, low, high, label='95 % of fitted devices', **band)
    for bound in (fit.config.w_min, fit.config.w_max):
      level = fit.zero + fit.scale * bound
      axes.axhline(level, color='0.5', lw=1, linestyle=':', label='bounds')
    axes.set_title(f'{"up" if is_up else "down"} pulses', fontsize=style.TITLE)
    axes.set_xlabel('pulses since the first reading')
    axes.grid(alpha=0.3)
  panels[0].set_ylabel('conductance')
  style.legend_below(fig, panels)
  return fig


def _respond(config, start, pulses, is_up):
  """Returns the weights of the mean device after numbers of pulses."""
  config = device_config.remove_variability(config)
  constants = resistive.sample_constants(jax.random.key(0), config, ())
  numbers = jnp.asarray(pulses)
  applied = _make_pulses(numbers, is_up)
  weights = jnp.full(numbers.shape, start, jnp.float32)
  return resistive.move_weights(
    config, constants, weights, applied, config.dw_min, None
  )


def _make_pulses(numbers, is_up):
  none = jnp.zeros_like(numbers)
  return resistive.Pulses(*((numbers, none) if is_up else (none, numbers)))


def _simulate(fit, start, pulses, is_up):
  """Simulates readings of fitted devices; returns the ends of 95 % of them."""
  device_key, noise_key, read_key = jax.random.split(jax.random.key(0), 3)
  constants = resistive.sample_constants(
    device_key, fit.config, (_NUM_DEVICES,)
  )
  words = jax.random.bits(
    noise_key, (len(pulses), resistive.NUM_KEYS), jnp.uint32
  )

  def advance(weights, inputs):
    number, keys = inputs
    applied = _make_pulses(number, is_up)
    normals = resistive.sample_noise(keys, weights.shape).normals
    weights = resistive.move_weights(
      fit.config, constants, weights, applied, fit.config.dw_min, normals
    )
    return weights, weights

  numbers = jnp.diff(jnp.asarray(pulses, jnp.float32), prepend=0.0)
  first = jnp.full(_NUM_DEVICES, start, jnp.float32)
  _, weights = jax.lax.scan(advance, first, (numbers, words))
  noise = jax.random.normal(read_key, weights.shape)
  readings = weights + fit.read_noise * noise
  return np.percentile(readings, [2.5, 97.5], axis=1)
