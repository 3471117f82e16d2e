"""Spiking neural networks trained by backpropagation with spikes alone.

`spike` makes any function of JAX a network of spiking neurons. A network of
stochastic neurons, by a configuration (`ssnn`), is pure functions (`Network`):
`init` draws its parameters, `loss` presents a batch, `infer` returns the
response of the output layer. An argument that would be wrong in silence raises
`UserError`, whose message names the remedy.

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

One ground: `types`, containers and the axes that all docstrings name; `checks`,
the one place of what is refused; `powers`, numbers as spikes carry them;
`trains`, words of spikes and their samplers; `temporal`, moments of signals;
`datasets`; `training`; `runs`, folders of networks and runs; `figures`, which
needs matplotlib and its own import. Three wings, of which none imports another:

- `spiking`: any function, unchanged, in neurons that take back spikes: `spike`,
  `stream`, `explain`, `spiking.play`.
- `stochastic`: the paper's neurons, which draw their spikes: `NetworkConfig`,
  layers, resistive devices, exchange in NIR.
- `chip`: a learning chip in integers, and its Verilog.

Above them: `network`, all of them as pure functions to train, and `reference`,
the neurons in plain arrays, tick by tick.
"""

from ssnn_jax import chip as chip
from ssnn_jax import datasets as datasets
from ssnn_jax import reference as reference
from ssnn_jax import runs as runs
from ssnn_jax import spiking as spiking
from ssnn_jax import stochastic as stochastic
from ssnn_jax import temporal as temporal
from ssnn_jax import training as training
from ssnn_jax import trains as trains
from ssnn_jax.network import ann as ann
from ssnn_jax.network import ssnn as ssnn
from ssnn_jax.runs.networks import load as load
from ssnn_jax.runs.networks import save as save
from ssnn_jax.spiking import as_function as as_function
from ssnn_jax.spiking import explain as explain
from ssnn_jax.spiking import spike as spike
from ssnn_jax.spiking import stream as stream
from ssnn_jax.stochastic import layers as layers
from ssnn_jax.stochastic.config import NetworkConfig as NetworkConfig
from ssnn_jax.stochastic.device_config import DeviceConfig as DeviceConfig
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
