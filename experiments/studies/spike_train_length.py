"""Accuracy and update errors with Bernoulli trains of 1 to 256 ticks."""

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

MARGIN = 1.0  # points
_SWEEPS = (Sweep({'num_steps': (1, 4, 16, 64, 256)}),)
_DATASETS = ('digits', 'fashion_mnist', 'n_mnist', 'synthetic_events/digits')
_ERRORS = {name: comparisons.ratio(name) for name in frames.ERRORS}


def _numbers(records):
  runs = comparisons.join(records)
  _, spiking = frames.split_baseline(runs)
  name = '{dataset}_{metric}_t{num_steps}'
  found = comparisons.numbers(runs, name, {'minus_ann': comparisons.minus()})
  for t in (16, 64):
    found |= comparisons.numbers(
      spiking, f'{name}_over_t{t}', _ERRORS, num_steps=t
    )
  return found


STUDY = Study(
  question='How do accuracy and update error depend on spike-train length?',
  sweeps=dict.fromkeys(_DATASETS, _SWEEPS),
  figure=lambda runs: figures.draw_lengths(runs, MARGIN),
  numbers=_numbers,
  claims=(
    Claim(
      'With Bernoulli trains of 256 ticks, accuracy on digits and on '
      'Fashion-MNIST is within 1 point of the ANN.',
      ('digits_minus_ann_t256', 'fashion_mnist_minus_ann_t256'),
      within=MARGIN,
    ),
    Claim(
      'From 64 to 256 ticks of Bernoulli trains, the quantization error of the '
      'update halves on Fashion-MNIST (ratio 0.48 to 0.52).',
      ('fashion_mnist_quantisation_error_t256_over_t64',),
      above=0.48,
      below=0.52,
      unit='ratio',
    ),
  ),
  text="""
All networks have the default learning rate and epochs of their data set,
Bernoulli trains, and windows of at most 32 ticks. Errors are
root-mean-square distances of the update of the first 128 training samples from
the gradient of BP, relative to the gradient, at the weights of the ANN of the
same seed after its first epoch, so that only T differs. In the quantization
error the forward and the backward pass use exact rates.

The difference of Bernoulli trains to the ANN falls with T: with 16, 64 and 256
ticks it is {digits_minus_ann_t16}, {digits_minus_ann_t64} and
{digits_minus_ann_t256} points on digits, and {fashion_mnist_minus_ann_t16},
{fashion_mnist_minus_ann_t64} and {fashion_mnist_minus_ann_t256} on
Fashion-MNIST. Sobol trains need fewer ticks
([datasets](datasets.md)). From 64 to 256 ticks the quantization error on
Fashion-MNIST falls to {fashion_mnist_quantisation_error_t256_over_t64:.2f} of
its value, as T^-1/2 predicts, and the update error to
{fashion_mnist_update_error_t256_over_t64:.2f}: near a kink of the firing
function a noisy potential opens or closes the gate of the derivative wrongly,
which adds an error of order T^-1/4.

In event recordings the input spikes are given, and more ticks add none.
On N-MNIST the quantization error falls from 16 to 256 ticks to
{n_mnist_quantisation_error_t256_over_t16:.2f} of its value, on synthetic events
of digits to {synthetic_events_digits_quantisation_error_t256_over_t16:.2f},
instead of `0.25`. With 256 ticks, windows of 32 contain an eighth of a
recording; windows should be as long as the recording
([event_time](event_time.md)).
""",
)
