"""Spiking neural networks trained by backpropagation with spikes alone.

`spiking.fire` is an activation function: `jax.grad` of a model with it is what
a network of bipolar neurons learns in real time by spikes. A network of a
configuration (`ssnn`) is pure functions (`Network`): `init` draws its
parameters, `loss` presents a batch, `infer` returns the response of the output
layer. An argument that would be wrong in silence raises `UserError`, whose
message names the remedy.

Example:
  >>> import jax
  >>> import jax.numpy as jnp
  >>> import numpy as np
  >>> import ssnn_jax
  >>> digits = ssnn_jax.datasets.load('digits')
  >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((64, 64, 10), num_steps=8))
  >>> optimizer = ssnn_jax.training.make_optimizer(1.0)
  >>> result = ssnn_jax.training.fit(
  ...   network, optimizer, digits, num_epochs=5, progress=False)
  >>> bool(result.history.eval_accuracy[-1] > 0.9)
  True

The examples of all other pages assume these four imports.

The method, in reading order: `reference`, all of it in plain arrays, tick by
tick; `spiking`, what a network settles to; `realtime`, how it gets there;
`layers`, dense, convolutional or your own; `network`, also the ANN; `training`.

Other packages:

- `types`: containers and the axes that all docstrings name; `config`: all
  choices.
- `stochastic`: stochastic neurons, which draw their spikes; `wta`: the winners
  of their output layer.
- `trains`: spike trains: encoding, thresholds, samplers, counting.
- `samples`: a batch, checked and encoded; `observe`: activity and rasters.
- `chip`: a learning chip in integers, the golden reference of its Verilog.
- `hardware`: resistive devices as synapses, costs, export to NIR.
- `runs`: folders of networks and runs: `save` and `load`, checkpoints.
- `datasets`: images, recordings of event cameras, and arrays.
- `checks`: the one place of what is refused; `user_cache`: the folder of
  decoded data and compiled programs; `version`.
"""

from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import hardware
from ssnn_jax import layers
from ssnn_jax import observe
from ssnn_jax import realtime
from ssnn_jax import reference
from ssnn_jax import runs
from ssnn_jax import spiking
from ssnn_jax import stochastic
from ssnn_jax import training
from ssnn_jax import trains
from ssnn_jax.config import NetworkConfig
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.network import ann
from ssnn_jax.network import ssnn
from ssnn_jax.observe import Activity
from ssnn_jax.runs.networks import load
from ssnn_jax.runs.networks import save
from ssnn_jax.trains.encoding import rate_encode
from ssnn_jax.types import Inference
from ssnn_jax.types import LayerParams
from ssnn_jax.types import Network
from ssnn_jax.types import Params
from ssnn_jax.types import UserError
from ssnn_jax.version import __version__

__all__ = (
  'Activity',
  'DeviceConfig',
  'Inference',
  'LayerParams',
  'Network',
  'NetworkConfig',
  'Params',
  'UserError',
  '__version__',
  'ann',
  'chip',
  'datasets',
  'hardware',
  'layers',
  'load',
  'observe',
  'rate_encode',
  'realtime',
  'reference',
  'runs',
  'save',
  'spiking',
  'ssnn',
  'stochastic',
  'training',
  'trains',
)
