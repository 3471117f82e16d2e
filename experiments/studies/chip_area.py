"""Accuracy of chips against their number of transistors."""

from matplotlib import figure
import pandas as pd

from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis import transistors
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import chip_bits
from ssnn_jax import chip

_HIDDEN = (8, 16, 32, 64)
# Bits of weights, of the thresholds of inputs and hidden neurons, and of error
# spikes.
_BITS = ((6, 5, 4), (8, 7, 6), (10, 9, 8))
_MARGIN = 1.0  # points


def _make_sweeps(num_seeds, base):
  """Makes a sweep of all numbers of hidden neurons for each number of bits."""
  sizes = tuple((64, hidden, 10) for hidden in _HIDDEN)
  return tuple(
    Sweep(
      chip_bits.METHODS
      | {
        'layer_sizes': sizes,
        'weight_bits': (weights,),
        'fraction_bits': (tuple(thresholds),),
      },
      num_seeds,
      base,
    )
    for weights, *thresholds in _BITS
  )


def _count(setting):
  """Returns the million transistors of a setting."""
  names = ('layer_sizes', 'num_steps', 'weight_bits', 'fraction_bits')
  names += ('generator', 'sharing', 'membrane', 'max_shift', 'enable')
  fields = {name: frames.field(setting, name) for name in names}
  for name in ('layer_sizes', 'fraction_bits'):
    fields[name] = tuple(fields[name])
  parts = transistors.count(chip.ChipConfig(**fields))
  return sum(parts.values()) / 1e6


def _list_chips(runs):
  """Lists the chips, the smallest first, with their difference to the ANN."""
  _, chips = frames.split_baseline(runs)
  rows = []
  for setting in frames.settings(chips):
    ann = frames.find_baseline(setting, runs)
    sizes = frames.field(setting, 'layer_sizes')
    rows.append(
      {
        'hidden': sizes[1],
        'bits': frames.field(setting, 'weight_bits'),
        'million': _count(setting),
        'accuracy': statistics.percent(setting),
        'difference': statistics.paired_difference(setting, ann),
      }
    )
  return sorted(rows, key=lambda row: row['million'])


def _table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  rows = [
    {
      'hidden neurons': str(row['hidden']),
      'bits of weights': str(row['bits']),
      'million transistors': f'{row["million"]:.2f}',
      'accuracy (%)': statistics.write(row['accuracy']),
      'minus ANN of the same size (95 %)': statistics.write(row['difference']),
    }
    for row in _list_chips(runs)
  ]
  return [pd.DataFrame(rows)]


def _draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy, and its difference to the ANN, against transistors."""
  fig, grid = figures.make(2, sharex=True)
  chips = _list_chips(runs)
  labels = {
    'accuracy': figures.accuracy_label(runs),
    'difference': figures.difference_label(),
  }
  for axes, (metric, label) in zip(grid, labels.items()):
    for (bits, *_), color, marker in zip(
      _BITS, figures.COLORS, figures.MARKERS
    ):
      own = [row for row in chips if row['bits'] == bits]
      figures.plot_numbers(
        axes,
        [row['million'] for row in own],
        [row[metric] for row in own],
        color=color,
        marker=marker,
        label=f'weights of {bits} bits',
      )
    figures.set_log(axes.xaxis)
    axes.set_ylabel(label)
    figures.set_panel_title(axes, figures.explain(chips[0][metric]))
  grid[1].axhline(0, color=figures.BLACK, lw=1, label='ANN of the same size')
  grid[1].set_xlabel('million transistors')
  figures.finish(
    fig,
    grid,
    figures.describe(runs),
    'chips of 8, 16, 32 and 64 hidden neurons, from left to right',
  )
  return fig


def _numbers(records):
  (runs,) = records.values()
  found = {}
  for row in _list_chips(runs):
    name = f'h{row["hidden"]}_w{row["bits"]}'
    found[name] = row['difference']
    found[f'{name}_accuracy'] = row['accuracy']
    found[f'{name}_million'] = statistics.Number(row['million'])
  return found


STUDY = Study(
  question='Which is the cheapest chip within 1 point of its ANN?',
  sweeps={
    'digits': _make_sweeps(
      10, {k: v for k, v in chip_bits.DIGITS.items() if k != 'layer_sizes'}
    )
  },
  table=_table,
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'With 64 hidden neurons and weights of 8 bits the chip is within 1 point '
      'of its ANN on digits.',
      ('h64_w8',),
      within=_MARGIN,
    ),
  ),
  text="""
Chips of 8 to 64 hidden neurons and weights of 6 to 10 bits learn the digits,
with one word of a Sobol sequence for a layer and role, T = 64. Transistors are
those of registers and gates, composed of the syntheses of
[chip_gates](chip_gates.md). The ANN has the same size and schedule.

The cheapest chip whose whole interval is within a point of its ANN has 64
hidden neurons and weights of 10 bits: {h64_w10_million:.1f} million
transistors, {h64_w10} points. With 8 bits it has {h64_w8_million:.1f} million,
and is {h64_w8} points from the ANN. A chip of 16 hidden neurons and 10 bits has
{h16_w10_million:.1f} million and reaches {h16_w10_accuracy} %, {h16_w10} points
from the ANN of its size. Seeds differ more in small networks, so that their
intervals are wide.
""",
)
