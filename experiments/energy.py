"""Tells what learning by spikes takes on a chip, beside backpropagation.

  python -m experiments.energy --workdir=runs/lengths --energies=crossbar

It reads records alone: the activity that runs have recorded after each epoch,
on their probe batch, gives events (`ssnn_jax.hardware.cost`), and a table of
picojoules prices them. An update takes a pulse for each coincidence, as that of
ideal synapses or with `--pulse_scheme=single`. The library has two tables,
`loihi` for a digital neuromorphic chip and `crossbar` for analog arrays; their
files, in ssnn_jax/hardware/energies, say where each number is from and what it
leaves out. A file of your own is made likewise.
"""

import math
import os
import pathlib
from typing import Any

from absl import flags
from matplotlib import figure
import numpy as np

from experiments import energy_figures
from experiments import figures
from experiments import grid_summary
from experiments import summary
from experiments.config import command as cli
from experiments.config import methods
from experiments.config import serialization as config_records
from experiments.config import synapses
import ssnn_jax
from ssnn_jax.hardware import cost
from ssnn_jax.hardware import energy as energy_lib
from ssnn_jax.runs import records
from ssnn_jax.training import activity

FILE = 'energy'
_SPIKING = ('ssnn', 'feedback_alignment')  # in both directions
DEFAULT_TABLE = 'loihi'
_NOTE = """

Of one presentation of one sample; a / b is inference / learning. Inference is
that of the trained network; learning is all that it takes, the forward part
too, as a mean over epochs; training is all of them. BP works sample by sample,
in digital circuits."""


def read(
  workdir: str | os.PathLike, table: str | os.PathLike = DEFAULT_TABLE
) -> list[summary.Setting]:
  """Reads what the finished runs of a sweep take.

  Args:
    workdir: the folder of a sweep, or of a run.
    table: energies, as for `energy.load_table`.

  Returns:
    The settings, the ANN's first; their `values` also hold, seed by seed, the
    counts and energies (`nj`, of a training `training_mj`) of inference and,
    named `learning_...`, of learning; and `bp_...`, those of plain
    backpropagation in the same network.

  Raises:
    UserError: if there is no finished spiking network, a run does not tell what
      is needed, or the table is unsound.
  """
  energies = energy_lib.load_table(table)
  runs = [run for run in records.find(workdir) if run.final is not None]
  settings = grid_summary.group(runs)
  if all(map(grid_summary.is_ann, settings)):
    raise ssnn_jax.UserError(
      f'--workdir={workdir} holds no finished spiking network; give a folder '
      'that experiments.sweep wrote to, or a record.'
    )
  grid_summary.add_values(settings, runs, lambda run: _take(run, energies))
  return settings


def _take(run, energies):
  """Counts and prices what a run takes, and what backpropagation would."""
  config = config_records.complete(run.config)
  lines = [event for event in run.events if event.get('event') == 'epoch']
  told = run.final
  if 'layer_sizes' not in told or 'num_train_samples' not in told:
    raise _lacking(run, 'layer_sizes and num_train_samples')
  sizes, num_samples = tuple(told['layer_sizes']), told['num_train_samples']
  batch_size = config['batch_size']
  presented = num_samples // batch_size * batch_size  # an epoch
  bp = cost.count_backprop(sizes)
  priced = energy_lib.backprop_energy
  learning = priced(bp.learning_macs, bp.learning_words, energies)
  taken = {
    'bp_macs': bp.forward_macs,
    'learning_bp_macs': bp.learning_macs,
    'bp_nj': priced(bp.forward_macs, bp.forward_macs, energies) / 1e3,
    'learning_bp_nj': learning / 1e3,
    'bp_training_mj': learning * presented * config['num_epochs'] / 1e9,
  }
  if config['method'] == methods.ANN:
    return taken
  if config['method'] not in _SPIKING:
    raise ssnn_jax.UserError(
      f'{run.folder} holds a run of {config["method"]}, of which no chip is '
      f'priced; give runs of {" or ".join(_SPIKING)}.'
    )
  _check_pulses(run, config)
  spent = _count(run, config, sizes, lines)
  per_epoch = energy_lib.chip_energy(spent.learning, energies)
  return taken | {
    'spikes': spent.inference.spikes[-1],
    'error_spikes': np.mean(spent.learning.spikes - spent.inference.spikes),
    'synaptic_events': spent.inference.synaptic_events[-1],
    'learning_synaptic_events': np.mean(spent.learning.synaptic_events),
    'update_pulses': np.mean(spent.learning.update_pulses),
    'crossbar_reads': spent.inference.crossbar_reads,
    'learning_crossbar_reads': spent.learning.crossbar_reads,
    'latency': spent.inference_latency,
    'learning_latency': spent.learning_latency,
    'nj': energy_lib.chip_energy(spent.inference, energies)[-1] / 1e3,
    'learning_nj': np.mean(per_epoch) / 1e3,
    'training_mj': np.sum(per_epoch) * presented / 1e9,
  }


def _check_pulses(run, config):
  """Refuses devices that get other pulses than one a coincidence."""
  thins = config['device'] != synapses.IDEAL
  thins = thins and config['pulse_scheme'] != 'single'
  if thins or config['update_rule'] != 'sgd':
    raise ssnn_jax.UserError(
      f'{run.folder} holds devices (--device={config["device"]}) whose pulses '
      'are not one a coincidence, which energies are counted by; give a sweep '
      'with --device=ideal, or --pulse_scheme=single.'
    )


def _lacking(run, what):
  return ssnn_jax.UserError(
    f'{run.folder} does not tell the {what}; train it anew with this version '
    'of ssnn_jax.'
  )


def _count(run, config, sizes, lines):
  """Counts what a presentation takes, as arrays over epochs."""
  names = (
    *('num_steps', 'window', 'forward', 'backward', 'update'),
    *('delay', 'output_errors'),
  )
  told = {}
  for name in activity.Activity._fields:
    values = [line.get(name) for line in lines]
    if not values or None in values:
      raise _lacking(run, f'{name} of each epoch')
    told[name] = tuple(np.transpose(values))
  try:
    network = ssnn_jax.NetworkConfig(sizes, **{n: config[n] for n in names})
    return cost.count_presentation(network, activity.Activity(**told))
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'{run.folder}: {error}') from None


def table(
  workdir: str | os.PathLike, energies: str | os.PathLike = DEFAULT_TABLE
) -> str:
  """Lays out what the settings of a sweep take, a line each.

  Args:
    workdir: the folder of a sweep, or of a run.
    energies: table of energies, as for `energy.load_table`.

  Returns:
    The table; means over seeds, accuracies with standard deviations.

  Raises:
    UserError: as `read`.
  """
  return lay_out(read(workdir, energies))


def lay_out(settings: list[summary.Setting]) -> str:
  """Lays out the settings of `read` as text."""
  fields = grid_summary.varied(settings) or ['method']
  header = (
    *(*fields, 'accuracy', 'spikes forward', 'backward', 'synaptic events'),
    *('update pulses', 'crossbar reads', 'latency, ticks', 'energy, nJ'),
    *('training, mJ', 'BP MACs', 'BP, nJ', 'BP training, mJ', 'seeds'),
  )
  rows = [header]
  for setting in settings:
    named = [grid_summary.value(setting.config, name) for name in fields]
    rows.append((*named, *_row(setting)))
  return summary.layout(rows) + _NOTE


def _row(setting):
  def cell(name):
    value = setting.mean(name) if name in setting.values else math.nan
    if not math.isfinite(value):
      return ''
    is_energy = name.endswith(('nj', 'mj'))
    return f'{value:.4g}' if is_energy and value < 1000 else f'{value:,.0f}'

  def pair(name):
    return ' / '.join(filter(None, map(cell, (name, f'learning_{name}'))))

  return (
    summary.spread(setting, 'test_accuracy', 100, 2),
    *(cell('spikes'), cell('error_spikes'), pair('synaptic_events')),
    *(cell('update_pulses'), pair('crossbar_reads'), pair('latency')),
    *(pair('nj'), cell('training_mj'), pair('bp_macs'), pair('bp_nj')),
    *(cell('bp_training_mj'), str(len(setting.seeds))),
  )


def draw(
  workdir: str | os.PathLike, energies: str | os.PathLike = DEFAULT_TABLE
) -> figure.Figure:
  """Draws accuracy against energy.

  Args:
    workdir: the folder of a sweep, or of a run.
    energies: table of energies, as for `energy.load_table`.

  Returns:
    The figure.

  Raises:
    UserError: as `read`.
  """
  return energy_figures.draw_energy(read(workdir, energies), str(energies))


def main() -> None:
  """Prints the table of a sweep and draws its figure."""
  values: dict[str, Any] = flags.FLAGS.flag_values_dict()
  workdir = cli.folder(values['workdir'] or '')
  if not values['workdir'] or not workdir.is_dir():
    raise ssnn_jax.UserError(
      f'--workdir={values["workdir"] or ""} is not a folder; give one that '
      'experiments.sweep wrote to, or a record.'
    )
  settings = read(workdir, values['energies'])
  print(lay_out(settings))
  sheet = energy_figures.draw_energy(settings, values['energies'])
  name = f'{FILE}-{pathlib.Path(values["energies"]).stem}'
  print('figure: ' + ', '.join(map(str, figures.save(sheet, workdir / name))))


if __name__ == '__main__':
  with cli.group('Records'):
    flags.DEFINE_string(
      'workdir', None, '`folder` of a sweep; the figure goes there; required.'
    )
    flags.DEFINE_string(
      'energies',
      DEFAULT_TABLE,
      f'`table` of picojoules: {" or ".join(energy_lib.TABLES)}, or a file '
      'like theirs.',
    )
  cli.launch(main)
