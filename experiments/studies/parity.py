"""Real time compared with the tuned ANN and with the fast simulation."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep
from experiments.studies.tuned import TUNED


def _sweeps(dataset, num_seeds, samplers=('sobol',)):
  """Sweeps real time, and the fast simulation in windows of 32 ticks or T.

  Args:
    dataset: the data set.
    num_seeds: the number of seeds, by T.
    samplers: samplers of spike trains.
  """
  tuned = TUNED.get(dataset, {})
  return tuple(
    Sweep({'sampler': samplers, 'num_steps': (t,), **timing}, number, tuned)
    for t, number in num_seeds.items()
    for timing in (
      {'timing': ('realtime',)},
      {'timing': ('buffered',), 'window': (min(t, 32),)},
    )
  )


_EMNIST = _sweeps('emnist47', {32: 5})
_RAMP = {'timing': ('realtime',), 'integration': ('ramp',), 'gain': (2.0,)}

STUDY = Study(
  question=(
    'How many ticks does learning in real time need to match the tuned ANN?'
  ),
  sweeps={
    'digits': _sweeps('digits', {16: 5, 64: 5}),
    'mnist': _sweeps('mnist', {16: 10, 32: 10, 64: 10}, ('sobol', 'bernoulli')),
    'fashion_mnist': (
      *_sweeps('fashion_mnist', {16: 10, 32: 10, 64: 5}),
      Sweep({'num_steps': (16, 32), **_RAMP}, 10, TUNED['fashion_mnist']),
    ),
    'emnist47': _EMNIST,
    'emnist/balanced': _EMNIST,
    ANY: _sweeps(ANY, {16: 5, 64: 5}),
  },
  base={'diagnostics': False},  # update errors are those of `fidelity`
  columns=('timing', 'integration', 'gain', 'sampler', 'window', 'num_steps'),
  rows=('timing', 'integration', 'gain', 'sampler'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)
