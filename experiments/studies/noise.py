"""Spike noise relative to minibatch noise during training."""

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_GRID = {'num_steps': (4, 16, 64), 'sampler': ('bernoulli', 'sobol')}
_EVERY_EPOCH = {'num_epochs': 20, 'eval_every': 1, 'probe_every': 1}
_METRICS = {
  'first': comparisons.over_epochs('noise_ratio', lambda values: values[0]),
  'last': comparisons.over_epochs('noise_ratio'),
  'largest': comparisons.over_epochs('noise_ratio', max),
  'minus_ann': comparisons.minus(),
}
_QUANTITIES = {
  'noise_ratio': 'spike noise² / minibatch noise²',
  'update_cosine': 'cosine to the gradient, first layer',
  'update_bias': 'bias / |gradient|, first layer',
  'update_deviation': 'deviation / |gradient|, first layer',
}
_LINES = {4: ':', 16: '--', 64: '-'}


def _table(runs):
  metrics = {
    f'{name.rpartition("_")[2]}, {when}': comparisons.over_epochs(name, choose)
    for name in _QUANTITIES
    for when, choose in (
      ('first', lambda values: values[0]),
      ('last', comparisons.last),
    )
  }
  title = (
    'ratio: spike noise² / minibatch noise²; of the first layer: cosine with\n'
    'the gradient, bias and deviation / |gradient|; at the first and last epoch'
  )
  return grid_table.set_titles({title: comparisons.table(runs, metrics)[0]})


def _draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws errors of the update over the epochs, means over seeds."""
  _, spiking = frames.split_baseline(runs)
  fig, grid = figures.make(len(_QUANTITIES), 2, height=3.0)
  for axes, (name, label) in zip(grid, _QUANTITIES.items()):
    for setting in frames.settings(spiking):
      t, sampler = (frames.field(setting, key) for key in _GRID)
      epochs = [
        [np.ravel(value)[0] for value in curves[name]]
        for curves in setting['curves']
      ]
      axes.plot(
        range(1, len(epochs[0]) + 1),
        np.mean(epochs, 0),
        color=figures.COLORS[_GRID['sampler'].index(sampler)],
        linestyle=_LINES[t],
        label=f'{figures.TRAINS[sampler]}, T = {t}',
      )
    axes.set_xlabel('epoch')
    axes.set_ylabel(label)
    if name != 'update_cosine':
      figures.set_log(axes.yaxis)
  grid[0].axhline(1, color=figures.BLACK, linewidth=1, label='equal noise')
  figures.finish(
    fig, grid, f'{figures.describe(runs)}: errors of updates, means over seeds'
  )
  return fig


def _numbers(records):
  return comparisons.numbers(
    comparisons.join(records),
    '{dataset}_{sampler}_t{num_steps}_{metric}',
    _METRICS,
  )


STUDY = Study(
  question='From which T on is spike noise small relative to minibatch noise?',
  sweeps={
    'digits': (Sweep(_GRID, base=_EVERY_EPOCH),),
    'fashion_mnist': (
      Sweep(_GRID, base=_EVERY_EPOCH | {'dropout': 0.1, 'weight_decay': 1e-4}),
    ),
  },
  curves=tuple(_QUANTITIES),
  table=_table,
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'With Sobol trains of 16 ticks, the squared error due to '
      'spikes is below half the variance of minibatch gradients at every epoch '
      'on Fashion-MNIST.',
      ('fashion_mnist_sobol_t16_largest',),
      below=0.5,
      unit='ratio',
    ),
    Claim(
      'With Bernoulli trains of 64 ticks, the squared error due to spikes is '
      'below half the variance of minibatch gradients at every epoch on '
      'Fashion-MNIST.',
      ('fashion_mnist_bernoulli_t64_largest',),
      below=0.5,
      unit='ratio',
    ),
  ),
  text="""
A minibatch of 128 samples has a noisy gradient even without spikes. The ratio
of the squared error due to spikes to the variance of the gradient of a
minibatch predicts the effect of spikes on training: far below 1 it is small.
Both are measured on the first 128 training samples after each epoch, with
8 draws of the spikes (`ssnn_jax.training.metrics.update_statistics`). Bias and
deviation are relative to the gradient of the batch.

The ratio falls with T. On Fashion-MNIST it is nearly constant along training,
although the gradient shrinks: Bernoulli trains go from
{fashion_mnist_bernoulli_t4_first:.2f} to {fashion_mnist_bernoulli_t4_last:.2f}
at T = 4 and from {fashion_mnist_bernoulli_t64_first:.2f} to
{fashion_mnist_bernoulli_t64_last:.2f} at T = 64; Sobol trains reach
{fashion_mnist_sobol_t16_last:.2f} at T = 16. Accuracy follows: the difference
to the ANN is {fashion_mnist_bernoulli_t64_minus_ann} points (Bernoulli trains,
T = 64) and {fashion_mnist_sobol_t16_minus_ann} points (Sobol trains,
T = 16). Spikes hardly affect training from about T = 16 on with Sobol
trains, and from about T = 64 on with Bernoulli trains, whose difference to the
ANN is mostly noise of the readout ([datasets](datasets.md)).
""",
)
