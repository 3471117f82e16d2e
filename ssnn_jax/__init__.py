"""Spiking neural networks trained by backpropagation with spikes alone.

`spike` makes any function of JAX a network of spiking neurons. `spiking.fire`
is an activation function: `jax.grad` of a model with it is what a network of
bipolar neurons learns in real time by spikes. A network of a
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

The method, in reading order: `reference`, the paper's neuron and that of the
chip in plain arrays, tick by tick; `spiking`, what a neuron sends, and `spike`,
which makes a function a network of them; `functions`, modules and functions,
unchanged, to be trained; `temporal`, traces of spikes over the moments of a
signal; `network`, a function as a spiking network and as its ANN; `layers`,
dense, convolutional or your own, and `crossbars` between them; `training`.

Others:

- `types`: containers and the axes that all docstrings name; `config`: all
  choices.
- `stochastic`: the paper's neurons, which draw their spikes, in phases or all
  at once; `wta`: the winners of their output layer.
- `trains`: spike trains: encoding, thresholds, samplers, counting.
- `convolution`: convolutions that are fast in loops on a CPU.
- `samples`: a batch, checked and encoded; `observe`: activity and rasters.
- `figures`: of rasters, samples, signals, explanations; needs matplotlib, and
  its own import.
- `chip`: a learning chip in integers, the golden reference of its Verilog.
- `hardware`: resistive devices as synapses, exchange in NIR.
- `runs`: folders of networks and runs: `save` and `load`, checkpoints.
- `datasets`: images, recordings of event cameras, and arrays.
- `checks`: the one place of what is refused; `user_cache`: the folder of
  decoded data and compiled programs; `version`.
"""

from ssnn_jax import chip as chip
from ssnn_jax import datasets as datasets
from ssnn_jax import hardware as hardware
from ssnn_jax import layers as layers
from ssnn_jax import observe as observe
from ssnn_jax import reference as reference
from ssnn_jax import runs as runs
from ssnn_jax import spiking as spiking
from ssnn_jax import stochastic as stochastic
from ssnn_jax import temporal as temporal
from ssnn_jax import training as training
from ssnn_jax import trains as trains
from ssnn_jax.config import NetworkConfig as NetworkConfig
from ssnn_jax.convolution import convolve as convolve
from ssnn_jax.functions import as_function as as_function
from ssnn_jax.hardware.device_config import DeviceConfig as DeviceConfig
from ssnn_jax.network import ann as ann
from ssnn_jax.network import ssnn as ssnn
from ssnn_jax.observe import Activity as Activity
from ssnn_jax.runs.networks import load as load
from ssnn_jax.runs.networks import save as save
from ssnn_jax.spiking import explain as explain
from ssnn_jax.spiking import spike as spike
from ssnn_jax.spiking import stream as stream
from ssnn_jax.temporal import trace as trace
from ssnn_jax.trains.encoding import rate_encode as rate_encode
from ssnn_jax.types import Device as Device
from ssnn_jax.types import Inference as Inference
from ssnn_jax.types import LayerParams as LayerParams
from ssnn_jax.types import Network as Network
from ssnn_jax.types import Params as Params
from ssnn_jax.types import SavedNetwork as SavedNetwork
from ssnn_jax.types import UserError as UserError
from ssnn_jax.version import __version__ as __version__
