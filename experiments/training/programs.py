"""Compiled functions of an experiment, each for several seeds at once.

Seeds, and learning rates, are lifted by `vmap`, devices by `shard_map`. Outside
of these functions a key is represented by its data, so that it can be saved.
"""

from collections.abc import Callable
import dataclasses
import functools
import os
from typing import NamedTuple

import jax
import jax.numpy as jnp

from experiments.config import experiment
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.hardware import devices
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding

_EVAL_BATCH_SIZE = 256


class Programs(NamedTuple):
  """Functions of S runs that differ in seed and learning rate.

  A `split` is inputs and labels, the same for all runs and whole on every
  device; `state` and all that is returned has a leading axis S.
  """

  start: Callable  # (seeds, learning_rates) -> state before the first epoch
  train_epoch: Callable  # (state, split) -> (state, EpochMetrics); donates
  evaluate: Callable  # (state, split) -> Accuracy
  count_pulses: Callable  # (state, split) -> pulses of devices, if counted
  observe: Callable  # (state, split) -> Activity on the probe batch
  measure: Callable  # (state, split) -> errors of the update, if it has any
  # (state, split) -> errors of the update, with separate bias and variance
  probe: Callable
  # (seeds, learning_rates, split) -> state of the ANN after its first epoch
  train_ann: Callable


def make(
  config: experiment.ExperimentConfig,
  network_config: ssnn_jax.NetworkConfig,
  mesh: jax.sharding.Mesh,
  num_samples: int,
) -> Programs:
  """Makes the functions of a configuration; each is compiled when first called.

  Args:
    config: the configuration; its seed and learning rate are not used.
    network_config: the configuration of the network.
    mesh: the devices that share each batch.
    num_samples: size of the training split.
  """
  method = methods.METHODS[config.method]
  reference = ssnn_jax.ann(network_config, axis_name=sharding.AXIS)
  schedule = experiment.schedule(config, num_samples)
  optimizer = functools.partial(
    training.make_optimizer,
    schedule=schedule,
    weight_decay=config.weight_decay,
  )

  def device(learning_rate):
    resistive = synapses.make_device(config, learning_rate, schedule)
    return devices.as_device(resistive or optimizer(learning_rate))

  make_network = functools.partial(
    method.make,
    network_config,
    separate_signs=device(0.0).separate_signs,
    axis_name=sharding.AXIS,
  )

  def start(seed, learning_rate):
    return training.init_state(reference, device(learning_rate), seed)

  def train_epoch(state, split):
    network, size = make_network(state.key), config.batch_size
    make_epoch = training.make_train_epoch
    return make_epoch(network, device(0.0), size, sharding.AXIS)(state, *split)

  def evaluate(state, split):
    network = make_network(state.key)
    judge = training.make_evaluate(
      network, reference, _EVAL_BATCH_SIZE, sharding.AXIS
    )
    key = training.stream_key(state.key, training.Stream.EVALUATE)
    return judge(state.params, key, *split)

  def train_ann(seed, learning_rate, split):
    # One device, so that the result does not depend on the number of devices.
    ann = ssnn_jax.ann(network_config)
    state = training.init_state(ann, optimizer(learning_rate), seed)
    epoch = training.make_train_epoch(ann, optimizer(0.0), config.batch_size)
    return _shelve(epoch(state, *split)[0])

  run = functools.partial(sharding.run_on, mesh)
  return Programs(
    start=run(jax.vmap(lambda *args: _shelve(start(*args)))),
    train_epoch=run(_over_states(train_epoch), donate_argnums=0),
    evaluate=run(_over_states(evaluate)),
    count_pulses=run(
      _over_states(lambda state, split: synapses.count_pulses(state.opt_state))
    ),
    observe=run(_over_states(_make_observe(config, network_config))),
    measure=run(_over_states(_make_measure(config, network_config))),
    probe=run(_over_states(_make_probe(config, network_config))),
    train_ann=run(jax.vmap(train_ann, in_axes=(0, 0, None))),
  )


def fit_in_memory(compiled: jax.stages.Compiled) -> bool:
  """Returns whether a device has enough memory for a compiled function."""
  needed = compiled.memory_analysis()
  stats = jax.local_devices()[0].memory_stats() or {}
  pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  total = (
    needed.argument_size_in_bytes
    + needed.output_size_in_bytes
    - needed.alias_size_in_bytes
    + needed.temp_size_in_bytes
  )
  return total <= stats.get('bytes_limit', pages)


def _make_observe(config, network_config):
  """Makes the function that returns activity on the probe batch."""
  make = methods.METHODS[config.method].make_observe

  def on_probe(state, split):
    observe = make(network_config, state.key)
    key = training.stream_key(state.key, training.Stream.OBSERVE)
    return observe(state.params, key, *_probe(config, split))

  return on_probe


def _make_measure(config, network_config):
  """Makes the function that compares weight updates with the gradient.

  `update_error` has the spikes of the network; for `quantisation_error` the
  forward and backward pass use rates. Methods whose update does not estimate
  the gradient have neither.
  """
  method = methods.METHODS[config.method]
  exact = dataclasses.replace(network_config, dropout=0.0)
  quantised = dataclasses.replace(exact, forward='rates', backward='rates')
  measured = {'update_error': exact, 'quantisation_error': quantised}
  if not method.estimates_gradient:
    return lambda state, split: {}
  if config.method == methods.ANN:
    return lambda state, split: dict.fromkeys(measured, jnp.float32(0.0))

  def measure(state, split):
    key = training.stream_key(state.key, training.Stream.PROBE)
    return {
      name: metrics.update_error(
        method.make(network, state.key),
        ssnn_jax.ann(exact),
        state.params,
        key,
        *_probe(config, split),
        num_draws=config.probe_draws,
      )
      for name, network in measured.items()
    }

  return measure


def _make_probe(config, network_config):
  """Makes the function that also measures bias and variance of updates."""
  method = methods.METHODS[config.method]
  errors = _make_measure(config, network_config)
  if config.method == methods.ANN or not method.estimates_gradient:
    return errors
  exact = dataclasses.replace(network_config, dropout=0.0)
  ann = ssnn_jax.ann(exact)
  # Without forward noise, only saturated errors bias an update.
  noiseless = dataclasses.replace(exact, forward='rates')

  def statistics(network, state, split):
    key = training.stream_key(state.key, training.Stream.PROBE)
    return metrics.update_statistics(
      method.make(network, state.key),
      ann,
      state.params,
      key,
      *_probe(config, split),
      num_draws=config.probe_draws,
    )

  def probe(state, split):
    spiking = statistics(exact, state, split)
    return errors(state, split) | {
      'update_bias': spiking.bias,
      'update_deviation': spiking.deviation,
      'update_cosine': spiking.cosine,
      'saturation_bias': statistics(noiseless, state, split).bias,
      'noise_ratio': spiking.noise_ratio,
    }

  return probe


def _probe(config, split):
  """Returns the first training samples."""
  return [part[: config.probe_size] for part in split]


def _over_states(function):
  """Lifts `(state, split) -> result` over states whose keys are data."""

  def apply(state, split):
    key = jax.random.wrap_key_data(state.key)
    result = function(state.replace(key=key), split)
    is_state = lambda x: isinstance(x, training.TrainState)
    shelve = lambda x: _shelve(x) if is_state(x) else x
    return jax.tree.map(shelve, result, is_leaf=is_state)

  return jax.vmap(apply, in_axes=(0, None))


def _shelve(state):
  return state.replace(key=jax.random.key_data(state.key))
