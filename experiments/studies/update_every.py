"""Updates within the presentation, compared with updates after it."""

from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_GRID = {'update_every': ('presentation', 'window'), 'num_steps': (64,)}

STUDY = Study(
  question='Does it matter if weights move within the presentation?',
  sweeps={
    'digits': tuple(
      Sweep(
        _GRID,
        base={
          'timing': 'realtime',
          'num_epochs': 10,
          'batch_size': size,
          'learning_rate': size / 32,
        },
      )
      for size in (1, 32)
    ),
  },
)
