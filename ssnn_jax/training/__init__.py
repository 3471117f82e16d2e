"""The training loop, comparisons, metrics, rasters and data parallelism."""

from ssnn_jax.training import activity
from ssnn_jax.training import loop
from ssnn_jax.training import raster
from ssnn_jax.training import statistics
from ssnn_jax.training.comparison import Comparison
from ssnn_jax.training.comparison import compare
from ssnn_jax.training.fit import FitResult
from ssnn_jax.training.fit import History
from ssnn_jax.training.fit import fit
from ssnn_jax.training.loop import make_evaluate
from ssnn_jax.training.loop import make_train_epoch
from ssnn_jax.training.state import Stream
from ssnn_jax.training.state import TrainState
from ssnn_jax.training.state import init_state
from ssnn_jax.training.state import make_optimizer
from ssnn_jax.training.state import stream_key

__all__ = (
  'Comparison',
  'FitResult',
  'History',
  'Stream',
  'TrainState',
  'activity',
  'compare',
  'fit',
  'init_state',
  'loop',
  'make_evaluate',
  'make_optimizer',
  'make_train_epoch',
  'raster',
  'statistics',
  'stream_key',
)
