"""Naive dense simulation of spiking networks, a baseline of the benchmark.

Each spike is an independent uniform sample, a spike train an array of floats
`[T, B, N]`, and coincidences are float products over time. The simulation has
the distribution of `ssnn_jax.ssnn` for 'mean' membranes without dropout.
"""

import functools

import jax
import jax.numpy as jnp

import ssnn_jax
from ssnn_jax import network
from ssnn_jax.neuron import firing
from ssnn_jax.spikes import encoding


def ssnn(config: ssnn_jax.NetworkConfig) -> ssnn_jax.Network:
  """Builds the network of a configuration whose window divides T."""
  if config.num_steps % config.schedule.window:
    raise ssnn_jax.UserError(
      f'window is {config.schedule.window}; the naive representation needs a '
      f'window that divides num_steps = {config.num_steps}.'
    )
  return ssnn_jax.Network(
    init=functools.partial(network.init, config),
    infer=functools.partial(_infer, config),
    learn=functools.partial(_learn, config),
  )


def _infer(config, params, key, images):
  rates = encoding.rate_encode(images)
  _, potentials = _forward(config, params, key, rates)
  winners = _sample_winners(config, key, potentials[-1])
  return _read_out(winners, potentials[-1])


def _learn(config, params, key, images, labels):
  rates = encoding.rate_encode(images)
  trains, potentials = _forward(config, params, key, rates)
  winners = _sample_winners(config, key, potentials[-1])
  error = winners - jax.nn.one_hot(labels, config.layer_sizes[-1])[None]
  gate = firing.find(config.firing_function).derivative
  counts = []
  for layer in reversed(range(len(params))):
    weights = jnp.einsum('tbi,tbj->ij', trains[layer], error)
    biases = jnp.sum(error, axis=(0, 1))
    counts.insert(0, ssnn_jax.LayerParams(weights, biases))
    if layer > 0:
      propagated = _window_means(config, error) / config.gains[layer]
      propagated = propagated @ params[layer].weights.T
      rates = config.gains[layer - 1] * gate(potentials[layer - 1]) * propagated
      magnitudes = _sample(config, key, (1, layer), jnp.abs(rates))
      signs = jnp.repeat(jnp.sign(rates), config.schedule.window, axis=0)
      error = signs * magnitudes
  samples = config.num_steps * images.shape[0]
  units = [jnp.float32(1.0 / (samples * gain)) for gain in config.gains]
  unit = tuple(ssnn_jax.LayerParams(each, each) for each in units)
  update = ssnn_jax.Update(tuple(counts), None, unit)
  return update, _read_out(winners, potentials[-1])


def _forward(config, params, key, rates):
  """Returns the trains `[T, B, I]` and potentials `[W, B, J]` of each layer."""
  fire = firing.find(config.firing_function).probability
  num_windows = config.num_steps // config.schedule.window
  rates = jnp.broadcast_to(rates, (num_windows, *rates.shape))
  trains, potentials = [], []
  for layer, (weights, biases) in enumerate(params):
    train = _sample(config, key, (0, layer), rates)
    drive = _window_means(config, train) @ weights + biases[None, None]
    windows = jnp.arange(1.0, num_windows + 1.0)[:, None, None]
    potential = jnp.cumsum(drive, axis=0) / windows
    trains.append(train)
    potentials.append(potential)
    rates = fire(potential)
  return trains, potentials


def _sample(config, key, path, rates):
  """Samples spike trains `[T, B, N]` of rates `[W, B, N]`."""
  for index in path:
    key = jax.random.fold_in(key, index)
  rates = jnp.repeat(rates, config.schedule.window, axis=0)
  return (jax.random.uniform(key, rates.shape) < rates).astype(jnp.float32)


def _sample_winners(config, key, potential):
  """Samples the one-hot winner of each tick, `[T, B, C]`."""
  logits = jnp.repeat(potential, config.schedule.window, axis=0)
  winners = jax.random.categorical(jax.random.fold_in(key, 2), logits)
  return jax.nn.one_hot(winners, potential.shape[-1])


def _window_means(config, train):
  """Averages a train `[T, B, N]` over each window, `[W, B, N]`."""
  shape = -1, config.schedule.window, *train.shape[1:]
  return jnp.mean(train.reshape(shape), axis=1)


def _read_out(winners, potential):
  counts = jnp.sum(winners, axis=0).astype(jnp.int32)
  return ssnn_jax.Inference(counts, potential[-1])
