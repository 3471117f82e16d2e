"""Generators of thresholds: accuracy, update errors, and their hardware."""

import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from ssnn_jax.spikes.thresholds import NUM_BITS

_SAMPLERS = ('bernoulli', 'sobol', 'lfsr', 'lfsr_shared')
_GRID = {'sampler': _SAMPLERS, 'num_steps': (16, 64)}
_METRICS = {
  'minus_ann': comparisons.minus(),
  'error': comparisons.mean('update_error'),
}
_PANELS = {
  figures.difference_label(): _METRICS['minus_ann'],
  figures.ERROR_LABEL: _METRICS['error'],
}


def count_hardware(sizes: tuple[int, ...], num_steps: int) -> pd.DataFrame:
  """Counts what the generators of a network need on a chip.

  Inputs have one train, hidden neurons two: forward, and the errors, whose two
  streams share thresholds. A word is the bits of a threshold.

  Args:
    sizes: neurons of each layer, with inputs.
    num_steps: ticks T of a presentation.

  Returns:
    Cells of text, a row for each sampler.
  """
  trains = sum(sizes[:-1]) + sum(sizes[1:-1])
  streams = 2 * len(sizes) - 3  # layers and roles that trains belong to
  rows = {
    'bernoulli': (0, trains * num_steps, 0),
    # Points of each dimension, and a shift for each neuron and role.
    'sobol': (streams + trains, trains, trains),
    'lfsr': (trains, trains, 0),
    'lfsr_shared': (streams, streams, trains),
  }
  headings = (
    'register bits',
    'fresh random bits of a sample',
    'exclusive-or gates',
  )
  return pd.DataFrame(
    {
      'sampler': sampler,
      'comparators': f'{trains:,}',
      **{
        heading: f'{NUM_BITS * words:,}'
        for heading, words in zip(headings, counts)
      },
    }
    for sampler, counts in rows.items()
  )


def _table(runs):
  sizes = runs['resolved_layer_sizes'].iloc[0]
  name = '-'.join(map(str, sizes))
  title = f'Generators of {name}, T = 64, thresholds of {NUM_BITS} bits'
  hardware = {title: count_hardware(sizes, num_steps=64)}
  return [grid_table.make(runs)] + grid_table.set_titles(hardware)


def _draw(runs):
  timing = runs['timing'].map(figures.TIMINGS)
  named = runs.assign(curve=timing + ', T = ' + runs['num_steps'].map(str))
  return figures.draw(named, 'sampler', 'curve', _PANELS)


def _numbers(records):
  runs = comparisons.join(records)
  name = '{dataset}_{timing}_{sampler}_t{num_steps}_'
  _, spiking = frames.split_baseline(runs)
  return comparisons.numbers(runs, f'{name}{{metric}}', _METRICS) | (
    comparisons.numbers(spiking, f'{name}minus_bernoulli', sampler='bernoulli')
  )


STUDY = Study(
  question='Which generator of thresholds learns best, and what does it need?',
  sweeps={
    'digits': (Sweep(_GRID | {'timing': ('realtime', 'buffered')}, 10),),
    'fashion_mnist': (Sweep(_GRID, 5),),
  },
  table=_table,
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'In real time with trains of 64 ticks, digits accuracy with a shift '
      'register for each layer is within 1 point of the ANN.',
      ('digits_realtime_lfsr_shared_t64_minus_ann',),
      within=1,
    ),
    Claim(
      'In real time with trains of 16 ticks, Sobol trains are more accurate on '
      'digits than Bernoulli trains.',
      ('digits_realtime_sobol_t16_minus_bernoulli',),
      above=0,
    ),
  ),
  text="""
A generator makes the thresholds of `16` bits that spikes are sampled by
([samplers](../../docs/method.md#samplers)). Bernoulli trains have a new word
for each neuron, role and tick. Sobol trains have the points of one counter for
each layer and role, whose bits each neuron flips by a word that is drawn once
for a sample. A linear-feedback shift register (`lfsr`) starts each sample with
a drawn state, one register for each neuron and role, or one for each layer and
role (`lfsr_shared`), whose bits each neuron flips by a mask that is wired.

On digits in real time with `64` ticks, a shared register is
{digits_realtime_lfsr_shared_t64_minus_ann} points from the ANN, registers of
their own {digits_realtime_lfsr_t64_minus_ann}, Bernoulli trains
{digits_realtime_bernoulli_t64_minus_ann} and Sobol trains
{digits_realtime_sobol_t64_minus_ann}; with `16` ticks
{digits_realtime_lfsr_shared_t16_minus_ann},
{digits_realtime_lfsr_t16_minus_ann}, {digits_realtime_bernoulli_t16_minus_ann}
and {digits_realtime_sobol_t16_minus_ann}. Registers thus learn as Bernoulli
trains do, without a random word for each spike, and Sobol trains learn better:
at `16` ticks their update error is {digits_buffered_sobol_t16_error:.2f} in the
fast simulation, where it is {digits_buffered_bernoulli_t16_error:.2f} with
Bernoulli trains, {digits_buffered_lfsr_shared_t16_error:.2f} with shared
registers and {digits_buffered_lfsr_t16_error:.2f} with registers of their own,
whose thresholds follow each other by a shift of one bit.

On Fashion-MNIST, in the fast simulation, the four generators have the same
order: with `16` ticks Sobol trains are
{fashion_mnist_buffered_sobol_t16_minus_ann} points from the ANN, shared
registers {fashion_mnist_buffered_lfsr_shared_t16_minus_ann}, registers of their
own {fashion_mnist_buffered_lfsr_t16_minus_ann} and Bernoulli trains
{fashion_mnist_buffered_bernoulli_t16_minus_ann}; with `64` ticks
{fashion_mnist_buffered_sobol_t64_minus_ann},
{fashion_mnist_buffered_lfsr_shared_t64_minus_ann},
{fashion_mnist_buffered_lfsr_t64_minus_ann} and
{fashion_mnist_buffered_bernoulli_t64_minus_ann}.

The counts of hardware are for one threshold a train, comparators of `16` bits,
and no register for the start of a sample beside its own; the winner is not
counted.
""",
)
