"""Spiking networks that learn by backpropagation with spikes alone.

A network is three pure functions: `init` draws its parameters, `learn` presents
a batch and tells what the synapses have counted, `infer` presents one and tells
what the output layer says (`Network`). A mistake of the caller raises
`UserError`, which names the remedy.

Example:
  >>> import jax
  >>> import jax.numpy as jnp
  >>> import numpy as np
  >>> import ssnn_jax
  >>> digits = ssnn_jax.datasets.load('digits')
  >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((64, 10), num_steps=32))
  >>> optimizer = ssnn_jax.training.make_optimizer(0.5)
  >>> state = ssnn_jax.training.init_state(network, optimizer, seed=0)
  >>> train = ssnn_jax.training.make_train_epoch(network, optimizer, 32)
  >>> for _ in range(5):
  ...   state, means = jax.jit(train)(state, *digits.train)
  >>> bool(means.accuracy > 0.9)
  True

The examples of all other pages follow these four imports.

## Use it

- `NetworkConfig` says what a network is; `ssnn` builds it, and `ann` builds the
  network of the same weights that backpropagation trains.
- `rate_encode` makes rates of images, which `learn` and `infer` do by
  themselves; `datasets` loads images, recordings of event cameras and one's own
  arrays.
- `as_gradient` merges the counts of `learn` to a gradient, for any optimiser of
  optax; `training` has whole epochs, on several processors by `sharding`.
- `metrics` tells what a network gets right, `activity` what its neurons do
  meanwhile, `cost` what that takes on a chip.
- `checkpoints` and `records` keep runs; `provenance` says what they come from.

## The method, in reading order

1. `types`: the containers, and the axes that all docstrings name.
2. `spikes`: trains as words of 32 ticks, and the cut of time into windows;
   `thresholds` and `sobol`: what rates are compared with.
3. `encoding`: from inputs to rates and trains.
4. `firing` and `composite`: the neuron, forward and backward at once; `wta`:
   the output layer and the errors that it makes.
5. `coincidence`: the only way in which a weight learns anything.
6. `presentation`, `backward` and `counting`: these rules over a block of
   windows.
7. `network`: blocks and samples together; `config`: all choices.
8. `reference`: what the spiking network is held against.

`kernels` has faster twins of two of these functions, where
`compile_kernels` could compile them.

## Devices in the place of ideal synapses

`devices` and `tiki_taka` are used in the place of an optimiser. `device_config`
says what a device is, `device_constants` what tells devices apart, `resistive`
what pulses make of them; `crossbar` (`ReadConfig`) is what is between an array
and its neurons.

## Rivals, and other machines

`surrogate_gradient`, `bp_stdp` (both of `integrate_and_fire` neurons), `rpu`
and `feedback_alignment` are other ways to train. `nir_graph` hands a trained
network to other libraries and chips.
"""

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
