"""Saturation of error spikes against gain, width and depth."""

from collections.abc import Iterator
from collections.abc import Mapping

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_GAINS = {'gain': ((1.0,), (0.5,), (0.25,), (0.1,))}
_BASE = {'num_steps': 64, 'sampler': 'sobol'}


def _last(setting: pd.DataFrame, metric: str) -> statistics.Number:
  """Summarizes the last value of a metric, of the first layer if of layers."""
  values = [np.ravel(curves[metric][-1])[0] for curves in setting['curves']]
  return statistics.over_seeds(pd.DataFrame({metric: values}), metric)


def _networks(runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
  """Yields the hidden layers of each network, as text, and its runs."""
  _, spiking = frames.split_baseline(runs)
  for sizes in sorted(set(spiking['layer_sizes']), key=frames.sortable):
    hidden = sizes[1:-1]
    name = f'{len(hidden)} × {hidden[0]}'
    yield name, frames.select(spiking, layer_sizes=sizes)


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws bias, deviation and accuracy against the gain of the errors."""
  fig, grid = style.make(4, 2, height=3.0)
  networks = list(_networks(runs))
  for index, (name, own) in enumerate(networks):
    settings = frames.settings(own)
    gains = [frames.field(setting, 'gain')[0] for setting in settings]
    look = {
      'color': style.COLORS[index],
      'marker': style.MARKERS[index],
      'label': f'{name} hidden neurons',
    }
    metrics = ('saturation_bias', 'update_deviation', 'noise_ratio')
    for axes, metric in zip(grid, metrics):
      values = [_last(setting, metric) for setting in settings]
      curve = panels.plot_numbers(axes, gains, values, **look)
      style.shift_curve(curve, index, len(networks))
    curve = panels.plot_differences(
      grid[3], gains, settings, frames.find_baseline(settings[0], runs), **look
    )
    style.shift_curve(curve, index, len(networks))
  titles = (
    'bias by saturation, first layer',
    'deviation, first layer',
    'spike noise² / minibatch noise²',
    'accuracy minus ANN (points)',
  )
  for axes, title in zip(grid, titles):
    axes.set_title(title, fontsize=style.LETTERS)
    axes.set_xscale('log')
    axes.set_xticks([0.1, 0.25, 0.5, 1.0], ['0.1', '0.25', '0.5', '1'])
    axes.minorticks_off()
    axes.margins(x=0.15)
    axes.set_xlabel('gain of the errors')
    axes.grid(alpha=0.3)
  grid[3].axhline(0, color=style.BLACK, linewidth=1)
  style.legend_below(fig, [grid[0]])
  style.set_title(
    fig,
    f'{style.dataset_name(frames.field(runs, "dataset"))}, after training, '
    'low-discrepancy trains, T = 64',
    f'mean and standard deviation over {panels.describe_seeds(runs)}; of '
    'differences to the ANN the 95 % interval',
  )
  return fig


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes a table of bias, deviation and accuracy by network and gain."""
  rows = []
  for name, own in _networks(runs):
    for setting in frames.settings(own):
      ann = frames.find_baseline(setting, runs)
      form = 'both .3f'
      rows.append(
        {
          'hidden': name,
          'gain': str(frames.field(setting, 'gain')[0]),
          'learning rate': str(frames.field(setting, 'learning_rate')),
          **{
            metric.replace('_', ' '): statistics.write(
              _last(setting, metric), form
            )
            for metric in (
              'saturation_bias',
              'update_bias',
              'update_deviation',
              'noise_ratio',
            )
          },
          'ANN': statistics.write(statistics.percent(ann)),
          'minus ANN (95 %)': statistics.write(
            statistics.paired_difference(setting, ann)
          ),
          'seeds': str(len(setting)),
        }
      )
  return [pd.DataFrame(rows)]


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Summarizes the bias by saturation, and its effect on accuracy."""
  found = {}
  for record, runs in records.items():
    for name, own in _networks(runs):
      by_gain = {
        frames.field(setting, 'gain')[0]: setting
        for setting in frames.settings(own)
      }
      for gain, setting in by_gain.items():
        key = f'{record}_{name.replace(" × ", "x")}_gain{gain:g}'
        key = key.replace('.', '')
        found[f'{key}_bias'] = _last(setting, 'saturation_bias')
        found[f'{key}_deviation'] = _last(setting, 'update_deviation')
        found[f'{key}_ratio'] = _last(setting, 'noise_ratio')
        ann = frames.find_baseline(setting, runs)
        found[f'{key}_minus_ann'] = statistics.paired_difference(setting, ann)
  return found


_DIGITS = {
  'shallow': ((64, 16, 10), (64, 64, 10), (64, 256, 10)),
  'deep': ((64, 64, 64, 10), (64, 64, 64, 64, 64, 10)),
  'deepest': ((64, 64, 64, 64, 64, 64, 64, 10),),
}
_FASHION = {
  'shallow': (
    (784, 256, 10),
    (784, 204, 204, 10),
    (784, 177, 177, 177, 10),
  ),
  'deep': ((784, 159, 159, 159, 159, 10),),
}


def _sweep(sizes, probe_every, num_seeds, **fields):
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
      _sweep(_DIGITS['shallow'], 5, 20),
      _sweep(_DIGITS['deep'], 5, 20, learning_rate=0.5),
      _sweep(_DIGITS['deepest'], 5, 20, learning_rate=0.2),
    ),
    'fashion_mnist': (
      _sweep(_FASHION['shallow'], 2, 5),
      _sweep(_FASHION['deep'], 2, 5, learning_rate=0.2),
    ),
  },
  curves=('saturation_bias',),
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'With a gain of 1, error spikes that saturate bias the update of the '
      'first layer by more than 10 % of the gradient, in a trained network of '
      'six layers of 64 neurons and in one of a single layer of 16 on digits.',
      ('digits_6x64_gain1_bias', 'digits_1x16_gain1_bias'),
      above=0.1,
      unit='of the gradient',
    ),
    Claim(
      'With a gain of 0.25, the bias by saturation is below 10 % of the '
      'gradient in the same networks.',
      ('digits_6x64_gain025_bias', 'digits_1x16_gain025_bias'),
      below=0.1,
      unit='of the gradient',
    ),
    Claim(
      'With a gain of 1, low-discrepancy trains and T = 64, accuracy is within '
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
An error spike per tick is the most that a neuron can send: errors above
1 / gain saturate, which does not fade with T and acts like the clipping of
gradients. A smaller gain saturates less and makes the update noisier, because
fewer error spikes carry it. The bias is measured with the forward pass on exact
rates, where saturation is its only cause, after the last epoch; 8 draws of the
spikes resolve a bias of about 0.1 where the deviation is near 1. Each network
has the learning rate that did best for its ANN on held-out samples.

With a gain of 1, the bias of the first layer on digits is
{digits_1x256_gain1_bias:.3f} with 256 hidden neurons,
{digits_1x64_gain1_bias:.2f} with 64, {digits_1x16_gain1_bias:.2f} with 16, and
{digits_6x64_gain1_bias:.2f} with six layers of 64. A gain of 0.25 brings the
last two to {digits_1x16_gain025_bias:.3f} and {digits_6x64_gain025_bias:.3f},
and raises the deviation of the update in six layers from
{digits_6x64_gain1_deviation:.2f} to {digits_6x64_gain025_deviation:.2f}: the
squared error due to spikes grows from {digits_6x64_gain1_ratio:.2f} to
{digits_6x64_gain025_ratio:.2f} of the variance of minibatch gradients.

The noise costs more than the bias. With six layers on digits, the difference to
the ANN is {digits_6x64_gain1_minus_ann} points at a gain of 1. On
Fashion-MNIST, four layers of 159 are {fashion_mnist_4x159_gain1_minus_ann}
points from the ANN at a gain of 1, {fashion_mnist_4x159_gain025_minus_ann} at
0.25 and {fashion_mnist_4x159_gain01_minus_ann} at 0.1.

**Advice.** Keep a gain of 1, also in deep networks. Only for layers of about 16
neurons is the update itself better at 0.25 to 0.5: there the squared error is
{digits_1x16_gain1_ratio:.2f} of the minibatch variance at a gain of 1, and
{digits_1x16_gain025_ratio:.2f} at 0.25, though accuracy shows no difference.
""",
)
