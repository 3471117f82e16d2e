"""Real time, all layers at once, beside the buffered simulation."""

from experiments.analysis.study import Study
from experiments.config.grids import Sweep

# Windows of each T that leave time for errors to return.
_WINDOWS = {16: (1, 2, 4), 64: (1, 2, 4, 8, 16), 256: (1, 4, 16)}
_TIMINGS = ('realtime', 'buffered')


def _make_sweep(t, windows, num_seeds=5, timings=_TIMINGS, **base):
  grid = {'timing': timings, 'window': windows}
  return Sweep(grid, num_seeds, {'num_steps': t} | base)


STUDY = Study(
  question='What does it cost to learn in real time, without buffers?',
  sweeps={
    'digits': (
      *(
        _make_sweep(t, windows, probe_every=20)
        for t, windows in _WINDOWS.items()
      ),
      _make_sweep(
        64,
        (1, 8, 16),
        layer_sizes=(64, 32, 10),
        num_epochs=1,
        probe_every=1,
        probe_draws=32,
      ),
    ),
    'n_mnist': (_make_sweep(64, (1, 2, 4, 8)),),
    'fashion_mnist': (
      Sweep({'num_steps': (16, 64, 256)}, base={'probe_every': 10}),
      *(
        _make_sweep(t, windows, num_seeds, ('realtime',), probe_every=10)
        for t, windows, num_seeds in (
          (16, (1,), 5),
          (64, (1,), 5),
          (256, (1,), 3),
        )
      ),
    ),
  },
)
