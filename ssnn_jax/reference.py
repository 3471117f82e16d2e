"""The method in one file: backpropagation by spikes alone, tick by tick.

Read this file first. `ssnn` is the network of `ssnn_jax.ssnn` for one sample,
with spikes that are plain zeros and ones; the fast code is tested to give the
same spikes, winners and counts, integer by integer.

In real time a hidden neuron integrates and fires: forward when its residue m
exceeds 1/2, and a spike takes 1 away; backward as many spikes, up to 3, as its
error a is worth, rounded, each of which takes 1/G away. Its gate is open while
its drive so far, D, is between 0 and its ticks k. One output neuron wins each
tick, c with probability softmax(D / k)_c: its error spike asks it to fire less,
that of the target to fire more. A synapse counts the error spikes that meet a
presynaptic spike; the mean count is the gradient. Stochastic neurons sample
instead, at the rates clip(D / k, 0, 1) and abs(G g) of an error g, in a tick
or, in the fast simulation, in a window. Layer l of weights, from 0, connects I
presynaptic to J postsynaptic neurons.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import crossbar
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import updates
from ssnn_jax.spikes import encoding
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.thresholds import Role


def realtime(config: Any, params: Any, given: Any, neurons: Any) -> Any:
  """Advances all layers of one sample by a tick: emit, count, integrate.

  A spike passes one layer in a tick, so that layer l integrates from tick l on.
  `given` are the label, `sample(role, layer, rates)` of `[1, N]` spikes, and
  the tick; `neurons` are D of each layer, and m and a of each hidden layer.
  Returns the neurons, and counts: coincidences, winners, largest.
  """
  label, sample, (tick, _) = given
  (drives, residues, errors), num_layers = map(list, neurons), len(params)
  potentials = [
    drive / jnp.maximum(tick - layer, 1) for layer, drive in enumerate(drives)
  ]

  # Emit: every neuron spikes, forward and backward, from its own state alone.
  spikes, sent = [sample(Role.INPUT, 0, None)], []
  for layer, (m, a) in enumerate(zip(residues, errors)):
    if config.is_stochastic:
      rates = jnp.clip(potentials[layer], 0.0, 1.0)
      spikes.append(sample(Role.FORWARD, layer + 1, rates))
      sent.append(_sample_errors(config, sample, layer, a))
    else:
      spikes.append(jnp.float32(m > 0.5)[None])
      worth = jnp.float32(1.0 / config.gains[layer])
      number = sum(jnp.float32(jnp.abs(a) > k * worth) for k in (0.5, 1.5, 2.5))
      sent.append((jnp.sign(a) * number)[None])
  winner, target, largest = _compete(sample, label, potentials[-1])
  sent.append((winner - target) * jnp.float32(tick >= num_layers))

  # Count: a synapse sees the spikes of its two ends at the same tick.
  counts = [_count(*ends) for ends in zip(spikes, sent)]
  is_vote = jnp.float32(tick >= config.first_vote)
  votes = is_vote * winner[0], is_vote * largest[0]

  # Integrate: every neuron receives the spikes of the layers next to it.
  for layer, (weights, biases) in enumerate(params):
    d = spikes[layer][0] @ crossbar.round_rows(weights)
    d = config.read_gains[layer] * d + biases
    d = jnp.where(tick >= layer, d, 0.0)
    drives[layer] += d
    if layer < num_layers - 1:
      residues[layer] += d - spikes[layer + 1][0]
      most, gain = config.most_error_spikes[layer + 1], config.gains[layer + 1]
      above = config.read_gains[layer + 1] / gain * params[layer + 1].weights
      wiring = config.wirings[layer + 1]
      g = crossbar.sum_columns(wiring, above, sent[layer + 1], most)[0]
      d = drives[layer]
      g = jnp.where((0.0 < d) & (d < tick + 1 - layer), g, 0.0)
      a = errors[layer] - sent[layer][0] / config.gains[layer]
      errors[layer] = g if config.is_stochastic else a + g
  return (drives, residues, errors), (counts, *votes)


def buffered(config: Any, params: Any, given: Any, neurons: Any) -> Any:
  """Runs one sample forward and back through a window: the fast simulation.

  `sample` gives `[n, N]` spikes, a window is its index and `[n, 1]` ones, but
  zeros after tick T; `neurons` start with v of each layer.
  """
  (label, sample, (index, ticks)), (potentials, *others) = given, neurons
  length, after = jnp.sum(ticks), []
  spikes = [sample(Role.INPUT, 0, None)]
  for layer, v in enumerate(potentials):
    rates = jnp.sum(spikes[layer], axis=0) / length
    d = composite.drive(params[layer], config.read_gains[layer], rates)
    after.append(v + length / (index * len(ticks) + length) * (d - v))
    if layer < len(params) - 1:
      rates = jnp.clip(after[layer], 0.0, 1.0)
      spikes.append(sample(Role.FORWARD, layer + 1, rates))
  winners, target, largest = _compete(sample, label, after[-1])
  sent = [winners - ticks * target]
  for layer in reversed(range(len(params) - 1)):
    rates = jnp.sum(sent[0], axis=0) / (length * config.gains[layer + 1])
    gain = config.read_gains[layer + 1]
    g = composite.transposed_drive(params[layer + 1], gain, rates)
    g = jnp.where((0.0 < after[layer]) & (after[layer] < 1.0), g, 0.0)
    sent.insert(0, _sample_errors(config, sample, layer, g))
  counts = [_count(*ends) for ends in zip(spikes, sent)]
  votes = jnp.sum(winners, axis=0), jnp.sum(ticks * largest, axis=0)
  return (after, *others), (counts, *votes)


def _compete(sample, label, v):
  """Returns winners `[n, C]`, and target and largest potential, `[1, C]`."""
  cumulative = jnp.minimum(jnp.cumsum(jax.nn.softmax(v)), 1.0).at[-1].set(1.0)
  reached = sample(Role.WINNER, 0, cumulative)  # one threshold for all classes
  winners = reached - jnp.pad(reached[:, :-1], ((0, 0), (1, 0)))
  classes = label, jnp.argmax(v)
  return winners, *(jax.nn.one_hot(own, len(v))[None] for own in classes)


def _sample_errors(config, sample, layer, g):
  """Samples the `[n, J]` error spikes of hidden neurons, with their signs."""
  rates = jnp.minimum(jnp.abs(config.gains[layer] * g), 1.0)
  return jnp.sign(g)[None] * sample(Role.ERROR, layer, rates)


def _count(spikes, errors):
  """Counts coincidences; a bias is an input that spikes at every tick."""
  return types.LayerParams(spikes.T @ errors, jnp.sum(errors, axis=0))


def _present(config, keys, params, position, rates, label):
  """Presents one sample: a loop over windows; returns what was counted."""
  size = config.schedule.window
  advance = {'realtime': realtime, 'buffered': buffered}[config.timing]

  def step(carry, index):
    neurons, total = carry
    ticks = index * size + jnp.arange(size)
    is_valid = jnp.float32(ticks < config.num_steps)[:, None]
    words = ticks[0] // 32 + jnp.arange(-(-size // 32))  # of thresholds
    sources = rules.make_sources(config, keys, words, position)

    def sample(role, layer, probability):
      p = rates if role == Role.INPUT else probability
      source = sources(role, layer, 1 if role == Role.WINNER else len(p))
      drawn = source.thresholds()[ticks - 32 * words[0]]
      return is_valid * jnp.float32(thresholds.is_below(drawn, p[None]))

    given = label, sample, (jnp.float32(index), is_valid)
    neurons, counted = advance(config, params, given, neurons)
    return (neurons, jax.tree.map(jnp.add, total, counted)), None

  counts = [jax.tree.map(jnp.zeros_like, layer) for layer in params]
  zeros = [layer.biases for layer in counts]
  start = (zeros, zeros[:-1], zeros[:-1]), (counts, zeros[-1], zeros[-1])
  windows = jnp.arange(config.schedule.num_windows)
  (neurons, counted), _ = jax.lax.scan(step, start, windows)
  counts, votes, largest = jax.tree.map(lambda x: x.astype(jnp.int32), counted)
  # In real time the potential is the mean of a drive.
  divisor = {'realtime': config.active_steps[-2], 'buffered': 1}[config.timing]
  return counts, types.Inference(votes, neurons[0][-1] / divisor, largest)


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
    positions, rates = jnp.arange(len(labels)), encoding.rate_encode(inputs)
    counts, inference = jax.vmap(present)(positions, rates, labels)
    counts = jax.tree.map(lambda each: jnp.sum(each, axis=0), tuple(counts))
    unit = updates.plan_pulses(config, len(labels), None).unit  # r / (T B gain)
    return types.Update(counts, None, unit), inference

  def infer(params, key, inputs):  # errors change no potential
    return learn(params, key, inputs, jnp.zeros(len(inputs), jnp.int32))[1]

  fast = network.ssnn(config)
  return fast._replace(infer=infer, learn=learn, name='reference')
