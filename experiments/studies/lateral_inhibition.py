"""Winner-take-all by a race that lateral inhibition ends."""

from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_LATENCIES = (0.0, 0.001, 0.01, 0.1)
_BASE = {'num_steps': 64, 'winner': 'race'}


def _make_sweeps(**base) -> tuple[Sweep, ...]:
  """Makes sweeps over latencies for each kind of inhibition."""
  grid = {'inhibition_latency': _LATENCIES}
  base = _BASE | base
  return (
    Sweep(
      {'num_steps': (64,)}, base={k: base[k] for k in base if k != 'winner'}
    ),
    Sweep(grid, base=base),
    Sweep(grid, base=base | {'inhibition': 'adaptive'}),
    Sweep(grid, base=base | {'inhibition': 'adaptive', 'inhibition_step': 0.0}),
  )


STUDY = Study(
  question='Which lateral inhibition is fast enough for winner-take-all?',
  sweeps={
    'digits': _make_sweeps(probe_every=20),
    'fashion_mnist': _make_sweeps(probe_every=10),
  },
)
