"""Noise of spikes along training, relative to the noise of minibatches."""

from experiments.analysis import comparisons
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
_PANELS = {
  'spike noise² /\nminibatch noise², at first': _METRICS['first'],
  'spike noise² /\nminibatch noise², at last': _METRICS['last'],
  'cosine to the gradient,\nfirst layer': comparisons.over_epochs(
    'update_cosine'
  ),
  'bias of the update,\nfirst layer': comparisons.over_epochs('update_bias'),
  'deviation of the update,\nfirst layer': comparisons.over_epochs(
    'update_deviation'
  ),
}


def _table(runs):
  return comparisons.table(runs, _PANELS)


def _draw(runs):
  """Draws the noise after the first and last epoch, and errors at the end."""
  metrics = _PANELS | {'accuracy minus\nANN (points)': _METRICS['minus_ann']}
  return comparisons.draw(runs, 'num_steps', 'sampler', metrics, 2)


def _numbers(records):
  return comparisons.numbers(
    comparisons.join(records),
    '{dataset}_{sampler}_t{num_steps}_{metric}',
    _METRICS,
  )


STUDY = Study(
  question='From which spike-train length on do spikes stop mattering?',
  sweeps={
    'digits': (Sweep(_GRID, base=_EVERY_EPOCH),),
    'fashion_mnist': (
      Sweep(_GRID, base=_EVERY_EPOCH | {'dropout': 0.1, 'weight_decay': 1e-4}),
    ),
  },
  curves=('noise_ratio', 'update_cosine', 'update_bias', 'update_deviation'),
  table=_table,
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'With low-discrepancy trains of 16 ticks, the squared error due to '
      'spikes is below half the variance of minibatch gradients at every epoch '
      'on Fashion-MNIST.',
      ('fashion_mnist_sobol_t16_largest',),
      below=0.5,
      unit='ratio',
    ),
    Claim(
      'With random trains, the same holds at T = 64.',
      ('fashion_mnist_bernoulli_t64_largest',),
      below=0.5,
      unit='ratio',
    ),
    Claim(
      'With 4 ticks, the squared error due to spikes exceeds the variance of '
      'minibatch gradients on average over seeds after the last epoch on '
      'Fashion-MNIST, with either kind of trains.',
      (
        'fashion_mnist_bernoulli_t4_last',
        'fashion_mnist_sobol_t4_last',
      ),
      above=1,
      unit='ratio',
    ),
  ),
  text="""
A minibatch of 128 samples has a noisy gradient even without spikes. The ratio
of the squared error due to spikes to the variance of the gradient of a
minibatch says whether spikes matter: far below 1, training hardly notices
them. Both are measured on the first 128 training samples after each epoch, with
8 draws of the spikes (`ssnn_jax.training.metrics.update_statistics`). Bias and
deviation are relative to the gradient of the batch.

The ratio falls with T and is nearly constant along training, although the
gradient shrinks. On Fashion-MNIST, random trains go from
{fashion_mnist_bernoulli_t4_first:.2f} to {fashion_mnist_bernoulli_t4_last:.2f}
at T = 4 and from {fashion_mnist_bernoulli_t64_first:.2f} to
{fashion_mnist_bernoulli_t64_last:.2f} at T = 64; low-discrepancy trains reach
{fashion_mnist_sobol_t16_last:.2f} at T = 16. Accuracy follows: the difference
to the ANN is {fashion_mnist_bernoulli_t64_minus_ann} points (random trains,
T = 64) and {fashion_mnist_sobol_t16_minus_ann} points (low-discrepancy trains,
T = 16). Spikes stop mattering from about T = 16 on with low-discrepancy trains,
and from about T = 64 on with random trains.
""",
)
