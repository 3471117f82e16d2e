"""Real time compared with the tuned ANN and with the fast simulation."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep
from experiments.studies.tuned import TUNED

_FIRES = {'timing': ('realtime',), 'neuron': ('integrate_and_fire',)}
_STOCHASTIC = {'timing': ('realtime',), 'neuron': ('stochastic',)}


def _sweeps(dataset, fires, buffered, stochastic=None, samplers=('sobol',)):
  """Sweeps both neurons in real time, and the fast simulation.

  Args:
    dataset: the data set.
    fires: numbers of seeds, by T, of neurons that integrate and fire.
    buffered: those of the fast simulation, in windows of 32 ticks or T.
    stochastic: those of stochastic neurons.
    samplers: samplers of the fast simulation and of stochastic neurons.
  """
  tuned = TUNED.get(dataset, {})

  def sweep(t, number, **grid):
    return Sweep({'num_steps': (t,), **grid}, number, tuned)

  return (
    *(sweep(t, number, **_FIRES) for t, number in fires.items()),
    *(
      sweep(t, number, sampler=samplers, **_STOCHASTIC)
      for t, number in (stochastic or {}).items()
    ),
    *(
      sweep(
        t, number, sampler=samplers, timing=('buffered',), window=(min(t, 32),)
      )
      for t, number in buffered.items()
    ),
  )


_EMNIST = _sweeps('emnist47', {16: 10, 32: 10}, {32: 5}, {32: 5})

STUDY = Study(
  question=(
    'How many ticks does learning in real time need to match the tuned ANN?'
  ),
  sweeps={
    'digits': _sweeps('digits', {16: 5, 32: 5}, {16: 5}),
    'mnist': _sweeps(
      'mnist',
      {8: 10, 16: 10, 32: 10},
      {16: 10, 32: 10, 64: 10},
      {16: 10, 32: 10, 64: 10},
      ('sobol', 'bernoulli'),
    ),
    'fashion_mnist': _sweeps(
      'fashion_mnist',
      {8: 10, 16: 10, 32: 10, 64: 10},
      {16: 10, 32: 10, 64: 5},
      {16: 10, 32: 10, 64: 5},
    ),
    'emnist47': _EMNIST,
    'emnist/balanced': _EMNIST,
    ANY: _sweeps(ANY, {16: 5, 64: 5}, {16: 5, 64: 5}),
  },
  base={'diagnostics': False},  # update errors are those of `fidelity`
  columns=('timing', 'neuron', 'sampler', 'window', 'num_steps'),
  rows=('timing', 'neuron'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
  shown={'sampler': 'sobol'},  # the others are in the CSV file
)
