"""Spiking networks that learn by backpropagation with spikes alone."""

from ssnn_jax import activity
from ssnn_jax import bp_stdp
from ssnn_jax import checkpoints
from ssnn_jax import cost
from ssnn_jax import datasets
from ssnn_jax import devices
from ssnn_jax import feedback_alignment
from ssnn_jax import firing
from ssnn_jax import metrics
from ssnn_jax import records
from ssnn_jax import rpu
from ssnn_jax import sharding
from ssnn_jax import surrogate_gradient
from ssnn_jax import thresholds
from ssnn_jax import tiki_taka
from ssnn_jax import training
from ssnn_jax.coincidence import as_gradient
from ssnn_jax.config import NetworkConfig
from ssnn_jax.crossbar import ReadConfig
from ssnn_jax.device_config import DeviceConfig
from ssnn_jax.encoding import rate_encode
from ssnn_jax.network import ssnn
from ssnn_jax.reference import ann
from ssnn_jax.types import ErrorStreams
from ssnn_jax.types import Inference
from ssnn_jax.types import LayerParams
from ssnn_jax.types import Network
from ssnn_jax.types import Params
from ssnn_jax.types import Update
from ssnn_jax.types import UserError

__version__ = '0.1.0'

__all__ = (
  'DeviceConfig',
  'ErrorStreams',
  'Inference',
  'LayerParams',
  'Network',
  'NetworkConfig',
  'Params',
  'ReadConfig',
  'Update',
  'UserError',
  'activity',
  'ann',
  'as_gradient',
  'bp_stdp',
  'checkpoints',
  'cost',
  'datasets',
  'devices',
  'feedback_alignment',
  'firing',
  'metrics',
  'rate_encode',
  'records',
  'rpu',
  'sharding',
  'ssnn',
  'surrogate_gradient',
  'thresholds',
  'tiki_taka',
  'training',
)
