"""Error spikes of the output layer: winner, exact softmax or hard argmax."""

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_STEPS = (4, 16, 64)
_GRID = {'output_errors': ('winner', 'softmax', 'argmax'), 'num_steps': _STEPS}
_METRICS = {
  '': comparisons.minus(),
  '_by_ann': comparisons.minus('test_accuracy_rate'),
}


def _draw(runs):
  """Draws the ANN readout, as argmax has no useful spike counts."""
  return figures.draw_grid(runs, 'test_accuracy_rate')


def _numbers(records):
  _, spiking = frames.split_baseline(comparisons.join(records))
  found = {}
  for errors in ('softmax', 'winner'):
    name = f'{{dataset}}_{{output_errors}}_minus_{errors}_t{{num_steps}}'
    found |= comparisons.numbers(
      spiking, name + '{metric}', _METRICS, output_errors=errors
    )
  return found


STUDY = Study(
  question=(
    'Can the winner of each tick replace an exact softmax in the errors of the '
    'output layer?'
  ),
  sweeps={
    'digits': (Sweep(_GRID, num_seeds=10),),
    'fashion_mnist': (Sweep(_GRID),),
  },
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'With Bernoulli trains of 4, 16 and 64 ticks, Fashion-MNIST accuracy '
      'with winner-take-all errors is within 1 point of errors of the exact '
      'softmax.',
      tuple(f'fashion_mnist_winner_minus_softmax_t{t}' for t in _STEPS),
      within=1,
    ),
    Claim(
      'With 4, 16 and 64 ticks, errors of a hard argmax cost more than 3 '
      'points of Fashion-MNIST accuracy compared with winner-take-all errors, '
      'with the ANN readout.',
      tuple(f'fashion_mnist_argmax_minus_winner_t{t}_by_ann' for t in _STEPS),
      below=-3,
    ),
  ),
  text="""
`winner` compares the winner of each tick with the target. `softmax` samples the
exact errors, softmax(v) minus target. With `argmax` the class of highest
potential wins all ticks of a window, without noise, as in the perceptron rule;
its potentials are not log-probabilities, so compare the ANN readout.

On Fashion-MNIST the winner is as accurate as the exact softmax, without its
arithmetic: the differences are {fashion_mnist_winner_minus_softmax_t4},
{fashion_mnist_winner_minus_softmax_t16} and
{fashion_mnist_winner_minus_softmax_t64} points with 4, 16 and 64 ticks. On
digits they are {digits_winner_minus_softmax_t4},
{digits_winner_minus_softmax_t16} and {digits_winner_minus_softmax_t64}. The
noise of the race makes the winner a sample of the softmax: without noise the
accuracy on Fashion-MNIST with the ANN readout changes by
{fashion_mnist_argmax_minus_winner_t4_by_ann} points with 4 ticks and
{fashion_mnist_argmax_minus_winner_t64_by_ann} with 64.
""",
)
