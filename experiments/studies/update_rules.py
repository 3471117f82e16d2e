"""Updates of resistive devices: zero shifting, Tiki-Taka, single pulses."""

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_SOFT_BOUNDS = {
  'device': ('custom',),
  'w_max': (1.0,),
  'w_min': (-1.0,),
  'dw_min': (0.002,),
  'gamma_up': (1.0,),
  'gamma_down': (1.0,),
  'zero_shifting': (True,),
  'up_down': (0.0, 0.1, 0.3, 0.6),
}
_GRIDS = (
  _SOFT_BOUNDS,
  _SOFT_BOUNDS | {'zero_shifting': (False,)},
  _SOFT_BOUNDS | {'update_rule': ('tiki_taka',)},
)


def _numbers(records):
  _, runs = frames.split_baseline(comparisons.join(records))
  shifted = runs['zero_shifting'].map({False: 'sgd', True: 'zero_shifting'})
  is_sgd = runs['update_rule'] == 'sgd'
  runs = runs.assign(rule=shifted.where(is_sgd, 'tiki_taka'))
  found = {}
  for rule in ('sgd', 'zero_shifting'):
    name = '{dataset}_{up_down}_{rule}_minus_' + rule
    found |= comparisons.numbers(runs, name, rule=rule)
  return found


def _sweeps(num_seeds):
  return tuple(Sweep(grid, num_seeds, {'num_steps': 32}) for grid in _GRIDS)


def _numbers_of_pulses(records):
  return comparisons.numbers(
    comparisons.join(records),
    '{dataset}_{pulse_scheme}_minus_scaled_t{num_steps}',
    pulse_scheme='scaled',
  )


def _sweep_pulses(dw_min, num_seeds):
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


_PULSES = Study(
  sweeps={
    'digits': _sweep_pulses(0.0005, 10),
    'fashion_mnist': _sweep_pulses(0.0001, 3),
  },
  numbers=_numbers_of_pulses,
  text="""
Devices have bounds at `±1` and pulses of size `0.0005` (digits) or `0.0001`
(Fashion-MNIST). With `scaled`, coincidences are thinned or repeated, so that
pulses sum to the step of the learning rate at any T. With `single`, each
coincidence is one pulse: the effective learning rate is the pulse size times T
times the batch size, and equals that of the ANN at T = 64 for digits and at T =
40 for Fashion-MNIST.

Single minus scaled is {digits_single_minus_scaled_t64} points with 64 ticks on
digits, and {fashion_mnist_single_minus_scaled_t16} with 16 ticks on
Fashion-MNIST. With more ticks training is unstable:
{digits_single_minus_scaled_t256} points on digits and
{fashion_mnist_single_minus_scaled_t256} on Fashion-MNIST at T = 256. A chip
that writes every coincidence cannot choose T freely: the pulse size limits T.
""",
)
STUDY = Study(
  question=(
    'Which updates do asymmetric devices need: zero shifting or Tiki-Taka, and '
    'scaled or single pulses?'
  ),
  parts={'pulse_schemes': _PULSES},
  sweeps={'digits': _sweeps(10), 'fashion_mnist': _sweeps(5)},
  numbers=_numbers,
  claims=(
    Claim(
      'With up steps 30 % and 60 % larger than down steps and T = 32, zero '
      'shifting gains more than 1 point of Fashion-MNIST accuracy.',
      (
        'fashion_mnist_0_3_zero_shifting_minus_sgd',
        'fashion_mnist_0_6_zero_shifting_minus_sgd',
      ),
      above=1,
    ),
    Claim(
      'With up steps 60 % larger than down steps and T = 32, Tiki-Taka with '
      'zero shifting is more accurate on Fashion-MNIST than SGD with zero '
      'shifting.',
      ('fashion_mnist_0_6_tiki_taka_minus_zero_shifting',),
      above=0,
    ),
    Claim(
      'With one pulse of fixed size per coincidence, digits accuracy at '
      'T = 256 is more than 50 points lower than with scaled pulses.',
      ('digits_single_minus_scaled_t256',),
      below=-50,
    ),
  ),
  text="""
Devices have soft bounds at `±1` and 1000 states. The up step is larger than the
down step by the fraction `up_down`. SGD writes to one device per weight; zero
shifting subtracts a reference device at the symmetry point, where up and down
steps are equal; Tiki-Taka accumulates updates on a fast array and transfers
them to a slow array: 8 lines after each batch at a rate of 0.2, values among
the best on held-out samples. Tiki-Taka uses zero shifting, too.

Zero shifting recovers most of the loss: between
{fashion_mnist_0_1_zero_shifting_minus_sgd:abs .1f} (`up_down` = 0.1) and
{fashion_mnist_0_6_zero_shifting_minus_sgd:abs .1f} points (0.6) on
Fashion-MNIST, and between {digits_0_1_zero_shifting_minus_sgd:abs .1f} and
{digits_0_6_zero_shifting_minus_sgd:abs .1f} on digits. Compared with SGD with
zero shifting, Tiki-Taka changes accuracy at the largest asymmetry by
{fashion_mnist_0_6_tiki_taka_minus_zero_shifting} points on Fashion-MNIST and by
{digits_0_6_tiki_taka_minus_zero_shifting} on digits, and with symmetric devices
by {fashion_mnist_0_tiki_taka_minus_zero_shifting} on Fashion-MNIST. Zero
shifting is thus recommended; Tiki-Taka is useful at large asymmetry only.
""",
)
