"""Accuracy and errors of updates for spike trains of several lengths."""

from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_SWEEPS = (Sweep({'num_steps': (1, 4, 16, 64, 256)}),)

STUDY = Study(
  question='How long must spike trains be for the accuracy of the ANN?',
  sweeps={
    'digits': _SWEEPS,
    'fashion_mnist': _SWEEPS,
    'n_mnist': _SWEEPS,
    'synthetic_events/digits': _SWEEPS,
  },
)
