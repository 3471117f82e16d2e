"""Networks trained on synthetic recordings and tested on real ones."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import length_plot
from experiments.analysis import statistics
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_MARGIN = 2  # points


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy on real recordings against T."""
  return length_plot.draw(runs, _MARGIN)


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes accuracies on real recordings, and compares them with the ANN."""
  ann, spiking = frames.split_baseline(records['synthetic_events-digits'])
  found = {'ann': statistics.percent(ann)}
  for setting in frames.settings(spiking):
    t = frames.field(setting, 'num_steps')
    found[f'ssnn_t{t}'] = statistics.percent(setting)
    found[f'ssnn_minus_ann_t{t}'] = statistics.paired_difference(setting, ann)
  return found


STUDY = Study(
  question=(
    'Do networks trained on synthetic recordings classify recordings of a real '
    'event camera?'
  ),
  sweeps={
    'synthetic_events/digits': (
      Sweep(
        {'num_steps': (1, 4, 16, 64, 256)}, base={'test_dataset': 'n_mnist'}
      ),
    ),
  },
  figure=draw,
  numbers=numbers,
  text="""
Networks were trained on synthetic recordings of the `8 x 8` digits and tested
on `550` real recordings of N-MNIST. The ANN classifies {ann:.1f} % of the real
recordings correctly, the spiking network with 64 ticks {ssnn_t64:.1f} %, far
above the `10` % of chance and far below the accuracy of networks trained on
real recordings ([spike-train length](spike_train_length.md)). The difference
between the two networks at T = 64 is {ssnn_minus_ann_t64} points, which is
inconclusive within a margin of `2` points.

The records do not separate the two causes of the gap: the simulated camera, and
the digits, of which `8 x 8` ones differ less from each other than those of
MNIST. Statistics of the recordings are [compared](event_statistics.md) in
another study.
""",
)
