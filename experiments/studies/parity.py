"""Both neurons compared with the tuned ANN, over spike-train length."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep
from experiments.studies.tuned import TUNED


def _sweeps(dataset, bipolar, stochastic, num_seeds=10):
  """Sweeps T of bipolar and of stochastic neurons."""
  tuned = TUNED.get(dataset, {})
  lengths = {'bipolar': bipolar, 'stochastic': stochastic}
  return tuple(
    Sweep({'neuron': (neuron,), 'num_steps': steps}, num_seeds, tuned)
    for neuron, steps in lengths.items()
  )


_EMNIST = _sweeps('emnist47', (4, 8, 16), (16,), 5)

STUDY = Study(
  question=(
    'How many ticks does learning in real time need to match the tuned ANN?'
  ),
  sweeps={
    'digits': _sweeps('digits', (8, 16), (16,), 5),
    'mnist': _sweeps('mnist', (2, 4, 8, 16), (16, 64)),
    'fashion_mnist': _sweeps('fashion_mnist', (2, 4, 8, 16, 32), (16, 64)),
    'emnist47': _EMNIST,
    'emnist/balanced': _EMNIST,
    ANY: _sweeps(ANY, (8, 16), (16,), 5),
  },
  base={'diagnostics': False},  # update errors are those of `fidelity`
  columns=('neuron', 'num_steps'),
  rows=('neuron',),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)
