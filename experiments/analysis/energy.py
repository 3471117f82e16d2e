"""Energy of inference and learning on a chip, computed from recorded activity.

Runs record the activity of a probe batch after each epoch. Activity gives
counts of events (`ssnn_jax.hardware.cost`), and a table of picojoules
(`ssnn_jax.hardware.energies`) their energy. Updates are counted as one pulse
per coincidence: ideal synapses, or `--pulse_scheme=single`.
"""

from collections.abc import Mapping
import os
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.config import layers
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax.hardware import cost
from ssnn_jax.hardware import energy
from ssnn_jax.training import activity

_SPIKING = ('ssnn', 'feedback_alignment')  # forward and backward pass
_NETWORK_FIELDS = (
  'num_steps',
  'timing',
  'window',
  'forward',
  'backward',
  'update',
  'output_errors',
)
# Columns of quantities; many also have a column `learning_...`.
_COLUMNS = {
  'spikes forward': 'spikes',
  'spikes backward': 'error_spikes',
  'synaptic events': 'synaptic_events',
  'update pulses': 'update_pulses',
  'crossbar reads': 'crossbar_reads',
  'latency, ticks': 'latency',
  'energy, nJ': 'nj',
  'training, mJ': 'training_mj',
  'BP MACs': 'bp_macs',
  'BP, nJ': 'bp_nj',
  'BP training, mJ': 'bp_training_mj',
}


def add_energies(runs: pd.DataFrame, table: str | os.PathLike) -> pd.DataFrame:
  """Adds the counts and energies of one presentation of one sample.

  Args:
    runs: finished runs, with the activity of each epoch in `curves`.
    table: energies, as for `ssnn_jax.hardware.energy.load_table`.

  Returns:
    The runs with further columns: counts and energies (`nj`, and `training_mj`
    of the whole training) of inference with the trained network; `learning_...`
    of learning, the mean over epochs of the forward pass, the backward pass and
    the update; `bp_...` of backpropagation in the same network, sample by
    sample in digital circuits.

  Raises:
    UserError: if there is no spiking network, a run lacks its activity, a
      method or device has no energy, or the table is invalid.
  """
  energies = energy.load_table(table)
  if frames.split_baseline(runs)[1].empty:
    raise ssnn_jax.UserError(
      '--energies needs finished spiking networks, and there are only ANNs; '
      'give the folder of a sweep, or a record.'
    )
  columns = [_compute(row, energies) for row in runs.to_dict('records')]
  return runs.join(pd.DataFrame(columns, index=runs.index))


def _compute(
  run: Mapping[str, Any], energies: energy.EnergyTable
) -> dict[str, float]:
  """Counts events of a run and of backpropagation, and adds their energies."""
  sizes, num_samples = (
    run.get(name) for name in ('resolved_layer_sizes', 'num_train_samples')
  )
  if sizes is None or num_samples is None or np.isnan(num_samples):
    raise _lacking(run, 'layer_sizes and num_train_samples')
  # Samples of an epoch.
  presented = int(num_samples) // run['batch_size'] * run['batch_size']
  network = _network(run, sizes)
  values = _backprop(network, presented * run['num_epochs'], energies)
  if run['method'] == methods.ANN:
    return values
  _check_energy_exists(run)
  counts = _count(run, network)
  inference, learned = counts.inference, counts.learning
  per_epoch = energy.chip_energy(learned, energies)
  nanojoules = energy.chip_energy(inference, energies)[-1] / 1e3
  learning_nanojoules = np.mean(per_epoch) / 1e3
  return values | {
    'spikes': inference.spikes[-1],
    'error_spikes': np.mean(learned.spikes - inference.spikes),
    'synaptic_events': inference.synaptic_events[-1],
    'learning_synaptic_events': np.mean(learned.synaptic_events),
    'update_pulses': np.mean(learned.update_pulses),
    'crossbar_reads': inference.crossbar_reads,
    'learning_crossbar_reads': learned.crossbar_reads,
    'latency': counts.inference_latency,
    'learning_latency': counts.learning_latency,
    'nj': nanojoules,
    'learning_nj': learning_nanojoules,
    'inference_over_bp': nanojoules / values['bp_nj'],
    'learning_over_bp': learning_nanojoules / values['learning_bp_nj'],
    'training_mj': np.sum(per_epoch) * presented / 1e9,
  }


def _network(run, sizes):
  """Makes the configuration of the network of a run."""
  options = {name: run[name] for name in _NETWORK_FIELDS}
  if run['layers'] is None:
    return ssnn_jax.NetworkConfig(sizes, **options)
  options |= layers.connect(run['layers'], run['input_shape'])
  return ssnn_jax.NetworkConfig(**options)


def _backprop(network, num_presented, energies):
  bp = cost.count_backprop(network)
  priced = energy.backprop_energy
  learning = priced(bp.learning_macs, bp.learning_words, energies)
  return {
    'bp_macs': bp.forward_macs,
    'learning_bp_macs': bp.learning_macs,
    'bp_nj': priced(bp.forward_macs, bp.forward_macs, energies) / 1e3,
    'learning_bp_nj': learning / 1e3,
    'bp_training_mj': learning * num_presented / 1e9,
  }


def _count(run, network):
  """Counts the events of a presentation, as arrays over epochs."""
  measured = {}
  for name in activity.Activity._fields:
    if name == 'row_spikes' and network.layers is None:
      continue
    values = run['curves'].get(name, [])
    if len(values) != run['num_epochs']:
      raise _lacking(run, f'{name} of each epoch')
    measured[name] = tuple(np.transpose(values))
  return cost.count_presentation(network, activity.Activity(**measured))


def _check_energy_exists(run):
  """Rejects other methods, and devices without one pulse per coincidence."""
  if run['method'] not in _SPIKING:
    raise ssnn_jax.UserError(
      f'the energy of --method={run["method"]} is not defined; give runs of '
      f'{" or ".join(_SPIKING)}.'
    )
  is_thinned = (
    run['device'] != synapses.IDEAL and run['pulse_scheme'] != 'single'
  )
  if is_thinned or run['update_rule'] != 'sgd':
    raise ssnn_jax.UserError(
      f'--device={run["device"]} does not write one pulse per coincidence, as '
      'the energy of updates assumes; give a sweep with --device=ideal, or '
      '--pulse_scheme=single.'
    )


def _lacking(run, quantity):
  return ssnn_jax.UserError(
    f'the record of a run of {run["method"]} (T = {run["num_steps"]}, seed '
    f'{run["seed"]}) lacks {quantity}; give the folder of the sweep, or train '
    'again with this version of ssnn_jax.'
  )


def table(runs: pd.DataFrame) -> pd.DataFrame:
  """Makes the table of counts and energies, of inference / learning.

  Args:
    runs: the frame of `add_energies`.

  Returns:
    Cells of text: means over seeds, one row a setting.
  """
  fields = frames.varied(runs[list(frames.FIELDS)]) or ['method']
  rows = []
  for setting in frames.settings(runs):
    row = {name: frames.describe_value(setting, name) for name in fields}
    row['accuracy'] = statistics.write(statistics.percent(setting))
    for heading, name in _COLUMNS.items():
      pair = [_cell(setting, key) for key in (name, f'learning_{name}')]
      row[heading] = ' / '.join(filter(None, pair))
    rows.append(row | {'seeds': str(len(setting))})
  return pd.DataFrame(rows)


def _cell(setting, name):
  value = statistics.over_seeds(setting, name).mean
  if np.isnan(value):
    return ''
  is_energy = name.endswith(('nj', 'mj'))
  return f'{value:.4g}' if is_energy and value < 1000 else f'{value:,.0f}'
