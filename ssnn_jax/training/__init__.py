"""The training loop, comparisons, metrics, rasters and data parallelism."""

from ssnn_jax.training import loop
from ssnn_jax.training import statistics
from ssnn_jax.training.fit import Comparison
from ssnn_jax.training.fit import FitResult
from ssnn_jax.training.fit import History
from ssnn_jax.training.fit import compare
from ssnn_jax.training.fit import fit
from ssnn_jax.training.loop import make_evaluate
from ssnn_jax.training.loop import make_train_epoch
from ssnn_jax.training.state import Stream
from ssnn_jax.training.state import TrainState
from ssnn_jax.training.state import init_state
from ssnn_jax.training.state import make_optimizer

__all__ = (
  'Comparison',
  'FitResult',
  'History',
  'Stream',
  'TrainState',
  'compare',
  'fit',
  'init_state',
  'loop',
  'make_evaluate',
  'make_optimizer',
  'make_train_epoch',
  'statistics',
)
