"""Neurons that integrate tick by tick and fire at a threshold.

They have no randomness but that of their inputs, whose spikes are those of the
other networks with the same key. The rules are those of one sample.
"""

from collections.abc import Callable
import dataclasses
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.simulation import forward
from ssnn_jax.simulation import inputs as input_lib
from ssnn_jax.spikes import thresholds
from ssnn_jax.training import activity


def integrate_and_fire(
  drives: jax.Array,
  decay: float,
  fire: Callable[[jax.Array], jax.Array],
  reset: Callable[[jax.Array, jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
  """Drives one layer of neurons from rest.

    v = decay v + drive;  spike = fire(v);  v = reset(v, spike)

  Args:
    drives: `[T, J]` synaptic current at each tick.
    decay: of a membrane in a tick; 1 leaks nothing.
    fire: from the potential to a spike, 0 or 1.
    reset: from the potential and the spike to the potential after it.

  Returns:
    The spikes, and the potentials before reset, `[T, J]` each.
  """

  def tick(potential, drive):
    potential = decay * potential + drive
    spike = fire(potential)
    return reset(potential, spike), (spike, potential)

  return jax.lax.scan(tick, jnp.zeros_like(drives[0]), drives)[1]


def drive(
  params: types.LayerParams, read_gain: float, train: jax.Array
) -> jax.Array:
  """Drives a layer by a train, tick by tick: `[T, I]` to `[T, J]`."""
  at_each_tick = jax.vmap(composite.drive, in_axes=(None, None, 0))
  return at_each_tick(params, read_gain, train)


def enter(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array | None = None,
  axis_name: str | None = None,
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
  """Draws all that is random in a presentation of a batch.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation.
    inputs: `[B, ...]` images or spike trains, as `Network` takes them.
    labels: `[B]` their classes, to be checked.
    axis_name: axis of a mesh whose devices share each batch, if they do.

  Returns:
    The spikes that enter, `[B, T, I]` float32, and for each hidden layer
    `[B, J]`, 0 where a unit is dropped and else 1.

  Raises:
    UserError: if inputs or labels do not fit the network.
  """
  batch = input_lib.prepare(config, params, key, inputs, labels, axis_name)
  train = batch.inputs.train
  if train is None:
    keys = thresholds.make_keys(key, len(config.layer_sizes))
    words = jnp.arange(spikes.count_words(config.num_steps))

    def sample(position, rates):
      draw = forward.make_draw(config, keys, words, position)
      source = draw(thresholds.Role.INPUT, 0, len(rates))
      whole = spikes.Window(spikes.mask_before(config.num_steps, words), 0, 0)
      return spikes.sample(source, rates, whole)

    train = jax.vmap(sample)(batch.position, batch.inputs.rates)
  bits = jax.vmap(spikes.unpack)(train)[:, : config.num_steps]
  return bits.astype(jnp.float32), batch.dropout_masks


def make_observe(
  config: NetworkConfig,
  send: Callable[..., list[jax.Array]],
) -> Callable[..., activity.Activity]:
  """Makes the function that observes the forward spikes of a batch.

  Args:
    config: the network; its units are observed without dropout.
    send: `(config, params, train, kept) -> trains`, one sample's `[T, N]` that
      enter each layer of weights.

  Returns:
    `(params, key, inputs, labels) -> Activity`, as `activity.make_observe`
    makes it; what is not of forward spikes is None.
  """
  config = dataclasses.replace(config, dropout=0.0)

  def observe(params, key, inputs, labels):
    train, kept = enter(config, params, key, inputs, labels)
    each = functools.partial(send, config, params)
    trains = jax.vmap(each)(train, kept)
    counts = [jnp.sum(train, axis=1) for train in trains]
    return activity.Activity(
      firing_rates=tuple(jnp.mean(n) / config.num_steps for n in counts),
      silent_fractions=tuple(jnp.mean(n == 0) for n in counts),
      saturated_fractions=tuple(
        jnp.mean(n == config.num_steps) for n in counts
      ),
    )

  return observe
