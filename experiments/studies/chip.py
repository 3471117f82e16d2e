"""All parts of a chip at once, added one by one."""

from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_T = 64
_LATENCY = 0.01
# Each step is added to those before it.
_STEPS = {
  'real time': {'timing': 'realtime'},
  'race': {
    'winner': 'race',
    'inhibition': 'adaptive',
    'inhibition_latency': _LATENCY,
  },
  'batch of 1': {'batch_size': 1, 'learning_rate': 1 / 32},
  'updates at once': {'update_every': 'window'},
  'devices': {'device': 'gokmen_vlasov'},
}


def _make_sweeps(num_seeds: int, **base) -> tuple[Sweep, ...]:
  """Makes a sweep for the buffered simulation, then for each added step."""
  settings = [{'num_steps': _T} | base]
  for step in _STEPS.values():
    settings.append(settings[-1] | step)
  return tuple(Sweep({}, num_seeds, setting) for setting in settings)


STUDY = Study(
  question='How accurate is learning with all parts of a chip at once?',
  sweeps={'digits': _make_sweeps(5, num_epochs=10)},
)
