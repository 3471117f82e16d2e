"""The method in one file: backpropagation by spikes alone, tick by tick.

Read this file first. `bipolar` is the neuron of this project: it takes spikes
back, and a network of it settles to what `ssnn_jax.spiking` computes.
`stochastic` is the neuron of the paper: it draws its spikes. Both present one
sample to dense layers, in plain arrays; the fast code is tested to give the
same spikes, winners and counts, integer by integer. Layer l of weights, from
0, connects I presynaptic to J postsynaptic neurons.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.layers import PRECISION
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role


def bipolar(
  params: Any,
  train: np.ndarray,
  label: int,
  phase: float,
  gains: Any,
  *,
  ceiling: float = 1.0,
  cap: float = np.inf,
  delays: Any = None,
  error_delays: Any = None,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], int]:
  """Presents a sample to bipolar neurons until they are silent.

  A hidden neuron stores four numbers: the drive D and the errors A that it has
  received, the spikes X and the errors E that it has sent.

  Args:
    params: weights `[I, J]` and biases `[J]` of each layer.
    train: `[T, I]` input spikes.
    label: class of the sample.
    phase: uniform number of the presentation, in [0, 1).
    gains: G of each hidden layer: an error spike is worth 1 / G.
    ceiling: c, largest rate, in spikes per tick.
    cap: most spikes, or error spikes, that a neuron sends in a tick.
    delays: `[I]` ticks that the spikes of a neuron are on their way, for each
      layer of weights; None is 0.
    error_delays: `[J]` those of its error spikes.

  Returns:
    X of inputs and hidden layers; E of hidden layers and output; what the
    synapses of each layer collect, `[I + 1, J]` with biases last; and the ticks
    until silence.
  """
  num_steps, num_layers = len(train), len(params)
  rows = [np.vstack([weights, biases]) for weights, biases in params]
  sizes = [train.shape[1], *(own.shape[1] for own in rows)]
  G = [*gains, 1.0]
  D, A, E = ([np.zeros(n) for n in sizes[1:]] for _ in range(3))
  X = [np.zeros(n) for n in sizes[:-1]]
  counts = [np.zeros_like(own) for own in rows]
  ends = [(np.zeros(len(own)), np.zeros(own.shape[1])) for own in rows]
  wires = [_Wire(n, delay) for n, delay in zip(sizes, delays or X)]
  error_wires = [_Wire(n, own) for n, own in zip(sizes[1:], error_delays or A)]

  for tick in itertools.count():
    # Send: a neuron sends what it should have sent after k ticks but has not,
    # and takes back what it has sent but should not have.
    k = min(tick, num_steps)
    s, e = [train[tick] if tick < num_steps else 0 * X[0]], []
    for l in range(num_layers - 1):
      m = np.clip(D[l], 0, ceiling * k) - X[l + 1]
      s.append(np.clip(np.floor(m + 0.5), -cap, cap))
      is_open = (D[l] > 0) & (D[l] < ceiling * k)
      R = np.where(is_open, np.floor(G[l] * A[l] + 0.5), 0)
      e.append(np.clip(R - G[l] * E[l], -cap, cap) / G[l])
    W = _count_winners(D[-1] / max(k, 1), phase, k)
    target = np.arange(sizes[-1]) == label
    e.append(np.clip(W - k * target - E[-1], -cap, cap))
    X = [sent + now for sent, now in zip(X, s)]
    E = [sent + now for sent, now in zip(E, e)]
    on_way = [own.on_way for own in (*wires, *error_wires)]
    if tick > num_steps and not any(map(np.any, (*s, *e, *on_way))):
      return X, E, counts, tick

    # Receive: currents and errors add up; a synapse multiplies each spike that
    # arrives by the count of the other end. A bias spikes in every tick.
    for l in range(num_layers):
      arriving = np.append(wires[l].carry(tick, s[l]), tick < num_steps)
      error = error_wires[l].carry(tick, e[l])
      D[l] += arriving @ rows[l]
      if l:
        A[l - 1] += rows[l][:-1] @ error
      x, y = ends[l]  # counts of what has arrived at both ends
      y += error
      counts[l] += np.outer(arriving, y) + np.outer(x, error)
      x += arriving


class _Wire:
  """Spikes on their way; those of neuron i arrive after `delays[i]` ticks."""

  def __init__(self, num_neurons, delays):
    self.delays, self.neurons = np.int64(delays), np.arange(num_neurons)
    self.on_way = np.zeros((1 + self.delays.max(), num_neurons))

  def carry(self, tick, sent):
    size = len(self.on_way)
    self.on_way[(tick + self.delays) % size, self.neurons] += sent
    arriving = self.on_way[tick % size].copy()
    self.on_way[tick % size] = 0
    return arriving


def _count_winners(v, phase, k):
  """Counts the ticks of k that each class wins: a systematic sample."""
  shares = np.exp(np.float64(v) - np.max(v))
  cumulative = np.cumsum(shares / shares.sum())[:-1]
  reached = np.minimum(np.floor(k * cumulative + phase), k)
  return np.diff(reached, prepend=0, append=k)


def stochastic(
  config: Any, params: Any, sample: Any, label: Any
) -> tuple[Any, types.Inference]:
  """Presents a sample to stochastic neurons, layer after layer, for T ticks.

  Layers send spike trains of the rate clip(v, 0, 1), forward, and two error
  streams of the rates clip(+-G g, 0, 1), back. One output neuron wins each
  tick, c with probability softmax(v)_c: its error spike asks it to fire less,
  that of the target to fire more. A synapse counts coincidences.

  Args:
    config: a `NetworkConfig` of dense layers.
    params: its parameters.
    sample: `(role, layer, rates) -> [T, N]` spikes, as of `make_sample`.
    label: class of the sample.

  Returns:
    Coincidences of each layer, positive minus negative, and the response.
  """
  T, last, potentials = config.num_steps, len(params) - 1, []
  spikes = [sample(Role.INPUT, 0, None)]
  for layer, own in enumerate(params):
    rates = jnp.sum(spikes[layer], axis=0) / T
    v = _read(own, config.read_gains[layer], rates)
    potentials.append(v)
    if layer < last:
      rates = jnp.clip(v, 0.0, 1.0)
      spikes.append(sample(Role.FORWARD, layer + 1, rates))

  cumulative = jnp.minimum(jnp.cumsum(jax.nn.softmax(v)), 1.0).at[-1].set(1.0)
  reached = sample(Role.WINNER, 0, cumulative)  # one threshold for all classes
  winners = reached - jnp.pad(reached[:, :-1], ((0, 0), (1, 0)))
  errors = [winners - jax.nn.one_hot(label, len(v))[None]]
  for layer in reversed(range(last)):
    W, read_gain = params[layer + 1].weights, config.read_gains[layer + 1]
    rates = jnp.sum(errors[0], axis=0) / (T * config.gains[layer + 1])
    g = read_gain * jnp.matmul(rates, W.T, precision=PRECISION)
    is_open = (0.0 < potentials[layer]) & (potentials[layer] < 1.0)
    g = jnp.where(is_open, g, 0.0)
    rates = jnp.minimum(jnp.abs(config.gains[layer] * g), 1.0)
    errors.insert(0, jnp.sign(g)[None] * sample(Role.ERROR, layer, rates))

  counts = [
    types.LayerParams(s.T @ e, jnp.sum(e, axis=0))
    for s, e in zip(spikes, errors)
  ]
  return tuple(counts), types.Inference(jnp.sum(winners, axis=0), v)


def _read(params, gain, rates):
  product = jnp.matmul(rates, params.weights, precision=PRECISION)
  return gain * product + params.biases


def make_sample(config: Any, key: jax.Array, position: Any, inputs: Any) -> Any:
  """Returns the function that draws spikes: where a threshold is below a rate.

  Args:
    config: the network.
    key: PRNG key of the presentation.
    position: position of the sample in the batch.
    inputs: `[I]` input spikes per tick.
  """
  keys = thresholds.make_keys(key, len(config.layer_sizes))

  def sample(role, layer, rates):
    p = inputs if role == Role.INPUT else rates
    size = 1 if role == Role.WINNER else len(p)
    source = thresholds.Source(keys[layer, role], position, role, layer, size)
    drawn = thresholds.draw_thresholds(
      config.train_sampler, source, config.num_steps
    )
    return jnp.float32(thresholds.is_below(drawn, p[None]))

  return sample
