"""Reference of integrate-and-fire networks: loops over ticks, in doubles.

Parameters are multiples of 1/4 and spikes are 0 or 1, so that float32 holds the
same potentials exactly.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.simulation import samples
from tests.testing.coincidences import pack

KEY = jax.random.key(2)
HALF_LIFE = float(1 / np.log(2))  # tau of a membrane that halves in a tick


class Neuron(NamedTuple):
  """Dynamics of a neuron, as `integrate_and_fire.Neuron`."""

  decay: float
  fire: Callable
  reset: Callable


class Response(NamedTuple):
  """Response of a network to one sample."""

  trains: list[np.ndarray]  # [T, I] spikes that enter each layer of weights
  potentials: list[np.ndarray]  # [T, J] of each layer, before reset
  fired: list[np.ndarray]  # [T, J] spikes of each layer, before dropout
  drives: np.ndarray  # [T, C] synaptic currents of the output layer


def subtract_spike(potential, spike):
  return potential - spike


def reset_to_zero(potential, spike):
  return potential * (1 - spike)


def quarters(rng, shape, low=-1.0, high=1.0):
  """Draws multiples of 1/4 from `low` to `high`."""
  return rng.integers(int(4 * low), int(4 * high) + 1, shape) / 4


def make_case(sizes, num_steps, batch_size):
  """Draws parameters, in doubles, and spikes of the inputs `[B, T, I]`.

  The first input fires at every tick, and the second never in the first sample.
  """
  rng = np.random.default_rng(0)
  params = [
    types.LayerParams(
      quarters(rng, shape), quarters(rng, shape[1], low=0.0, high=0.5)
    )
    for shape in zip(sizes[:-1], sizes[1:])
  ]
  trains = rng.integers(0, 2, (batch_size, num_steps, sizes[0]))
  trains[:, :, 0], trains[0, :, 1] = 1, 0
  return params, trains


def as_arguments(params, trains):
  """Returns params, key and inputs as the library's functions take them."""
  return jax.tree.map(jnp.float32, tuple(params)), KEY, pack(trains)


def draw_masks(config, batch_size):
  """Returns the dropout masks of each sample."""
  masks = samples.draw_dropout_masks(config, KEY, jnp.arange(batch_size))
  masks = jax.tree.map(np.asarray, masks)
  assert any(np.any(mask == 0) for mask in masks) == (config.dropout > 0)
  return list(zip(*masks))


def simulate_layer(drives, neuron):
  """Simulates neurons with drives `[T, J]`; returns spikes and potentials."""
  potential = np.zeros(drives.shape[1])
  fired, potentials = np.zeros_like(drives), np.zeros_like(drives)
  for tick, drive in enumerate(drives):
    potentials[tick] = potential = neuron.decay * potential + drive
    fired[tick] = neuron.fire(potential)
    potential = neuron.reset(potential, fired[tick])
  return fired, potentials


def present(config, params, train, masks, neurons):
  """Presents one sample to a network with the given neurons in each layer."""
  response = Response([train], [], [], None)
  for layer, ((weights, biases), neuron) in enumerate(zip(params, neurons)):
    gain = config.read_gains[layer]
    drives = gain * response.trains[layer] @ weights + biases
    fired, potentials = simulate_layer(drives, neuron)
    response.potentials.append(potentials)
    response.fired.append(fired)
    if layer < len(masks):
      response.trains.append(masks[layer] * fired)
  return response._replace(drives=drives)


def assert_observes(activity, layers):
  """Asserts that an activity is that of the trains `[B, T, N]` of layers."""
  expected = [
    (np.mean(train), np.mean(~train.any(axis=1)), np.mean(train.all(axis=1)))
    for train in layers
  ]
  assert all(0 < fraction < 1 for fraction in expected[0])
  # Means of integers below 2**24, rounded once or twice.
  found = np.transpose(activity[:3])
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  assert activity[3:] == (None,) * len(activity[3:])
