"""Learning as on a chip: sample by sample, in each tick, with devices."""

import itertools

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import titles
from experiments.config.grids import Sweep
from experiments.studies import parity

# The batch size and learning rate of each data set.
_DEFAULTS = {'digits': (32, 1.0), 'fashion_mnist': (128, 0.5)}
_SIZES = {'digits': (1, 4, 16, 32, 64), 'fashion_mnist': (1, 8, 128)}
_NUM_SEEDS = {'digits': 5, 'fashion_mnist': 3}


def _make_sweeps(dataset: str) -> tuple[Sweep, ...]:
  """Makes a sweep for each batch size, with the same rate for each sample."""
  default, rate = _DEFAULTS[dataset]
  return tuple(
    Sweep(
      {
        'batch_size': (size,),
        'learning_rate': (size * rate / default,),
        'num_steps': (16, 64),
      },
      num_seeds=_NUM_SEEDS[dataset],
    )
    for size in _SIZES[dataset]
  )


def _numbers(records):
  """Compares single samples with the batches of the data set."""
  found = {}
  for dataset, runs in records.items():
    names = {1: 'single', _DEFAULTS[dataset][0]: 'batch'}
    runs = runs.assign(size=runs['batch_size'].map(names))
    ann, spiking = frames.split_baseline(runs.dropna(subset='size'))
    for part, ending in ((ann, 'ann'), (spiking, 't{num_steps}')):
      name = '{dataset}_{size}_minus_batch_' + ending
      found |= comparisons.numbers(part, name, size='batch')
  return found


_TICK_SIZES = (1, 32)  # batch sizes
_TICK_METRICS = {
  '': comparisons.minus(),
  '_by_potential': comparisons.minus('test_accuracy_potential'),
}


def _numbers_of_ticks(records):
  """Compares updates after each window with updates after presentations."""
  runs = comparisons.join(records)
  _, spiking = frames.split_baseline(runs)
  name = '{dataset}_b{batch_size}_{update_every}'
  return comparisons.numbers(
    runs, f'{name}_minus_ann{{metric}}', _TICK_METRICS
  ) | comparisons.numbers(
    spiking,
    f'{name}_minus_presentation{{metric}}',
    _TICK_METRICS,
    update_every='presentation',
  )


def _sweep_ticks(size: int) -> Sweep:
  """Makes the sweep of a batch size, with the same rate for each sample."""
  base = {'timing': 'realtime', 'settle': 0, 'num_epochs': 10}
  base |= {'batch_size': size, 'learning_rate': size / 32}
  grid = {'update_every': ('presentation', 'window'), 'num_steps': (64,)}
  return Sweep(grid, base=base)


_LATENCY = 0.01  # ticks
_CHIP = {
  'timing': 'realtime',
  'winner': 'race',
  'inhibition': 'adaptive',
  'inhibition_latency': _LATENCY,
  'batch_size': 1,
  'sampler': 'sobol',
  'num_steps': 64,
  'num_epochs': 5,
  'learning_rate': 1 / 256,
}
_TICKS = Study(
  sweeps={
    'digits': tuple(map(_sweep_ticks, _TICK_SIZES)),
    'fashion_mnist': (
      Sweep(
        {'update_every': ('presentation', 'window')},
        3,
        _CHIP | {'num_epochs': 1},
      ),
    ),
  },
  numbers=_numbers_of_ticks,
  text="""
On a chip a coincidence moves its weight at once, not after the presentation
(`--update_every=window`). With windows of one tick the weights then change in
every tick while neurons still integrate the sample. A batch of 1 is what a chip
does; a batch of 32 are parallel copies with common weights, whose counts are
summed in each tick. The learning rate is proportional to the batch size.

Compared with updates after the presentation, updates in each tick change
accuracy by {digits_b1_window_minus_presentation} points with single samples and
{digits_b32_window_minus_presentation} with batches of 32 with the spike-count
readout; by final potential {digits_b1_window_minus_presentation_by_potential}
and {digits_b32_window_minus_presentation_by_potential}. A presentation moves
each weight little.

In one epoch of all `60,000` images of Fashion-MNIST, with the race and all else
as [below](#all-images), updates in each tick change accuracy by
{fashion_mnist_b1_window_minus_presentation} points; by winner counts it is
{fashion_mnist_b1_window_minus_ann} points from the ANN, and by final potential
{fashion_mnist_b1_window_minus_ann_by_potential}.
""",
)

_BATCH_SIZE = 32  # without single samples
_FIRST = 'buffered'
# Each step is added to those before it.
_STEPS = {
  'real time': {'timing': 'realtime', 'settle': 0},
  'race': {
    'winner': 'race',
    'inhibition': 'adaptive',
    'inhibition_latency': _LATENCY,
  },
  'single samples': {'batch_size': 1},
  'online updates': {'update_every': 'window'},
  'devices': {'device': 'gokmen_vlasov'},
}
_ORDER = (_FIRST, *_STEPS)
_ADDED = 'part of a chip, added to all parts to its left'
_READOUTS = {
  '': 'test_accuracy',
  '_by_potential': 'test_accuracy_potential',
  '_by_ann': 'test_accuracy_rate',
}
_METRICS = {
  metric: comparisons.minus(column) for metric, column in _READOUTS.items()
}


def _name_steps(runs: pd.DataFrame) -> pd.DataFrame:
  """Adds a column with the last step that each network has."""
  names = pd.Series(_FIRST, runs.index)
  for name, step in _STEPS.items():
    for field, value in step.items():
      names[runs[field] == value] = name
  return runs.assign(step=names)


def _table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Compares each step with the ANN, and with the step before."""
  rows, before = [], None
  _, spiking = frames.split_baseline(_name_steps(runs))
  for name in [name for name in _ORDER if name in set(spiking['step'])]:
    setting = frames.select(spiking, step=name)
    ann = frames.find_baseline(setting, runs)
    row = {'with': name, 'accuracy (%)': statistics.percent(setting)}
    row |= {
      f'minus ANN, {titles.READOUTS[column].partition(" (")[0]}': (
        _METRICS[metric](setting, ann)
      )
      for metric, column in _READOUTS.items()
    }
    if before is not None:
      row['minus the row above'] = _METRICS[''](setting, before)
    row['update error'] = statistics.over_seeds(setting, 'update_error')
    row['seeds'] = str(len(setting))
    rows.append(row)
    before = setting
  return [pd.DataFrame(rows).map(_write).fillna('')]


def _write(value):
  return (
    statistics.write(value) if isinstance(value, statistics.Number) else value
  )


def _draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy minus the ANN as parts of a chip are added."""
  metrics = {
    figures.difference_label(_READOUTS[name]): _METRICS[name]
    for name in ('', '_by_ann')
  }
  named = _name_steps(runs).rename(columns={'step': _ADDED})
  steps = [name for name in _ORDER if name in set(named[_ADDED])]
  axis = figures.GridAxis(_ADDED, steps, is_numeric=False)
  return figures.draw(named, axis, 'method', metrics)


def _numbers_of_devices(records):
  """Compares each step with the ANN, and with the step before."""
  runs = _name_steps(comparisons.join(records))
  found = comparisons.numbers(runs, '{dataset}_{step}{metric}', _METRICS)
  for before, step in itertools.pairwise(_ORDER):
    _, pair = frames.split_baseline(runs[runs['step'].isin((before, step))])
    compared = comparisons.numbers(
      pair, '{dataset}_{step}_added{metric}', _METRICS, step=before
    )
    own = step.replace(' ', '_')
    found |= {k: v for k, v in compared.items() if f'_{own}_added' in k}
  return found


def _sweep_devices(num_seeds, learning_rate, **base):
  """Makes a sweep for the buffered simulation, then for each added step.

  Args:
    num_seeds: number of seeds of each setting.
    learning_rate: the learning rate of batches; that of single samples is lower
      in proportion.
    **base: values of other fields.

  Returns:
    The sweeps.
  """
  settings = [{'num_steps': 64, 'batch_size': _BATCH_SIZE} | base]
  for step in _STEPS.values():
    settings.append(settings[-1] | step)
  for setting in settings:
    share = setting['batch_size'] / _BATCH_SIZE
    setting['learning_rate'] = learning_rate * share
  return tuple(Sweep({}, num_seeds, setting) for setting in settings)


_DEVICES = Study(
  sweeps={
    'digits': _sweep_devices(5, 1.0, num_epochs=10),
    # A part of the training images; all others are held out for evaluation.
    'fashion_mnist': _sweep_devices(
      3, 0.5, num_epochs=3, hold_out=0.95, eval_every=3
    ),
  },
  table=_table,
  figure=_draw,
  numbers=_numbers_of_devices,
  text="""
The closest to a chip that is simulated here, with ideal reads: real time with
windows of one tick; a race of output neurons that inhibition ends with a
latency of 1 % of a tick, regulated by an inhibitory neuron that counts winners;
one sample at a time; weights that move in every tick; and resistive devices
with the variability that Gokmen and Vlasov specify, `1,250` states in a range
of -1 to 1. All is T = 64, Bernoulli trains. Parts are added one after another.

Digits: 10 epochs, learning rate 1 for a batch of 32. With the spike-count
readout the parts change accuracy by {digits_real_time_added} points (real
time), {digits_race_added} (race), {digits_single_samples_added} (single
samples), {digits_online_updates_added} (online updates) and
{digits_devices_added} (devices). The whole is {digits_devices} points from an
ANN that learns from single samples, by final potential
{digits_devices_by_potential}, and with the ANN readout {digits_devices_by_ann}.
Real time changes the spike-count readout more than the weights: it changes the
ANN readout by {digits_real_time_added_by_ann} ([realtime](realtime.md)).

A part of Fashion-MNIST: `3,000` training images, 3 epochs, learning rate 0.5
for a batch of 32, evaluated on the `57,000` other training images. The parts
change accuracy by {fashion_mnist_real_time_added}, {fashion_mnist_race_added},
{fashion_mnist_single_samples_added}, {fashion_mnist_online_updates_added} and
{fashion_mnist_devices_added} points; the ANN gains from single samples as well.
The whole is {fashion_mnist_devices} points from the ANN, by final potential
{fashion_mnist_devices_by_potential}, and with the ANN readout
{fashion_mnist_devices_by_ann}.
""",
)


def _numbers_of_all_images(records):
  readouts = parity.READOUTS
  return comparisons.numbers(
    comparisons.join(records), '{dataset}_machine_by_{metric}', readouts
  )


_ALL_IMAGES = Study(
  sweeps={'fashion_mnist': (Sweep({}, 3, _CHIP),)},
  numbers=_numbers_of_all_images,
  text="""
All `60,000` training images of Fashion-MNIST, 784-256-10, 5 epochs, three
seeds: real time with windows of one tick, Sobol trains of `64` ticks, the race
with adaptive inhibition and a latency of 1 % of a tick, one sample at a time
with a learning rate of 1/256, no weight decay. Weights move after each sample;
that they may move in each tick instead is shown [above](#each-tick), and
[the chip](chip_bits.md) moves them by units in each tick on all of these
images. Winner counts are {fashion_mnist_machine_by_counts} points from the ANN
that learns from single samples at the same rate, counts of the largest
potential, a winner without noise, {fashion_mnist_machine_by_largest}, and the
learned weights, read as an ANN, {fashion_mnist_machine_by_ann}.
""",
)
STUDY = Study(
  question=(
    'Is learning sample by sample, with updates in each tick and resistive '
    'devices, as accurate as learning in minibatches?'
  ),
  parts={
    'each_tick': _TICKS,
    'devices': _DEVICES,
    'all_images': _ALL_IMAGES,
  },
  sweeps={dataset: _make_sweeps(dataset) for dataset in _SIZES},
  numbers=_numbers,
  claims=(
    Claim(
      'With Bernoulli trains of 64 ticks, digits accuracy after learning '
      'sample by sample is within 1 point of learning in minibatches of 32.',
      ('digits_single_minus_batch_t64',),
      within=1,
    ),
    Claim(
      'In real time at T = 64 with single samples, digits accuracy by final '
      'potential with updates after each tick is within 1 point of updates '
      'after the presentation.',
      ('digits_b1_window_minus_presentation_by_potential',),
      within=1,
    ),
  ),
  text="""
A chip learns sample by sample. Here the learning rate is proportional to the
batch size, so that each sample has the same rate: 1.0 / 32 on digits and 0.5 /
128 on Fashion-MNIST. Only the age of the weights differs.

No effect of the batch size is significant, for the ANN or for spikes. With 64
ticks, single samples change accuracy by {digits_single_minus_batch_t64} points
compared with batches of 32 digits, and by
{fashion_mnist_single_minus_batch_t64} points compared with batches of 128
images; for the ANN these differences are {digits_single_minus_batch_ann} and
{fashion_mnist_single_minus_batch_ann}. The minibatches of all other studies
thus approximate a chip that learns sample by sample. Update errors are those of
the probe batch at the weights after one epoch of each setting.
""",
)
