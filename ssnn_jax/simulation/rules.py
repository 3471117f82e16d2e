"""Rules of one layer in one window of one sample, whatever the timing.

The rules of the neuron (`ssnn_jax.neuron`) meet the wiring of a layer, the
periphery of its crossbar and the choices of the configuration.
"""

from collections.abc import Callable
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import crossbar
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import periphery
from ssnn_jax.spikes import samplers
from ssnn_jax.spikes.thresholds import Role
from ssnn_jax.spikes.thresholds import Source

# (role, layer, num_neurons) -> thresholds of a sample in the words of a block
Sources = Callable[[Role, int, int], Source]


def make_sources(
  config: NetworkConfig, keys: jax.Array, words: jax.Array, position: jax.Array
) -> Sources:
  """Returns the function that gives the thresholds of a sample in a block.

  Args:
    config: the network, with its sampler.
    keys: `[layers, roles, 3]` keys of the presentation.
    words: `[K]` indices of the words of the block.
    position: position of the sample in the global batch.

  Returns:
    `(role, layer, num_neurons) -> Source`.
  """

  def find(role, layer, num_neurons):
    sampler = samplers.find(config.sampler, role)
    # A Sobol word costs so little that, without the kernel, it is fused with
    # its use; but not where each patch would sample it again.
    is_sending = role in (Role.INPUT, Role.FORWARD)
    has_patches = is_sending and config.wirings[layer].inputs is not None
    is_single = len(words) == config.schedule.windows_per_block == 1
    is_fused = sampler.count and is_single and not has_patches
    return Source(
      keys[layer, role],
      jnp.asarray(position),
      words,
      role=role,
      layer=layer,
      num_neurons=num_neurons,
      sampler=sampler,
      use_kernel=config.kernels and not is_fused,
    )

  return find


def drive(
  config: NetworkConfig,
  layer: int,
  params: types.LayerParams,
  sources: Sources,
  rates: jax.Array,
  window: spikes.Window,
) -> jax.Array:
  """Computes the drive of a layer: the forward read of its crossbar.

  Args:
    config: the network.
    layer: the layer of weights.
    params: its parameters.
    sources: thresholds of the sample, for read noise.
    rates: `[I]` presynaptic spikes per tick in the window.
    window: the window.

  Returns:
    `[J]` mean synaptic current over the window.
  """
  wiring, gain = config.wirings[layer], config.read_gains[layer]
  product = functools.partial(composite.drive, params, gain)
  source = None
  if config.reads.out_noise:
    source = sources(Role.READ, layer, wiring.num_neurons)
  rows = wiring.gather(rates)
  drives = periphery.read(config.reads, product, gain, source, rows, window)
  return drives.reshape(-1)


def reads_spikes(config: NetworkConfig) -> bool:
  """Whether rows are read by their spikes, for all windows of a block."""
  # To round all weights for a block of one tick takes longer than its read.
  schedule = config.schedule
  is_each_tick = config.timing == 'realtime' and schedule.window == 1
  return is_each_tick and not schedule.is_split and config.reads.is_ideal


def drive_by_spikes(
  config: NetworkConfig,
  layer: int,
  params: types.LayerParams,
  words: jax.Array,
  ticks: jax.Array,
) -> jax.Array:
  """Computes the drive of a layer in windows of one tick each.

  Args:
    config: the network.
    layer: the layer of weights.
    params: its parameters.
    words: `[I]` uint32 presynaptic spikes in the word of the windows.
    ticks: `[W]` uint32 tick of each window.

  Returns:
    `[W, J]` synaptic currents.
  """
  rows = config.wirings[layer].gather(words)
  sums = crossbar.sum_rows(params.weights, rows, ticks, config.kernels)
  biases = jnp.broadcast_to(params.biases, sums.shape)
  drives = config.read_gains[layer] * sums + biases
  return jnp.moveaxis(drives, -2, 0).reshape(len(ticks), -1)


def transposed_drive(
  config: NetworkConfig,
  layer: int,
  params: types.LayerParams,
  sources: Sources,
  errors: jax.Array,
  window: spikes.Window,
) -> jax.Array:
  """Computes the errors of the layer below: the transposed read.

  Args:
    config: the network.
    layer: the layer of weights that is read.
    params: its parameters, or those of feedback.
    sources: thresholds of the sample, for read noise.
    errors: `[J]` errors of its postsynaptic neurons in the window.
    window: the window.

  Returns:
    `[I]` errors.
  """
  wiring, gain = config.wirings[layer], config.read_gains[layer]
  product = functools.partial(composite.transposed_drive, params, gain)
  source = None
  if config.reads.out_noise:
    num_rows = wiring.num_positions * wiring.num_rows
    source = sources(Role.TRANSPOSED_READ, layer, num_rows)
  columns = wiring.split(errors)
  # Each position is a read of its own, before the errors of an input add up.
  rows = periphery.read(config.reads, product, gain, source, columns, window)
  return wiring.scatter(rows)


def mean_errors(
  config: NetworkConfig,
  layer: int,
  errors: jax.Array,
  signed_counts: jax.Array,
  window: spikes.Window,
) -> jax.Array:
  """Returns the errors that a transposed read propagates.

  Args:
    config: the network.
    layer: layer of weights whose postsynaptic neurons have the errors.
    errors: `[J]` exact errors, used with `backward='rates'`.
    signed_counts: `[J]` int32 error spikes, positive minus negative.
    window: the window.

  Returns:
    `[J]` errors: spikes per tick, divided by the gain of the layer.
  """
  if config.backward == 'rates':
    return errors
  ticks = spikes.num_valid_ticks(window) * config.gains[layer]
  return signed_counts.astype(jnp.float32) / ticks


def hidden_error(
  config: NetworkConfig,
  dropout_mask: jax.Array,
  potential: jax.Array,
  incoming: jax.Array,
) -> jax.Array:
  """Computes the errors of hidden neurons: incoming, through their gates.

  Args:
    config: the network.
    dropout_mask: `[J]` 0 where a unit is dropped, otherwise 1.
    potential: `[J]` potentials.
    incoming: `[J]` errors from the transposed read.

  Returns:
    `[J]` errors.
  """
  gate = firing.find(config.firing_function).derivative(potential)
  return dropout_mask * gate * incoming


def output_error(
  config: NetworkConfig,
  label: jax.Array,
  potential: jax.Array,
  window: spikes.Window,
) -> jax.Array:
  """Returns the `[C]` exact errors of the output layer; 0 without ticks."""
  num_classes = potential.shape[0]
  probabilities = jax.nn.softmax(potential)
  if config.output_errors == 'argmax':
    probabilities = jax.nn.one_hot(jnp.argmax(potential), num_classes)
  errors = probabilities - jax.nn.one_hot(label, num_classes)
  if max(config.error_starts):
    errors = jnp.where(window.length > 0, errors, 0.0)
  return errors
