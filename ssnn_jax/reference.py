"""The method in one file: backpropagation by spikes alone, tick by tick.

Read this file first. `ssnn` is the network of `ssnn_jax.ssnn` for one sample,
with spikes that are plain zeros and ones; the fast code is tested to give the
same spikes, winners and counts, integer by integer.

A composite neuron has a potential v, the mean of its drive so far, and an error
current g. At each tick it sends a forward spike at the rate clip(v, 0, 1) and,
if its gate is open (0 < v < 1), an error spike at the rate abs(g) with the sign
of g. One output neuron wins the tick, k with probability softmax(v)_k: its
error spike asks it to fire less, that of the target to fire more. A synapse
counts the ticks in which its two ends spike together; the mean count is the
gradient.

Layer l of weights, from 0, connects I presynaptic to J postsynaptic neurons. A
window has n ticks, on a chip 1: `[n, 1]` ones, but zeros after tick T.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import updates
from ssnn_jax.spikes import encoding
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.thresholds import Role


def realtime(
  config: NetworkConfig, params: Any, label: Any, sample: Any, window: Any,
  neurons: Any,
) -> Any:  # fmt: skip
  """Advances all layers of one sample at once: emit, count, integrate.

  A spike passes one layer in a window: of L layers of weights, layer l
  integrates from window l on, and its errors start in window 2 L - 1 - l.
  `sample(role, layer, rates)` gives `[n, N]` spikes, `window` is an index and
  ticks, `neurons` are v of each layer and g of each hidden layer. Returns the
  neurons afterwards, and counts: coincidences, winners, largest potentials.
  """
  potentials, currents = neurons
  index, ticks = window
  num_layers = len(params)

  def has_started(start):
    return jnp.float32(index >= start)

  # Emit: every neuron spikes, forward and backward, from its own state alone.
  spikes = [sample(Role.INPUT, 0, None)]
  for layer, v in enumerate(potentials[:-1], start=1):
    rates = jnp.clip(v, 0.0, 1.0)
    spikes.append(sample(Role.FORWARD, layer, rates) * has_started(layer))
  winners, target, largest = _compete(sample, label, ticks, potentials[-1])
  errors = []
  for layer, (v, g) in enumerate(zip(potentials, currents)):
    error = _error_spikes(config, sample, layer, v, g)
    errors.append(error * has_started(2 * num_layers - 1 - layer))
  errors.append((winners - target) * has_started(num_layers))

  # Count: a synapse sees the spikes of its two ends at the same tick.
  counts = [_count(*ends) for ends in zip(spikes, errors)]
  tick = index * len(ticks) + jnp.arange(len(ticks), dtype=jnp.float32)
  is_vote = jnp.float32(tick >= config.settle_ticks)[:, None]
  votes = jnp.sum(winners * is_vote, axis=0)
  largest_votes = jnp.sum(largest * is_vote, axis=0)

  # Integrate: every neuron receives the spikes of the layers beside it.
  after, arriving, length = [], [], jnp.sum(ticks)
  for layer, v in enumerate(potentials):
    d = _drive(config, layer, params, spikes[layer], length)
    elapsed = jnp.maximum((index - layer) * len(ticks) + length, 1)
    after.append(v + length * has_started(layer) / elapsed * (d - v))
    if layer:
      arriving.append(_current(config, layer, params, errors[layer], length))
  return (after, arriving), (counts, votes, largest_votes)


def buffered(
  config: NetworkConfig, params: Any, label: Any, sample: Any, window: Any,
  neurons: Any,
) -> Any:  # fmt: skip
  """Runs one sample forward and back; its spikes wait: the fast simulation."""
  potentials, currents = neurons
  index, ticks = window
  length, after = jnp.sum(ticks), []
  spikes = [sample(Role.INPUT, 0, None)]
  for layer, v in enumerate(potentials):
    d = _drive(config, layer, params, spikes[layer], length)
    after.append(v + length / (index * len(ticks) + length) * (d - v))
    if layer < len(params) - 1:
      rates = jnp.clip(after[layer], 0.0, 1.0)
      spikes.append(sample(Role.FORWARD, layer + 1, rates))
  winners, target, largest = _compete(sample, label, ticks, after[-1])
  errors = [winners - target]
  for layer in reversed(range(len(params) - 1)):
    g = _current(config, layer + 1, params, errors[0], length)
    errors.insert(0, _error_spikes(config, sample, layer, after[layer], g))
  counts = [_count(*ends) for ends in zip(spikes, errors)]
  votes = jnp.sum(winners, axis=0), jnp.sum(largest, axis=0)
  return (after, currents), (counts, *votes)


def _compete(sample, label, ticks, v):
  """Returns winners, targets and classes of the largest potential, `[n, C]`."""
  cumulative = jnp.minimum(jnp.cumsum(jax.nn.softmax(v)), 1.0).at[-1].set(1.0)
  reached = sample(Role.WINNER, 0, cumulative)  # one threshold for all classes
  winners = reached - jnp.pad(reached[:, :-1], ((0, 0), (1, 0)))
  target = ticks * jax.nn.one_hot(label, len(v))[None]
  largest = ticks * jax.nn.one_hot(jnp.argmax(v), len(v))[None]
  return winners, target, largest


def _error_spikes(config, sample, layer, v, g):
  """Samples the `[n, J]` error spikes of hidden neurons, with their signs."""
  g = jnp.where((v > 0.0) & (v < 1.0), g, 0.0)
  rates = jnp.minimum(jnp.abs(config.gains[layer] * g), 1.0)
  return jnp.sign(g)[None] * sample(Role.ERROR, layer, rates)


def _count(spikes, errors):
  """Counts coincidences; a bias is an input that spikes at every tick."""
  return types.LayerParams(spikes.T @ errors, jnp.sum(errors, axis=0))


def _drive(config, layer, params, spikes, length):
  """Returns the `[J]` drive of a layer by `[n, I]` spikes."""
  rates = jnp.sum(spikes, axis=0) / jnp.maximum(length, 1)
  return composite.drive(params[layer], config.read_gains[layer], rates)


def _current(config, layer, params, errors, length):
  """Returns the `[I]` currents of the layer below by `[n, J]` error spikes."""
  ticks = jnp.maximum(length, 1) * config.gains[layer]
  rates = jnp.sum(errors, axis=0) / ticks
  gain = config.read_gains[layer]
  return composite.transposed_drive(params[layer], gain, rates)


def _present(config, keys, params, position, rates, label):
  """Presents one sample: a loop over windows; returns what was counted."""
  num_windows, size = config.schedule.num_windows, config.schedule.window
  num_ticks = num_windows * size  # of which thresholds come 32 at a time
  words = jnp.arange(-(-num_ticks // 32))
  sources = rules.make_sources(config, keys, words, position)

  def draw(role, layer, num_neurons):
    drawn = sources(role, layer, num_neurons).thresholds()[:num_ticks]
    return drawn.reshape(num_windows, size, -1)

  drawn = {
    (Role.INPUT, 0): draw(Role.INPUT, 0, len(rates)),
    (Role.WINNER, 0): draw(Role.WINNER, 0, 1),
  }
  for layer, num_neurons in enumerate(config.layer_sizes[1:-1], start=1):
    drawn[Role.FORWARD, layer] = draw(Role.FORWARD, layer, num_neurons)
    drawn[Role.ERROR, layer - 1] = draw(Role.ERROR, layer - 1, num_neurons)
  advance = {'realtime': realtime, 'buffered': buffered}[config.timing]

  def step(carry, window):
    neurons, total = carry
    index, ticks, drawn = window

    def sample(role, layer, probability):
      p = rates if role == Role.INPUT else probability
      is_spike = thresholds.is_below(drawn[role, layer], p[None])
      return ticks * jnp.float32(is_spike)

    neurons, counted = advance(
      config, params, label, sample, (index, ticks), neurons
    )
    return (neurons, jax.tree.map(jnp.add, total, counted)), None

  counts = [jax.tree.map(jnp.zeros_like, layer) for layer in params]
  zeros = [layer.biases for layer in counts]
  start = (zeros, zeros[:-1]), (counts, zeros[-1], zeros[-1])
  ticks = jnp.float32(jnp.arange(num_ticks) < config.num_steps)
  ticks = ticks.reshape(num_windows, size, 1)
  windows = jnp.arange(num_windows, dtype=jnp.float32), ticks, drawn
  ((potentials, _), counted), _ = jax.lax.scan(step, start, windows)
  counts, votes, largest = jax.tree.map(lambda x: x.astype(jnp.int32), counted)
  return counts, types.Inference(votes, potentials[-1], largest)


def ssnn(config: NetworkConfig) -> types.Network:
  """Builds the network of a configuration, for images; slow.

  Covers dense layers with the firing function clip, the mean membrane, winners
  of the softmax and spikes in all signals; a `UserError` names other choices.
  """
  default = NetworkConfig((1, 1))
  for name in (
    'layers', 'firing_function', 'integration', 'dropout', 'rates', 'winner',
    'read_noise',
  ):  # fmt: skip
    value = getattr(default, name)
    is_valid = getattr(config, name) == value
    checks.check_field(config, name, is_valid, f'{value}, as the reference has')

  def learn(params, key, inputs, labels):
    keys = thresholds.make_keys(key, len(config.layer_sizes))
    present = lambda *sample: _present(config, keys, params, *sample)
    rates = encoding.rate_encode(inputs)
    counts, inference = jax.vmap(present)(
      jnp.arange(len(labels)), rates, labels
    )
    counts = jax.tree.map(lambda each: jnp.sum(each, axis=0), tuple(counts))
    unit = updates.plan_pulses(config, len(labels), None).unit  # r / (T B gain)
    return types.Update(counts, None, unit), inference

  def infer(params, key, inputs):  # errors change no potential
    return learn(params, key, inputs, jnp.zeros(len(inputs), jnp.int32))[1]

  fast = network.ssnn(config)
  return fast._replace(infer=infer, learn=learn, name='reference')
