"""Energy of inference and learning on a chip, and memory of learning.

Runs record the activity of a probe batch after each epoch. Activity gives
counts of events (`ssnn_jax.hardware.cost`), and a table of picojoules
(`ssnn_jax.hardware.energies`) their energy. Updates are counted as one pulse
per coincidence: ideal synapses, or `--pulse_scheme=single`. Energies are counts
times constants, so that their ratios are compared without tests.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
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
from ssnn_jax.datasets import catalog
from ssnn_jax.hardware import cost
from ssnn_jax.training import activity

METHODS = ('ssnn', 'feedback_alignment', 'rpu')  # whose events are counted
_NETWORK_FIELDS = (
  'num_steps',
  'timing',
  'forward',
  'backward',
  'update',
  'output_errors',
  'winner',
  'sampler',
)
# Columns of quantities; many also have a column `learning_...`.
_COLUMNS = {
  'spikes forward': 'spikes',
  'spikes backward': 'error_spikes',
  'synaptic events': 'synaptic_events',
  'update pulses': 'update_pulses',
  'crossbar reads': 'crossbar_reads',
  'random bits': 'random_bits',
  'random bits, shared': 'shared_random_bits',
  'latency, ticks': 'latency',
  'energy, nJ': 'nj',
  'BP MACs': 'bp_macs',
} | {f'BP {name}, nJ': f'bp_{name}_nj' for name in cost.FORMATS}
_KINDS = {'inference': '', 'learning': 'learning_'}  # prefixes of columns
# Of columns of `add_energies`, for numbers on pages, and of those of BP.
METRICS = {
  name: comparisons.mean(name)
  for name in (
    *(f'{prefix}nj' for prefix in _KINDS.values()),
    *(f'{kind}_over_{name}' for kind in _KINDS for name in cost.FORMATS),
    *(f'learning_{name}_nj' for name in (*cost.Events._fields, 'true_random')),
    'update_pulses',
    'learning_crossbar_reads',
    'learning_random_bits',
    'learning_shared_random_bits',
  )
}
BP_METRICS = {
  name: comparisons.mean(name)
  for name in (
    f'{prefix}bp_{form}_nj'
    for prefix in _KINDS.values()
    for form in cost.FORMATS
  )
}
_WINDOW = 32  # ticks, of buffered timing
TOTAL = 'total, kbit'
FEEDBACK = 'feedback weights, kbit'
INPUTS = 'inputs presented once, kbit'


def add_energies(
  runs: pd.DataFrame, table: str | os.PathLike, last_epoch: bool = False
) -> pd.DataFrame:
  """Adds the counts and energies of one presentation of one sample.

  Args:
    runs: finished runs, with their activity in `curves`.
    table: energies, as for `ssnn_jax.hardware.cost.load_table`.
    last_epoch: whether learning is that of the last epoch, for records without
      the activity of the others; otherwise it is the mean over epochs.

  Returns:
    The runs with further columns: counts and energies (`nj`) of inference with
    the trained network; `learning_...` of the forward pass, the backward pass
    and the update, `learning_EVENT_nj` of each kind of event, and
    `learning_true_random_nj` of random bits from a physical source instead;
    `shared_random_bits` if neurons share thresholds; `bp_...` of
    backpropagation in the same network, sample by sample in digital circuits,
    in each number format; and ratios such as `learning_over_fp32`.

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
  columns = [
    _compute(row, energies, last_epoch) for row in runs.to_dict('records')
  ]
  return runs.join(pd.DataFrame(columns, index=runs.index))


def _compute(
  run: Mapping[str, Any], energies: cost.EnergyTable, last_epoch: bool
) -> dict[str, float]:
  """Counts events of a run and of backpropagation, and adds their energies."""
  options = {name: run[name] for name in _NETWORK_FIELDS}
  options['window'] = run['resolved_window']
  if run['layers'] is None:
    options['layer_sizes'] = run['resolved_layer_sizes']
  else:
    options |= layers.connect(
      run['layers'], run['input_shape'], catalog.is_recorded(run['dataset'])
    )
  network = ssnn_jax.NetworkConfig(**options)
  values = _count_backprop(network, energies)
  if run['method'] == methods.ANN:
    return values
  _check_energy_exists(run, energies)
  num_epochs = 1 if last_epoch else run['num_epochs']
  measured = _read_activity(run, network, num_epochs)
  if run['method'] == 'rpu':
    count = functools.partial(cost.count_rpu, network, measured)
  else:
    is_image = not catalog.is_recorded(run['dataset'])
    count = functools.partial(
      cost.count_presentation, network, measured, samples_inputs=is_image
    )
  counts, shared = count(), count(shares_thresholds=True)
  inference, learned = counts.inference, counts.learning  # arrays over epochs
  values |= {
    'spikes': _last(inference.spikes),
    'error_spikes': np.mean(learned.spikes - inference.spikes),
    'synaptic_events': _last(inference.synaptic_events),
    'learning_synaptic_events': np.mean(learned.synaptic_events),
    'update_pulses': np.mean(learned.update_pulses),
    'crossbar_reads': inference.crossbar_reads,
    'learning_crossbar_reads': learned.crossbar_reads,
    'random_bits': inference.random_bits,
    'learning_random_bits': learned.random_bits,
    'shared_random_bits': shared.inference.random_bits,
    'learning_shared_random_bits': shared.learning.random_bits,
    'latency': counts.inference_latency,
    'learning_latency': counts.learning_latency,
    'nj': _last(cost.chip_energy(inference, energies)) / 1e3,
    'learning_nj': np.mean(cost.chip_energy(learned, energies)) / 1e3,
  }
  true_random = learned.random_bits * energies.true_random_bit
  values['learning_true_random_nj'] = true_random / 1e3
  each = cost.event_energies(learned, energies)
  for name, picojoules in each._asdict().items():
    values[f'learning_{name}_nj'] = np.mean(picojoules) / 1e3
  for kind, prefix in _KINDS.items():
    for name in cost.FORMATS:
      bp = values[f'{prefix}bp_{name}_nj']
      values[f'{kind}_over_{name}'] = values[f'{prefix}nj'] / bp
  return values


def _count_backprop(network, energies):
  """Counts operations of backpropagation, and adds their energies."""
  bp = cost.count_backprop(network)
  operations = {  # multiply-accumulates, and words of memory
    'bp': (bp.forward_macs, bp.forward_macs),
    'learning_bp': (bp.learning_macs, bp.learning_words),
  }
  values = {}
  for key, (macs, words) in operations.items():
    values[f'{key}_macs'] = macs
    for name in cost.FORMATS:
      picojoules = cost.digital_energy(macs, words, name, energies)
      values[f'{key}_{name}_nj'] = picojoules / 1e3
  return values


def _read_activity(run, network, num_epochs):
  """Reads the activity of the last epochs; entries are arrays over epochs."""
  measured = {}
  for name in activity.Activity._fields:
    if name == 'row_spikes' and network.layers is None:
      continue
    epochs = run['curves'].get(name, [])[-num_epochs:]
    if len(epochs) != num_epochs:
      raise ssnn_jax.UserError(
        f'the record of a run of {run["method"]} (T = {run["num_steps"]}, seed '
        f'{run["seed"]}) lacks {name} of each epoch; give the folder of the '
        'sweep, or train with --diagnostics.'
      )
    measured[name] = tuple(np.transpose(epochs))
  return activity.Activity(**measured)


def _last(counts):
  """Returns the count of the last epoch."""
  return np.ravel(counts)[-1]


def _check_energy_exists(run, energies):
  """Rejects other methods, and devices without one pulse per coincidence."""
  if run['method'] not in METHODS:
    raise ssnn_jax.UserError(
      f'the energy of --method={run["method"]} is not defined; give runs of '
      f'{" or ".join(METHODS)}.'
    )
  if run['method'] == 'rpu' and not energies.device_read:
    raise ssnn_jax.UserError(
      '--method=rpu reads crossbars, and device_read of the table of energies '
      'is 0; give --energies=crossbar.'
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
    is_small = name.endswith('nj') and value < 1000
    return f'{value:.3g}' if is_small else f'{value:,.0f}'

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
  for axes, kind in zip(grid[1:], reversed(_KINDS)):
    for line, (name, runs) in zip(figures.LINES, tables.items()):
      curves = runs.loc[named.index].groupby(named['curve'])
      for index, (_, own) in enumerate(curves):
        settings = frames.settings(own)
        drawn = figures.plot_numbers(
          axes,
          [frames.field(setting, 'num_steps') for setting in settings],
          [statistics.over_seeds(x, f'{kind}_over_fp32') for x in settings],
          color=figures.COLORS[index % len(figures.COLORS)],
          marker=figures.MARKERS[index % len(figures.MARKERS)],
          linestyle=line,
        )
        figures.shift_curve(drawn, index, curves.ngroups)
      axes.plot(
        [], [], line, color='0.4', label=f'energies of {figures.word(name)}'
      )
    bp = _KINDS[kind] + 'bp'
    for line, name in zip(figures.LINES, cost.FORMATS):
      shares = priced[f'{bp}_{name}_nj'] / priced[f'{bp}_fp32_nj']
      look = {'color': figures.BLACK, 'linewidth': 1, 'label': f'BP in {name}'}
      axes.axhline(shares.mean(), linestyle=line, **look)
    figures.set_log(axes.yaxis)
    axes.set_ylabel(f'energy of {kind}\n(of digital BP in fp32)')
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
    (1000 bits) of each kind and their total; the kbit of fixed feedback
    weights, and of inputs that are presented only once, neither in the total;
    nJ of the accesses in one presentation of one sample.

  Raises:
    UserError: if T is too short for errors to return in real time.
  """
  window = min(_WINDOW, num_steps)
  buffered = ssnn_jax.NetworkConfig(layer_sizes, num_steps, window)
  counting = ssnn_jax.NetworkConfig(
    layer_sizes, num_steps, window=1, timing='realtime'
  )
  at_once = dataclasses.replace(counting, update_every='window')
  # Feedback alignment adds weights of its own to the memory of backpropagation:
  # one for each weight after the first layer, shared by all samples.
  num_feedback = sum(wiring.num_weights for wiring in buffered.wirings[1:])
  ways = {
    'real time, updates at once': cost.spiking_memory(at_once),
    'real time, update at the end': cost.spiking_memory(counting),
    f'buffered, n = {window}': cost.spiking_memory(buffered),
    'backpropagation': cost.backprop_memory(buffered),
    'feedback alignment': cost.backprop_memory(buffered),
    f'surrogate gradient, T = {num_steps}': cost.surrogate_gradient_memory(
      buffered
    ),
  }
  word = cost.WORD * cost.load_table('crossbar').memory_bit
  rows = []
  for name, memory in ways.items():
    row = {'learning': name}
    for kind, bits in memory.stored._asdict().items():
      row[f'{kind.replace("_", " ")}, kbit'] = bits / 1e3
    row[TOTAL] = memory.stored.total / 1e3
    is_fixed = name == 'feedback alignment'
    row[FEEDBACK] = is_fixed * num_feedback * cost.WORD / 1e3
    row[INPUTS] = memory.inputs / 1e3
    row['accesses, nJ'] = memory.accesses * word / 1e3
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
