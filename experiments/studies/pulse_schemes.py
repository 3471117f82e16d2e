"""One pulse per coincidence compared with pulses scaled to a learning rate."""

from experiments.analysis import comparisons
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep


def _numbers(records):
  return comparisons.numbers(
    comparisons.join(records),
    '{dataset}_{pulse_scheme}_minus_scaled_t{num_steps}',
    pulse_scheme='scaled',
  )


def _sweep(dw_min, num_seeds):
  grid = {
    'method': ('ssnn',),
    'device': ('custom',),
    'w_max': (1.0,),
    'w_min': (-1.0,),
    'dw_min': (dw_min,),
    'pulse_scheme': ('scaled', 'single'),
    'num_steps': (4, 16, 64, 256),
  }
  return (Sweep(grid, num_seeds),)


STUDY = Study(
  question=(
    'Does training need pulses scaled to the learning rate, or does one pulse '
    'per coincidence suffice?'
  ),
  sweeps={
    'digits': _sweep(0.0005, 10),
    'fashion_mnist': _sweep(0.0001, 3),
  },
  numbers=_numbers,
  claims=(
    Claim(
      'With one pulse of fixed size per coincidence, digits accuracy at '
      'T = 256 is more than 50 points lower than with scaled pulses.',
      ('digits_single_minus_scaled_t256',),
      below=-50,
    ),
  ),
  text="""
Devices have bounds at `±1` and pulses of size `0.0005` (digits) or `0.0001`
(Fashion-MNIST). With `scaled`, coincidences are thinned or repeated, so that
pulses sum to the step of the learning rate at any T. With `single`, each
coincidence is one pulse: the effective learning rate is the pulse size times T
times the batch size, and equals that of the ANN at T = 64 for digits and at
T = 40 for Fashion-MNIST.

Single minus scaled is {digits_single_minus_scaled_t64} points with 64 ticks on
digits, and {fashion_mnist_single_minus_scaled_t16} with 16 ticks on
Fashion-MNIST. With more ticks training is unstable:
{digits_single_minus_scaled_t256} points on digits and
{fashion_mnist_single_minus_scaled_t256} on Fashion-MNIST at T = 256. A chip
that writes every coincidence cannot choose T freely: the pulse size limits T.
""",
)
