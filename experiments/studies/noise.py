"""Noise of spikes along training, relative to the noise of minibatches."""

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

_GRID = {'num_steps': (4, 16, 64), 'sampler': ('bernoulli', 'sobol')}
_EVERY_EPOCH = {'num_epochs': 20, 'eval_every': 1, 'probe_every': 1}
_NAMES = {'bernoulli': 'random', 'sobol': 'low-discrepancy'}
_LINES = {4: ':', 16: '--', 64: '-'}
# Metric, title and layer (None for numbers over all weights) of each panel.
_PANELS = (
  ('noise_ratio', 'spike noise² / minibatch noise²', None),
  ('update_cosine', 'cosine to the gradient, first layer', 0),
  ('update_bias', 'bias of the update, first layer', 0),
  ('update_deviation', 'deviation of the update, first layer', 0),
)


def _curve(setting: pd.DataFrame, metric: str, layer: int | None) -> np.ndarray:
  """Returns a metric of each seed and epoch, `[S, E]`."""
  values = [curves[metric] for curves in setting['curves']]
  if layer is not None:
    values = [[layers[layer] for layers in epochs] for epochs in values]
  return np.array(values, float)


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws errors of the update over the epochs, mean over seeds."""
  _, spiking = frames.split_baseline(runs)
  fig, grid = style.make(len(_PANELS), 2, height=3.0)
  for axes, (metric, title, layer) in zip(grid, _PANELS):
    for setting in frames.settings(spiking):
      sampler = frames.field(setting, 'sampler')
      t = frames.field(setting, 'num_steps')
      values = _curve(setting, metric, layer)
      axes.plot(
        range(1, values.shape[1] + 1),
        values.mean(0),
        color=style.COLORS[_GRID['sampler'].index(sampler)],
        linestyle=_LINES[t],
        label=f'{_NAMES[sampler]} trains, T = {t}',
      )
    axes.set_title(title, fontsize=style.LETTERS)
    axes.set_xlabel('epoch')
    axes.grid(alpha=0.3)
    if metric != 'update_cosine':
      axes.set_yscale('log')
      style.set_log(axes.yaxis)
  grid[0].axhline(1, color=style.BLACK, linewidth=1, label='equal noise')
  style.legend_below(fig, [grid[0]])
  style.set_title(
    fig,
    style.dataset_name(frames.field(runs, 'dataset')),
    f'mean over {panels.describe_seeds(runs)}',
  )
  return fig


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes a table of the errors after the first and the last epoch."""
  rows = []
  for setting in frames.settings(frames.split_baseline(runs)[1]):
    ann = frames.find_baseline(setting, runs)
    row = {
      'T': str(frames.field(setting, 'num_steps')),
      'trains': _NAMES[frames.field(setting, 'sampler')],
      'minus ANN (95 %)': statistics.write(
        statistics.paired_difference(setting, ann)
      ),
    }
    for metric, title, layer in _PANELS:
      ends = _curve(setting, metric, layer)[:, [0, -1]].mean(0)
      row[title.partition(',')[0]] = ' to '.join(f'{x:.3f}' for x in ends)
    rows.append(row | {'seeds': str(len(setting))})
  return [pd.DataFrame(rows)]


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Summarizes the ratio of spike noise to minibatch noise."""
  found = {}
  for record, runs in records.items():
    for setting in frames.settings(frames.split_baseline(runs)[1]):
      sampler = _NAMES[frames.field(setting, 'sampler')].replace('-', '_')
      key = f'{record}_{sampler}_t{frames.field(setting, "num_steps")}'
      ratios = _curve(setting, 'noise_ratio', None)
      values = {
        'first': ratios[:, 0],
        'last': ratios[:, -1],
        'largest': ratios.max(1),
        'smallest': ratios.min(1),
      }
      for name, value in values.items():
        found[f'{key}_{name}'] = statistics.over_seeds(
          pd.DataFrame({name: value}), name
        )
      found[f'{key}_minus_ann'] = statistics.paired_difference(
        setting, frames.find_baseline(setting, runs)
      )
  return found


STUDY = Study(
  question='From which spike-train length on do spikes stop mattering?',
  sweeps={
    'digits': (Sweep(_GRID, base=_EVERY_EPOCH),),
    'fashion_mnist': (
      Sweep(_GRID, base=_EVERY_EPOCH | {'dropout': 0.1, 'weight_decay': 1e-4}),
    ),
  },
  curves=tuple(metric for metric, *_ in _PANELS),
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'With low-discrepancy trains of 16 ticks, the squared error due to '
      'spikes is below half the variance of minibatch gradients at every epoch '
      'on Fashion-MNIST.',
      ('fashion_mnist_low_discrepancy_t16_largest',),
      below=0.5,
      unit='ratio',
    ),
    Claim(
      'With random trains, the same holds at T = 64.',
      ('fashion_mnist_random_t64_largest',),
      below=0.5,
      unit='ratio',
    ),
    Claim(
      'With 4 ticks, the squared error due to spikes exceeds the variance of '
      'minibatch gradients on average over seeds after the last epoch on '
      'Fashion-MNIST, with either kind of trains.',
      (
        'fashion_mnist_random_t4_last',
        'fashion_mnist_low_discrepancy_t4_last',
      ),
      above=1,
      unit='ratio',
    ),
  ),
  text="""
A minibatch of 128 samples has a noisy gradient even without spikes. Spikes add
their own error. The ratio of the squared error due to spikes to the variance
of the gradient of a minibatch says whether spikes matter: far below 1, training
hardly notices them. Both are measured on the first 128 training samples after
each epoch, with 8 draws of the spikes
(`ssnn_jax.training.metrics.update_statistics`).

The ratio falls with T and is nearly constant along training, although the
gradient shrinks. On Fashion-MNIST, random trains go from
{fashion_mnist_random_t4_first:.2f} to {fashion_mnist_random_t4_last:.2f} at
T = 4, from {fashion_mnist_random_t16_first:.2f} to
{fashion_mnist_random_t16_last:.2f} at T = 16 and from
{fashion_mnist_random_t64_first:.2f} to {fashion_mnist_random_t64_last:.2f} at
T = 64; low-discrepancy trains reach
{fashion_mnist_low_discrepancy_t16_last:.2f} at T = 16 and
{fashion_mnist_low_discrepancy_t64_last:.3f} at T = 64. Accuracy follows: where
the ratio is about 0.2, the difference to the ANN is
{fashion_mnist_random_t64_minus_ann} points (random trains, T = 64) and
{fashion_mnist_low_discrepancy_t16_minus_ann} points (low-discrepancy trains,
T = 16). Spikes stop mattering from about T = 16 on with low-discrepancy trains,
and from about T = 64 on with random trains.

Bias and deviation are relative to the gradient of the batch. Most of the bias
is due to noisy potentials near the kinks of the firing function, and fades with
T; a part is due to errors that saturate ([saturation](saturation.md)).
""",
)
