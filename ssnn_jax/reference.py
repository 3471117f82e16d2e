"""The method in one file: backpropagation by spikes alone, tick by tick.

Read this file first. `bipolar` is the neuron of this project: it takes spikes
back, and a network of it settles to what `ssnn_jax.spiking` computes.
`stochastic` is the neuron of the paper, in phases: it draws its spikes; `leaky`
is the same with all layers at once. They present one sample to dense layers, in
plain arrays; the fast code is tested to give the same spikes, winners and
counts, integer by integer. Layer l of weights, from 0, connects I presynaptic
to J postsynaptic neurons.
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
  num_steps: int,
  *,
  ceiling: float = 8.0,
  floor: float = 0.0,
  digits: int = 2,
  num_winners: int = 64,
  cap: float = np.inf,
  error_cap: float = np.inf,
  delays: Any = None,
  error_delays: Any = None,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], int]:
  """Presents a sample to bipolar neurons until they are silent.

  A hidden neuron stores four numbers: the potential v and the error A that it
  has received, the rate X and the error E that it has sent. A spike is worth a
  power of two, of the N steps of a rate or of an error.

  Args:
    params: weights `[I, J]` and biases `[J]` of each layer.
    train: `[n, I]` worth of the input spikes of n ticks, in rates.
    label: class of the sample.
    phase: uniform number of the presentation, in [0, 1).
    num_steps: N, steps of the rates of hidden neurons.
    ceiling: c, largest rate.
    floor: a, smallest rate.
    digits: leading signed digits of an error that are sent.
    num_winners: n, winners of the presentation.
    cap: largest worth of a forward spike, in steps; 1 for unit spikes.
    error_cap: largest worth of an error spike.
    delays: `[I]` ticks that the spikes of a neuron are on their way, for each
      layer of weights; None is 0.
    error_delays: `[J]` those of its error spikes.

  Returns:
    X of inputs and hidden layers; E of hidden layers and output; what the
    synapses of each layer collect, `[I + 1, J]` with biases last; and the ticks
    until silence.
  """
  N, n, num_layers = num_steps, num_winners, len(params)
  sizes = [train.shape[1], *(len(biases) for _, biases in params)]
  A, E = ([np.zeros(size) for size in sizes[1:]] for _ in range(2))
  v = [np.float64(biases) for _, biases in params]
  X = [np.zeros(size) for size in sizes[:-1]]
  collected = [np.zeros((len(x) + 1, len(e))) for x, e in zip(X, E)]
  # Sums of what has arrived at the synapses; the input of a bias is always 1.
  ends = [(np.append(x, 1.0), np.zeros_like(e)) for x, e in zip(X, E)]
  wires = [_Wire(size, delay) for size, delay in zip(sizes, delays or X)]
  error_wires = [_Wire(*own) for own in zip(sizes[1:], error_delays or A)]

  for tick in itertools.count():
    # Send: what a neuron should have sent but has not; it takes back what it
    # has sent but should not have.
    s, e = [train[tick] if tick < len(train) else 0 * X[0]], []
    for l in range(num_layers - 1):
      count = np.floor(np.clip(N * v[l], floor * N, ceiling * N) + 0.5)
      s.append(_nearest_power(count - N * X[l + 1], cap) / N)
      is_open = (floor * N < N * v[l]) & (N * v[l] < ceiling * N)
      digit = rest = np.where(is_open, A[l], 0)
      for _ in range(digits):
        rest = rest - _nearest_power(rest)
      e.append(_nearest_power(digit - rest - E[l], error_cap))
    target = np.arange(sizes[-1]) == label
    wanted = _count_winners(v[-1], phase, n) - n * target
    e.append(_nearest_power(wanted - n * E[-1], n * error_cap) / n)
    X = [sent + now for sent, now in zip(X, s)]
    E = [sent + now for sent, now in zip(E, e)]
    on_way = [own.on_way for own in (*wires, *error_wires)]
    if tick >= len(train) and not any(map(np.any, (*s, *e, *on_way))):
      return X, E, collected, tick

    # Receive: currents and errors add up; a synapse multiplies each spike that
    # arrives by the sum of the other end.
    for l, (weights, _) in enumerate(params):
      arriving = wires[l].carry(tick, s[l])
      error = error_wires[l].carry(tick, e[l])
      v[l] = v[l] + arriving @ weights
      if l:
        A[l - 1] = A[l - 1] + weights @ error
      x, y = ends[l]
      y += error
      collected[l][:-1] += np.outer(arriving, y)
      collected[l] += np.outer(x, error)
      x[:-1] += arriving


def _nearest_power(values, cap=np.inf):
  """Returns the nearest power of two up to a cap, with the sign; ties up."""
  mantissa, exponent = np.frexp(values)  # of which 1/2 <= |mantissa| < 1
  power = np.where(np.abs(mantissa) < 0.75, 0.5, 1.0) * np.exp2(exponent)
  return np.sign(values) * np.minimum(power, cap)


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


def _count_winners(v, phase, n):
  """Counts how many of n winners each class is: a systematic sample."""
  shares = np.exp(v - np.max(v))
  cumulative = np.cumsum(shares / shares.sum())[:-1]
  reached = np.minimum(np.floor(n * cumulative + phase), n)
  return np.diff(reached, prepend=0, append=n)


def stochastic(
  config: Any, params: Any, sample: Any, label: Any
) -> tuple[Any, types.Inference]:
  """Presents a sample to stochastic neurons, layer after layer, for T ticks.

  Layers send spike trains of the rate clip(v, 0, 1), forward, and two error
  streams of the rates clip(+-g, 0, 1), back. One output neuron wins each
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
    rates = jnp.sum(errors[0], axis=0) / T
    g = read_gain * jnp.matmul(rates, W.T, precision=PRECISION)
    is_open = (0.0 < potentials[layer]) & (potentials[layer] < 1.0)
    g = jnp.where(is_open, g, 0.0)
    rates = jnp.minimum(jnp.abs(g), 1.0)
    errors.insert(0, jnp.sign(g)[None] * sample(Role.ERROR, layer, rates))

  counts = [
    types.LayerParams(s.T @ e, jnp.sum(e, axis=0))
    for s, e in zip(spikes, errors)
  ]
  return tuple(counts), types.Inference(jnp.sum(winners, axis=0), v)


def leaky(
  config: Any, params: Any, fires: Any, label: int
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
  """Presents a sample to stochastic neurons that all work at once, for T ticks.

  A hidden neuron stores two numbers, averages that forget: the potential v, and
  the error A. In each tick it sends what they ask for, and then receives.

  Args:
    config: a `NetworkConfig` of dense layers.
    params: its parameters.
    fires: `(role, layer, tick, rates) -> [N]`: where a threshold is below a
      rate.
    label: class of the sample.

  Returns:
    Forward spikes `[T, N]` of inputs and hidden layers; error spikes `[T, J]`
    of hidden layers and output, to fire more negative; and coincidences
    `[I + 1, J]` of each layer, with biases last.
  """
  T, k, r = config.num_steps, config.forgetting, config.read_gains
  W, v = ([np.float64(own) for own in ends] for ends in zip(*params))
  b, A, last = list(v), [np.zeros_like(own) for own in v], len(v) - 1
  first = min(T - 1, round((1 - config.counted) * T))  # tick that counts
  counts = [np.zeros((len(own) + 1, own.shape[1])) for own in W]
  all_spikes, all_errors = [], []
  for t in range(T):
    # Send: what the state before the tick asks for.
    s, e = [fires(Role.INPUT, 0, t, None)], []
    for l in range(last):
      s.append(fires(Role.FORWARD, l + 1, t, np.clip(v[l], 0, 1)))
      g = np.where((0 < v[l]) & (v[l] < 1), A[l], 0)
      spikes = fires(Role.ERROR, l, t, np.minimum(np.abs(g), 1))
      e.append(np.sign(g) * spikes)
    shares = np.exp(v[last] - np.max(v[last]))
    cumulative = np.cumsum(shares / shares.sum())
    cumulative[-1] = 1  # one threshold for all classes; the first one wins
    reached = fires(Role.WINNER, 0, t, cumulative)
    target = np.arange(len(reached)) == label
    e.append(np.diff(np.float64(reached), prepend=0) - target)

    # Receive: averages move by a; a synapse counts the spikes at its ends.
    a = k / (t + k)
    for l in range(last + 1):
      v[l] = v[l] + a * (r[l] * (s[l] @ W[l]) + b[l] - v[l])
      if l:
        A[l - 1] = A[l - 1] + a * (r[l] * (W[l] @ e[l]) - A[l - 1])
      if t >= first:
        counts[l] += np.outer(np.append(s[l], 1), e[l])
    all_spikes.append(s)
    all_errors.append(e)
  spikes, errors = (
    [np.stack(own) for own in zip(*ticks)] for ticks in (all_spikes, all_errors)
  )
  return spikes, errors, counts


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
