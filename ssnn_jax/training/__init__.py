"""Training, evaluation and what is measured meanwhile."""

from ssnn_jax.training.epochs import EpochMetrics
from ssnn_jax.training.epochs import Stream
from ssnn_jax.training.epochs import TrainState
from ssnn_jax.training.epochs import init_state
from ssnn_jax.training.epochs import make_evaluate
from ssnn_jax.training.epochs import make_optimizer
from ssnn_jax.training.epochs import make_train_epoch
from ssnn_jax.training.epochs import stream_key

__all__ = (
  'EpochMetrics',
  'Stream',
  'TrainState',
  'init_state',
  'make_evaluate',
  'make_optimizer',
  'make_train_epoch',
  'stream_key',
)
