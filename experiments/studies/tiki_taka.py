"""Remedies for update asymmetry: zero shifting and Tiki-Taka."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_ASYMMETRIES = (0.0, 0.1, 0.3, 0.6)
_SOFT_BOUNDS = {
  'device': ('custom',),
  'w_max': (1.0,),
  'w_min': (-1.0,),
  'dw_min': (0.002,),
  'gamma_up': (1.0,),
  'gamma_down': (1.0,),
  'zero_shifting': (True,),
  'up_down': _ASYMMETRIES,
}
_RULES = ('SGD', 'SGD + zero shifting', 'Tiki-Taka + zero shifting')
_GRIDS = (
  _SOFT_BOUNDS,
  _SOFT_BOUNDS | {'zero_shifting': (False,)},
  _SOFT_BOUNDS | {'update_rule': ('tiki_taka',)},
)


def _select(
  runs: pd.DataFrame, asymmetry: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
  """Selects the settings of an asymmetry, in order of `_RULES`."""
  own = frames.select(runs, up_down=asymmetry)
  return (
    frames.select(own, update_rule='sgd', zero_shifting=False),
    frames.select(own, update_rule='sgd', zero_shifting=True),
    frames.select(own, update_rule='tiki_taka'),
  )


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy against asymmetry, a curve for each update rule."""
  ann, spiking = frames.split_baseline(runs)
  fig, (axes,) = style.make(1, height=4)
  panels.plot_across(axes, ann, 'ANN (BP)')
  curves = zip(*(_select(runs, asymmetry) for asymmetry in _ASYMMETRIES))
  for index, (label, settings) in enumerate(zip(_RULES, curves)):
    look = {'color': style.COLORS[index], 'marker': style.MARKERS[index]}
    curve = panels.plot_settings(
      axes, _ASYMMETRIES, settings, 'test_accuracy', 100, label=label, **look
    )
    style.shift_curve(curve, index, len(_RULES))
  axes.set_xticks(_ASYMMETRIES, [f'{value:g}' for value in _ASYMMETRIES])
  axes.set_xlabel('asymmetry: up minus down step (of a step)')
  axes.set_ylabel(panels.label_accuracy(runs))
  axes.grid(alpha=0.3)
  style.legend_below(fig, [axes])
  style.set_title(
    fig,
    f'{style.dataset_name(frames.field(runs, "dataset"))}, T = '
    f'{frames.field(spiking, "num_steps")}',
    panels.describe_bars(runs),
  )
  return fig


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes a table of the gains by each remedy, one row an asymmetry."""
  rows = []
  for asymmetry in _ASYMMETRIES:
    sgd, shifted, tiki_taka = _select(runs, asymmetry)
    gains = {
      'zero shifting, gain': (shifted, sgd),
      'Tiki-Taka, gain': (tiki_taka, sgd),
      'over zero shifting': (tiki_taka, shifted),
    }
    rows.append(
      {
        'up_down': f'{asymmetry:g}',
        'SGD (%)': statistics.write(statistics.percent(sgd)),
        **{
          heading: statistics.write(statistics.paired_difference(*pair))
          for heading, pair in gains.items()
        },
        'seeds': str(len(sgd)),
      }
    )
  return [pd.DataFrame(rows)]


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Compares update rules at each asymmetry, in points."""
  found = {}
  for record, runs in records.items():
    ann, _ = frames.split_baseline(runs)
    found[f'{record}_ann'] = statistics.percent(ann)
    for asymmetry in _ASYMMETRIES:
      sgd, shifted, tiki_taka = _select(runs, asymmetry)
      key = f'{record}_{asymmetry:g}'.replace('.', '_')
      compare = statistics.paired_difference
      found |= {
        f'{key}_sgd': statistics.percent(sgd),
        f'{key}_zero_shifting_gain': compare(shifted, sgd),
        f'{key}_tiki_taka_gain': compare(tiki_taka, sgd),
        f'{key}_tiki_taka_over_zero_shifting': compare(tiki_taka, shifted),
      }
  return found


def _sweeps(num_seeds):
  return tuple(Sweep(grid, num_seeds, {'num_steps': 32}) for grid in _GRIDS)


STUDY = Study(
  question=(
    'How much of the accuracy lost to update asymmetry do zero shifting and '
    'Tiki-Taka recover?'
  ),
  sweeps={'digits': _sweeps(10), 'fashion_mnist': _sweeps(5)},
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'With up steps 30 % and 60 % larger than down steps and T = 32, zero '
      'shifting gains more than 1 point of Fashion-MNIST accuracy.',
      (
        'fashion_mnist_0_3_zero_shifting_gain',
        'fashion_mnist_0_6_zero_shifting_gain',
      ),
      above=1,
    ),
    Claim(
      'With up steps 60 % larger than down steps and T = 32, Tiki-Taka with '
      'zero shifting is more accurate on Fashion-MNIST than SGD with zero '
      'shifting.',
      ('fashion_mnist_0_6_tiki_taka_over_zero_shifting',),
      above=0,
    ),
  ),
  text="""
Devices have soft bounds at `±1` and 1000 states. The up step is larger than the
down step by the fraction `up_down`. SGD writes to one device per weight; zero
shifting subtracts a reference device at the symmetry point, where up and down
steps are equal; Tiki-Taka accumulates updates on a fast array and transfers
them to a slow one, here with zero shifting too.

Zero shifting recovers most of the loss: between
{fashion_mnist_0_1_zero_shifting_gain:abs .1f} (`up_down` = 0.1) and
{fashion_mnist_0_6_zero_shifting_gain:abs .1f} points (0.6) on Fashion-MNIST,
and between {digits_0_1_zero_shifting_gain:abs .1f} and
{digits_0_6_zero_shifting_gain:abs .1f} on digits. Compared with SGD with zero
shifting, Tiki-Taka changes accuracy at the largest asymmetry by
{fashion_mnist_0_6_tiki_taka_over_zero_shifting} points on Fashion-MNIST and by
{digits_0_6_tiki_taka_over_zero_shifting} on digits, and with symmetric devices
by {fashion_mnist_0_tiki_taka_over_zero_shifting} on Fashion-MNIST. Hence use
zero shifting; Tiki-Taka is useful at large asymmetry only.

Tiki-Taka transfers 8 lines of the fast arrays after each batch, at a rate of
0.2. On held-out samples at `up_down` = 0.3, these were among the best of (2, 8,
32) lines and rates of (0.05, 0.2, 0.8) for digits, and of six pairs up to 128
lines (one seed) for Fashion-MNIST. The learning rate of the fast arrays was not
tuned.
""",
)
