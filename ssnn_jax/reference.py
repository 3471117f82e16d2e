"""The method in one file: backpropagation by spikes alone, tick by tick.

Read this file first. `bipolar` is the neuron of this project: it takes spikes
back, and a network of it settles to what `ssnn_jax.spike` computes.
`stochastic` is the neuron of the paper, in phases: it draws its spikes; `leaky`
is the same with all layers at once. They present one sample to dense layers, in
plain arrays; the fast code is tested to give the same spikes, winners and
counts, integer by integer. Layer l of weights, from 0, connects I presynaptic
to J postsynaptic neurons.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role


def bipolar(
  params: Any,
  signals: np.ndarray,
  differentiate: Any,
  random: np.random.Generator,
  *,
  digits: int = 3,
  error_digits: int = 2,
  output_digits: int = 3,
) -> tuple[np.ndarray, list[np.ndarray], int]:
  """Presents a sample to bipolar neurons, f(v) = max(v, 0), until silence.

  A hidden neuron stores four numbers: the potential v and the error A that it
  has received, the value X and the error E that it has sent. It asks v and A
  what it should have sent, and sends the power of two that brings it nearest,
  in an order that is random; spikes of the other sign take back. A synapse adds
  up its coincidences: a spike s times the error sent so far, an error spike e
  times the value sent so far.

  Args:
    params: weights `[I, J]` and biases `[J]` of each layer.
    signals: `[I]` inputs.
    differentiate: derivative of the loss by the potentials of the outputs.
    random: of the order of the spikes.
    digits: leading signed binary digits of a value that are sent.
    error_digits: those of an error of a hidden neuron.
    output_digits: those of an error of an output.

  Returns:
    The outputs, what the synapses hold, and the number of spikes.
  """
  last = len(params) - 1
  v = [np.array(biases, np.float64) for _, biases in params]
  received = [np.zeros_like(own) for own in v]  # A
  values = [np.zeros(len(weights)) for weights, _ in params]  # X
  errors = [np.zeros_like(own) for own in v]  # E
  held = [np.zeros(np.shape(weights)) for weights, _ in params]

  def find_spike(target, sent):
    return _nearest_power(target - sent)

  num_spikes, is_silent = 0, False
  while not is_silent:
    is_silent = True
    for layer in random.permutation(len(params)):
      weights = params[layer][0]
      # Forward, of the neurons below; the inputs are neurons too.
      asked = np.maximum(v[layer - 1], 0) if layer else signals
      spikes = find_spike(leading_digits(asked, digits), values[layer])
      acts = random.random(len(spikes)) < 0.5
      is_silent &= not np.any(spikes)
      spikes = np.where(acts, spikes, 0)
      values[layer] += spikes
      v[layer] += spikes @ weights
      held[layer] += np.outer(spikes, errors[layer])
      # Back, of the neurons above.
      if layer == last:
        asked = leading_digits(differentiate(v[layer]), output_digits)
      else:
        gate = v[layer] > 0
        asked = leading_digits(gate * received[layer], error_digits)
      spikes_back = find_spike(asked, errors[layer])
      acts = random.random(len(spikes_back)) < 0.5
      is_silent &= not np.any(spikes_back)
      spikes_back = np.where(acts, spikes_back, 0)
      errors[layer] += spikes_back
      if layer:
        received[layer - 1] += weights @ spikes_back
      held[layer] += np.outer(values[layer], spikes_back)
      num_spikes += np.count_nonzero(spikes) + np.count_nonzero(spikes_back)
  return v[last], held, num_spikes


def _nearest_power(values):
  """Returns the powers of two nearest to numbers, 0 of 0."""
  mantissas, exponents = np.frexp(np.abs(values))
  powers = np.ldexp(np.where(mantissas < 0.75, 0.5, 1.0), exponents)
  return np.where(values == 0, 0.0, np.sign(values) * powers)


def leading_digits(values: np.ndarray, digits: int) -> np.ndarray:
  """Rounds numbers to sums of so many powers of two, the nearest first."""
  sent = np.zeros_like(values)
  for _ in range(digits):
    sent = sent + _nearest_power(values - sent)
  return sent


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
    g = read_gain * jnp.matmul(rates, W.T, precision='highest')
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
  product = jnp.matmul(rates, params.weights, precision='highest')
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
