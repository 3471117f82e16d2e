"""The training loop, comparisons, metrics and data parallelism."""

from ssnn_jax.training import loop as loop
from ssnn_jax.training import statistics as statistics
from ssnn_jax.training.loop import make_evaluate as make_evaluate
from ssnn_jax.training.loop import make_train_epoch as make_train_epoch
from ssnn_jax.training.prediction import Prediction as Prediction
from ssnn_jax.training.prediction import predict as predict
from ssnn_jax.training.state import Stream as Stream
from ssnn_jax.training.state import TrainState as TrainState
from ssnn_jax.training.state import init_state as init_state
from ssnn_jax.training.state import make_optimizer as make_optimizer
from ssnn_jax.training.trainer import Comparison as Comparison
from ssnn_jax.training.trainer import Comparisons as Comparisons
from ssnn_jax.training.trainer import FitResult as FitResult
from ssnn_jax.training.trainer import History as History
from ssnn_jax.training.trainer import compare as compare
from ssnn_jax.training.trainer import fit as fit
