"""Energy of inference and learning on a chip, and memory of learning.

Runs record the activity of a probe batch after each epoch. Activity gives
counts of events (`ssnn_jax.hardware.cost`), and a table of picojoules
(`ssnn_jax.hardware.energies`) their energy. Updates are counted as one pulse
per coincidence: ideal synapses, or `--pulse_scheme=single`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
from typing import Any

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.config import layers
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax.hardware import cost
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
_WINDOW = 32  # ticks, of buffered timing
TOTAL = 'total, kbit'
FEEDBACK = 'feedback weights, kbit'


def add_energies(runs: pd.DataFrame, table: str | os.PathLike) -> pd.DataFrame:
  """Adds the counts and energies of one presentation of one sample.

  Args:
    runs: finished runs, with the activity of each epoch in `curves`.
    table: energies, as for `ssnn_jax.hardware.cost.load_table`.

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
  energies = cost.load_table(table)
  if frames.split_baseline(runs)[1].empty:
    raise ssnn_jax.UserError(
      '--energies needs finished spiking networks, and there are only ANNs; '
      'give the folder of a sweep, or a record.'
    )
  columns = [_compute(row, energies) for row in runs.to_dict('records')]
  return runs.join(pd.DataFrame(columns, index=runs.index))


def _compute(
  run: Mapping[str, Any], energies: cost.EnergyTable
) -> dict[str, float]:
  """Counts events of a run and of backpropagation, and adds their energies."""
  # Samples of an epoch.
  presented = int(run['num_train_samples'])
  presented = presented // run['batch_size'] * run['batch_size']
  options = {name: run[name] for name in _NETWORK_FIELDS}
  if run['layers'] is None:
    options['layer_sizes'] = run['resolved_layer_sizes']
  else:
    options |= layers.connect(run['layers'], run['input_shape'])
  network = ssnn_jax.NetworkConfig(**options)

  bp = cost.count_backprop(network)
  mac, access = energies.mac, energies.memory_access
  learning_bp = bp.learning_macs * mac + bp.learning_words * access
  values = {
    'bp_macs': bp.forward_macs,
    'learning_bp_macs': bp.learning_macs,
    'bp_nj': (bp.forward_macs * mac + bp.forward_macs * access) / 1e3,
    'learning_bp_nj': learning_bp / 1e3,
    'bp_training_mj': learning_bp * (presented * run['num_epochs']) / 1e9,
  }
  if run['method'] == methods.ANN:
    return values
  _check_energy_exists(run)
  measured = {}
  for name in activity.Activity._fields:
    if name == 'row_spikes' and network.layers is None:
      continue
    epochs = run['curves'].get(name, [])
    if len(epochs) != run['num_epochs']:
      raise ssnn_jax.UserError(
        f'the record of a run of {run["method"]} (T = {run["num_steps"]}, seed '
        f'{run["seed"]}) lacks {name} of each epoch; give the folder of the '
        'sweep, or train with --diagnostics.'
      )
    measured[name] = tuple(np.transpose(epochs))
  counts = cost.count_presentation(network, activity.Activity(**measured))
  inference, learned = counts.inference, counts.learning  # arrays over epochs
  per_epoch = cost.chip_energy(learned, energies)
  nanojoules = cost.chip_energy(inference, energies)[-1] / 1e3
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


def table(runs: pd.DataFrame) -> pd.DataFrame:
  """Makes the table of counts and energies, of inference / learning.

  Args:
    runs: the frame of `add_energies`.

  Returns:
    Cells of text: means over seeds, one row a setting.
  """
  fields = frames.varied(runs[list(frames.FIELDS)]) or ['method']

  def cell(setting, name):
    value = statistics.over_seeds(setting, name).mean
    if np.isnan(value):
      return ''
    is_energy = name.endswith(('nj', 'mj'))
    return f'{value:.4g}' if is_energy and value < 1000 else f'{value:,.0f}'

  rows = []
  for setting in frames.settings(runs):
    row = {name: frames.describe_value(setting, name) for name in fields}
    row['accuracy'] = statistics.write(statistics.percent(setting))
    for heading, name in _COLUMNS.items():
      pair = [cell(setting, key) for key in (name, f'learning_{name}')]
      row[heading] = ' / '.join(filter(None, pair))
    rows.append(row | {'seeds': str(len(setting))})
  return pd.DataFrame(rows)


def draw(
  priced: pd.DataFrame, table_name: str, **others: pd.DataFrame
) -> figure.Figure:
  """Draws accuracy minus the ANN, and energies of a sample, against T.

  Args:
    priced: a frame of `add_energies`.
    table_name: the table of energies, or its file.
    **others: the same runs with the energies of other tables, by their names.

  Returns:
    The figure, with a curve for each combination of varied fields other than T.
  """
  tables = {pathlib.Path(table_name).stem: priced} | others
  fig, grid = figures.make(3, sharex=True)
  anns, spiking = frames.split_baseline(priced)
  named = figures.name_curves(spiking, 'num_steps')
  compute, label = comparisons.minus(), figures.difference_label()
  if anns.empty:
    compute, label = comparisons.ACCURACY, figures.accuracy_label(spiking)
  figures.plot_metric(
    grid[0], named, 'num_steps', 'curve', compute, label, priced
  )
  for axes, kind in zip(grid[1:], ('learning', 'inference')):
    for line, (name, runs) in zip(figures.LINES, tables.items()):
      curves = runs.loc[named.index].groupby(named['curve'])
      for index, (_, own) in enumerate(curves):
        settings = frames.settings(own)
        drawn = figures.plot_numbers(
          axes,
          [frames.field(setting, 'num_steps') for setting in settings],
          [statistics.over_seeds(x, f'{kind}_over_bp') for x in settings],
          color=figures.COLORS[index % len(figures.COLORS)],
          marker=figures.MARKERS[index % len(figures.MARKERS)],
          linestyle=line,
        )
        figures.shift_curve(drawn, index, curves.ngroups)
      axes.plot(
        [], [], line, color='0.4', label=f'energies of {figures.word(name)}'
      )
    axes.axhline(1, color=figures.BLACK, linewidth=1, label='ANN')
    figures.set_log(axes.yaxis)
    axes.set_ylabel(f'energy of {kind}\n(of digital BP)')
    figures.set_panel_title(axes, 'mean ± standard deviation over seeds')
  figures.set_steps(grid[-1], spiking['num_steps'])
  figures.finish(fig, grid, figures.describe(priced))
  return fig


def compare_memory(layer_sizes: Sequence[int], num_steps: int) -> pd.DataFrame:
  """Compares the memory of ways of learning in one network.

  Args:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    num_steps: T, ticks of a presentation.

  Returns:
    One row for each way of learning, its name in the column `learning`; kbit
    (1000 bits) of each kind, their total, and the kbit of fixed feedback
    weights, which are not in the total; nJ of the accesses in one presentation
    of one sample, with each table of energies.

  Raises:
    UserError: if T is too short for errors to return in real time.
  """
  window = min(_WINDOW, num_steps)
  buffered = ssnn_jax.NetworkConfig(layer_sizes, num_steps, window)
  realtime = ssnn_jax.NetworkConfig(
    layer_sizes, num_steps, window=1, timing='realtime'
  )
  # Feedback alignment adds weights of its own to the memory of backpropagation:
  # one for each weight after the first layer, shared by all samples.
  num_feedback = sum(wiring.num_weights for wiring in buffered.wirings[1:])
  ways = {
    'real time, n = 1': cost.spiking_memory(realtime),
    f'buffered, n = {window}': cost.spiking_memory(buffered),
    'backpropagation': cost.backprop_memory(buffered),
    'feedback alignment': cost.backprop_memory(buffered),
    f'surrogate gradient, T = {num_steps}': cost.surrogate_gradient_memory(
      buffered
    ),
  }
  tables = {name: cost.load_table(name) for name in cost.TABLES}
  rows = []
  for name, memory in ways.items():
    row = {'learning': name}
    for kind, bits in memory.stored._asdict().items():
      row[f'{kind.replace("_", " ")}, kbit'] = bits / 1e3
    row[TOTAL] = memory.stored.total / 1e3
    is_fixed = name == 'feedback alignment'
    row[FEEDBACK] = is_fixed * num_feedback * cost.WORD / 1e3
    for source, energies in tables.items():
      row[f'{source}, nJ'] = memory.accesses * energies.memory_access / 1e3
    rows.append(row)
  return pd.DataFrame(rows)


def write_memory(compared: pd.DataFrame) -> pd.DataFrame:
  """Writes the frame of `compare_memory` as text, without kinds all 0."""

  def cell(value):
    if not value:
      return ''
    return f'{value:.4g}' if value < 1000 else f'{value:,.0f}'

  names, numbers = compared['learning'], compared.drop(columns='learning')
  cells = numbers.loc[:, (numbers != 0).any()].map(cell)
  cells.insert(0, 'learning', names)
  return cells
