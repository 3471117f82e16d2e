"""Saturation of error spikes against gain, width and depth."""

import itertools

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_GAINS = {'gain': ((1.0,), (0.5,), (0.25,), (0.1,))}
_BASE = {'num_steps': 64, 'sampler': 'sobol'}
_METRICS = {
  'bias': comparisons.over_epochs('saturation_bias'),
  'deviation': comparisons.over_epochs('update_deviation'),
  'ratio': comparisons.over_epochs('noise_ratio'),
  'minus_ann': comparisons.minus(),
}
_LABELS = {
  'bias': 'bias by saturation,\nfirst layer',
  'deviation': 'deviation,\nfirst layer',
  'ratio': 'spike noise² /\nminibatch noise²',
  'minus_ann': figures.difference_label(),
}


def _name_networks(runs):
  """Adds a column with the number and the width of hidden layers."""
  sizes = [sizes[1:-1] for sizes in runs['layer_sizes']]
  names = [f'{len(own)}x{own[0]}' for own in sizes]
  return runs.assign(hidden=names, gain_of_errors=runs['gain'])


def _table(runs):
  metrics = {_LABELS[name]: _METRICS[name] for name in list(_METRICS)[:3]}
  return comparisons.table(runs, metrics)


def _draw(runs):
  """Draws metrics against the gain, one column for widths, one for depths."""
  _, spiking = frames.split_baseline(_name_networks(runs))
  names = spiking['hidden']
  groups = {'': names != ''}
  if names[names.str.startswith('1x')].nunique() > 1:
    groups = {
      'one hidden layer': names.str.startswith('1x'),
      'layers of 64 neurons': names.str.endswith('x64'),
    }
  cells = list(itertools.product(_LABELS, groups))
  fig, grid = figures.make(len(cells), len(groups), sharex=True, sharey='row')
  for axes, (name, group) in zip(grid, cells):
    figures.plot_metric(
      axes,
      spiking[groups[group]],
      'gain_of_errors',
      'hidden',
      _METRICS[name],
      _LABELS[name],
      runs,
      keys=sorted(set(names), key=frames.sortable),
      title=group,
    )
  figures.finish(
    fig,
    grid,
    figures.describe(runs),
    'networks: hidden layers x neurons; bias and deviation: relative to the '
    'gradient, after the last epoch',
    'mean ± standard deviation over seeds; differences: mean and 95 % '
    'confidence interval'
    if len(groups) > 1
    else '',
  )
  return fig


def _numbers(records):
  return comparisons.numbers(
    _name_networks(comparisons.join(records)),
    '{dataset}_{hidden}_gain{gain}_{metric}',
    _METRICS,
  )


def _sweep(probe_every, num_seeds, *sizes, **fields):
  varied = {name: (value,) for name, value in fields.items()}
  return Sweep(
    {'layer_sizes': sizes, **varied, **_GAINS},
    num_seeds=num_seeds,
    base=_BASE | {'probe_every': probe_every},
  )


STUDY = Study(
  question=(
    'Which gain of the error spikes does a deep or narrow network need?'
  ),
  sweeps={
    'digits': (
      _sweep(5, 20, (64, 16, 10), (64, 64, 10), (64, 256, 10)),
      _sweep(
        5, 20, (64, 64, 64, 10), (64, 64, 64, 64, 64, 10), learning_rate=0.5
      ),
      _sweep(5, 20, (64, 64, 64, 64, 64, 64, 64, 10), learning_rate=0.2),
    ),
    'fashion_mnist': (
      _sweep(
        2, 5, (784, 256, 10), (784, 204, 204, 10), (784, 177, 177, 177, 10)
      ),
      _sweep(2, 5, (784, 159, 159, 159, 159, 10), learning_rate=0.2),
    ),
  },
  curves=('saturation_bias',),
  table=_table,
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'With a gain of 1 and T = 64 on digits, saturated errors bias the update '
      'of the first layer by more than 10 % of the gradient, with six hidden '
      'layers of 64 neurons and with one of 16.',
      ('digits_6x64_gain1_bias', 'digits_1x16_gain1_bias'),
      above=0.1,
      unit='of the gradient',
    ),
    Claim(
      'With a gain of 1, Sobol trains and T = 64, accuracy is within '
      '0.5 points of the ANN with six layers of 64 neurons on digits and with '
      'four layers of 159 on Fashion-MNIST.',
      (
        'digits_6x64_gain1_minus_ann',
        'fashion_mnist_4x159_gain1_minus_ann',
      ),
      within=0.5,
    ),
  ),
  text="""
A neuron sends at most one error spike per tick: errors above 1 / gain saturate.
Saturation does not vanish with T and acts like gradient clipping. A smaller
gain saturates less and makes the update noisier. The bias is measured after the
last epoch with exact rates in the forward pass, so that saturation is its only
cause. Each network has the best learning rate of its ANN on held-out samples.

With a gain of 1, the bias of the first layer on digits is
{digits_1x256_gain1_bias:.3f} with 256 hidden neurons,
{digits_1x16_gain1_bias:.2f} with 16, and {digits_6x64_gain1_bias:.2f} with six
layers of 64. A gain of 0.25 reduces the last two to
{digits_1x16_gain0_25_bias:.3f} and {digits_6x64_gain0_25_bias:.3f}, but the
squared error due to spikes in six layers grows from
{digits_6x64_gain1_ratio:.2f} to {digits_6x64_gain0_25_ratio:.2f} of the
variance of minibatch gradients.

The noise costs more than the bias. On Fashion-MNIST, four layers of 159 are
{fashion_mnist_4x159_gain1_minus_ann} points from the ANN at a gain of 1,
{fashion_mnist_4x159_gain0_25_minus_ann} at 0.25 and
{fashion_mnist_4x159_gain0_1_minus_ann} at 0.1. With six layers of 64 on digits
the difference is {digits_6x64_gain1_minus_ann} points at a gain of 1 and
{digits_6x64_gain0_25_minus_ann} at 0.25. A gain of 1 is thus recommended; in
narrow networks of six layers 0.25 may be better.
""",
)
