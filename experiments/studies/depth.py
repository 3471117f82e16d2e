"""One to four hidden layers with equal numbers of parameters."""

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import parity

# Hidden layers of equal width, as many parameters as 784-256-10 within 0.5 %.
_SHALLOW = (
  (784, 256, 10),
  (784, 204, 204, 10),
  (784, 177, 177, 177, 10),
)
_DEEPEST = (784, 159, 159, 159, 159, 10)
_TRAINS = {'num_steps': (16, 64), 'sampler': ('bernoulli', 'sobol')}


def _find_depth(runs):
  return runs.assign(depth=[len(sizes) - 2 for sizes in runs['layer_sizes']])


def _numbers_of_realtime(records):
  runs = _find_depth(records['fashion_mnist'])
  name = 'realtime_minus_ann_t{num_steps}_depth{depth}_by_{metric}'
  return comparisons.numbers(runs, name, parity.READOUTS)


def _numbers(records):
  runs = _find_depth(records['fashion_mnist'])
  ann, _ = frames.split_baseline(runs)
  return comparisons.numbers(
    ann, 'ann_depth{depth}', {'': comparisons.ACCURACY}
  ) | comparisons.numbers(
    runs,
    '{sampler}_minus_ann_t{num_steps}_depth{depth}',
  )


_REALTIME = Study(
  sweeps={
    'fashion_mnist': tuple(
      Sweep(
        {'layer_sizes': layer_sizes, 'num_steps': (16, 64)},
        num_seeds=3,
        base={
          'timing': 'realtime',
          'sampler': 'sobol',
          'num_epochs': 5,
          'learning_rate': rate,
        },
      )
      for layer_sizes, rate in ((_SHALLOW, 0.5), ((_DEEPEST,), 0.2))
    )
  },
  numbers=_numbers_of_realtime,
  text="""
In real time a spike passes one layer in a tick, so that with four hidden layers
the first errors reach the first layer of weights after nine ticks, and its
synapses count coincidences only from then on. Networks learn for 5 epochs with
Sobol trains, with the learning rates above. With one to four hidden layers and
`16` ticks the differences to the ANN of the same depth are
{realtime_minus_ann_t16_depth1_by_counts},
{realtime_minus_ann_t16_depth2_by_counts},
{realtime_minus_ann_t16_depth3_by_counts} and
{realtime_minus_ann_t16_depth4_by_counts} points; with `64` ticks
{realtime_minus_ann_t64_depth1_by_counts},
{realtime_minus_ann_t64_depth2_by_counts},
{realtime_minus_ann_t64_depth3_by_counts} and
{realtime_minus_ann_t64_depth4_by_counts}. With the ANN readout of the learned
weights, four hidden layers are {realtime_minus_ann_t16_depth4_by_ann} and
{realtime_minus_ann_t64_depth4_by_ann} points from their ANN.

Unlike in the fast simulation, each hidden layer thus costs accuracy, and needs
more ticks. The errors of updates grow with depth: forward and error spikes of a
layer are those of currents that are still settling.
""",
)
STUDY = Study(
  question='Does accuracy fall behind the ANN as networks become deeper?',
  sweeps={
    'fashion_mnist': (
      Sweep({'layer_sizes': _SHALLOW, **_TRAINS}),
      Sweep({'layer_sizes': (_DEEPEST,), 'learning_rate': (0.2,), **_TRAINS}),
    ),
  },
  numbers=_numbers,
  parts={'realtime': _REALTIME},
  claims=(
    Claim(
      'With one to four hidden layers and Sobol trains of 64 ticks, '
      'Fashion-MNIST accuracy is within 1 point of the ANN of the same depth.',
      tuple(f'sobol_minus_ann_t64_depth{depth}' for depth in range(1, 5)),
      within=1,
    ),
    Claim(
      'With one to four hidden layers and Sobol trains of 64 ticks in real '
      'time, Fashion-MNIST accuracy is within 1 point of the ANN of the same '
      'depth.',
      tuple(
        f'realtime_minus_ann_t64_depth{depth}_by_counts'
        for depth in range(1, 5)
      ),
      within=1,
    ),
  ),
  text="""
Networks have one to four hidden layers of equal width, with as many parameters
as 784-256-10 within half a percent. Each depth has the learning rate that is
best for its ANN on held-out images: 0.5, and 0.2 with four hidden layers
([tuning](tuning.md)).

With Sobol trains depth costs at most a few tenths of a point. With 64
ticks the difference to the ANN of the same depth is
{sobol_minus_ann_t64_depth1} points with one hidden layer, and
{sobol_minus_ann_t64_depth2}, {sobol_minus_ann_t64_depth3} and
{sobol_minus_ann_t64_depth4} with two to four. With Bernoulli trains of 16 ticks
the difference is {bernoulli_minus_ann_t16_depth1} with one and
{bernoulli_minus_ann_t16_depth4} with four. Depth does not improve the ANN
either: {ann_depth1} % with one and {ann_depth4} % with four hidden layers.
""",
)
