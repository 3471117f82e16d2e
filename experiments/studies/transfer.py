"""Networks trained on synthetic recordings and tested on real ones."""

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_METRICS = {
  'ssnn': comparisons.ACCURACY,
  'ssnn_minus_ann': comparisons.minus(),
}


def _numbers(records):
  (runs,) = records.values()
  ann, _ = frames.split_baseline(runs)
  return comparisons.numbers(
    ann, 'ann', {'': comparisons.ACCURACY}
  ) | comparisons.numbers(runs, '{metric}_t{num_steps}', _METRICS)


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
  figure=lambda runs: comparisons.draw_lengths(runs, margin=2),
  numbers=_numbers,
  text="""
Networks were trained on synthetic recordings of the `8 x 8` digits and tested
on `550` real recordings of N-MNIST. The ANN classifies {ann:.1f} % of the real
recordings correctly, the spiking network with 64 ticks {ssnn_t64:.1f} %, far
above the `10` % of chance and far below the accuracy of networks trained on
real recordings ([spike-train length](spike_train_length.md)). The difference
between the two networks at T = 64 is {ssnn_minus_ann_t64} points, which is
inconclusive within a margin of `2` points.

The records do not separate two causes of the gap: the simulated camera, and the
`8 x 8` digits, which vary less than the digits of MNIST.
[event_statistics](event_statistics.md) compares the recordings.
""",
)
