"""Real time compared with the tuned ANN and with the fast simulation."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep
from experiments.studies.tuned import TUNED

_FIRES = {'timing': ('realtime',), 'neuron': ('integrate_and_fire',)}
_STOCHASTIC = {'timing': ('realtime',), 'neuron': ('stochastic',)}


def _sweeps(dataset, fires, others, samplers=('sobol',)):
  """Sweeps both neurons in real time, and the fast simulation.

  Args:
    dataset: the data set.
    fires: numbers of seeds, by T, of neurons that integrate and fire.
    others: those of stochastic neurons, and of the fast simulation in windows
      of 32 ticks or T.
    samplers: samplers of their spike trains.
  """
  tuned = TUNED.get(dataset, {})
  sweeps = [
    Sweep({'num_steps': (t,), **_FIRES}, number, tuned)
    for t, number in fires.items()
  ]
  for t, number in others.items():
    buffered = {'timing': ('buffered',), 'window': (min(t, 32),)}
    sweeps += [
      Sweep({'sampler': samplers, 'num_steps': (t,), **own}, number, tuned)
      for own in (_STOCHASTIC, buffered)
    ]
  return tuple(sweeps)


_EMNIST = _sweeps('emnist47', {}, {32: 5})

STUDY = Study(
  question=(
    'How many ticks does learning in real time need to match the tuned ANN?'
  ),
  sweeps={
    'digits': _sweeps('digits', {16: 5, 64: 5}, {16: 5, 64: 5}),
    'mnist': _sweeps(
      'mnist',
      {16: 10},
      {16: 10, 32: 10, 64: 10},
      ('sobol', 'bernoulli'),
    ),
    'fashion_mnist': _sweeps(
      'fashion_mnist',
      {16: 10, 32: 10},
      {16: 10, 32: 10, 64: 5},
    ),
    'emnist47': _EMNIST,
    'emnist/balanced': _EMNIST,
    ANY: _sweeps(ANY, {16: 5, 64: 5}, {}),
  },
  base={'diagnostics': False},  # update errors are those of `fidelity`
  columns=('timing', 'neuron', 'sampler', 'window', 'num_steps'),
  rows=('timing', 'neuron', 'sampler'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)
