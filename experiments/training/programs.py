"""Compiled functions of an experiment, vectorized over seeds.

`vmap` lifts over seeds and learning rates, `shard_map` over devices. Outside of
these functions keys are raw key data, which checkpoints can save.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from experiments.config import experiment
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.hardware import devices
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding

_EVAL_BATCH_SIZE = 256
# On CPU, many small parts that are compiled in parallel take longer than a few
# large ones, and programs that run once or on few samples take longer to
# compile than to run.
_OFTEN = {'xla_cpu_parallel_codegen_split_count': 2}
_ONCE = _OFTEN | {'xla_backend_optimization_level': 1}


class Programs(NamedTuple):
  """Functions of S runs that differ in seed and learning rate.

  A `split` is inputs and labels, shared by all runs and replicated on every
  device; `state` and all results have a leading axis S.
  """

  start: Callable  # (seeds, learning_rates) -> state before the first epoch
  train_epoch: Callable  # (state, split) -> (state, EpochMetrics); donates
  evaluate: Callable  # (state, split) -> Accuracy
  count_pulses: Callable  # (state, split) -> pulses of devices, if counted
  observe: Callable  # (state, split) -> Activity on the probe batch
  measure: Callable  # (state, split) -> errors of the update, if defined
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
  own = _Functions(config, network_config, num_samples)
  run = functools.partial(sharding.run_on, mesh)
  is_cpu = mesh.devices.flat[0].platform == 'cpu'
  often, once = (_OFTEN, _ONCE) if is_cpu else (None, None)
  return Programs(
    start=run(_over_runs(own.start, (0, 0)), compiler_options=once),
    train_epoch=run(
      _over_states(own.train_epoch), donate_argnums=0, compiler_options=often
    ),
    evaluate=run(_over_states(own.evaluate), compiler_options=often),
    count_pulses=run(_over_states(own.count_pulses)),
    observe=run(_over_states(own.observe), compiler_options=once),
    measure=run(_over_states(own.measure), compiler_options=once),
    probe=run(_over_states(own.probe), compiler_options=often),
    train_ann=run(
      _over_runs(own.train_ann, (0, 0, None)), compiler_options=once
    ),
  )


class _Functions:
  """Functions of one run, on states with typed keys."""

  def __init__(self, config, network_config, num_samples):
    self.config, self.network_config = config, network_config
    self.method = methods.METHODS[config.method]
    self.reference = ssnn_jax.ann(network_config, axis_name=sharding.AXIS)
    self.exact = dataclasses.replace(network_config, dropout=0.0)
    is_online = methods.concerns(config.method, 'update_every')
    self.updates = network_config.updates_per_presentation if is_online else 1
    self.schedule = make_schedule(config, num_samples, self.updates)
    self.separate_signs = self.device(0.0).separate_signs

  def optimizer(self, learning_rate):
    decay = self.config.weight_decay / self.updates
    return training.make_optimizer(
      learning_rate, schedule=self.schedule, weight_decay=decay
    )

  def device(self, learning_rate):
    resistive = synapses.make_device(
      self.config, learning_rate, self.schedule, self.updates
    )
    return devices.as_device(resistive or self.optimizer(learning_rate))

  def network(self, key):
    return self.method.make(
      self.network_config,
      key,
      separate_signs=self.separate_signs,
      axis_name=sharding.AXIS,
    )

  def start(self, seed, learning_rate):
    device = self.device(learning_rate)
    return _shelve(training.init_state(self.reference, device, seed))

  def train_epoch(self, state, split):
    network, size = self.network(state.key), self.config.batch_size
    make_epoch = training.make_train_epoch
    epoch = make_epoch(network, self.device(0.0), size, sharding.AXIS)
    return epoch(state, *split)

  def evaluate(self, state, split):
    network = self.network(state.key)
    evaluate = training.make_evaluate(
      network, self.reference, _EVAL_BATCH_SIZE, sharding.AXIS
    )
    key = training.stream_key(state.key, training.Stream.EVALUATE)
    return evaluate(state.params, key, *split)

  def count_pulses(self, state, split):
    del split
    return synapses.count_pulses(state.opt_state)

  def train_ann(self, seed, learning_rate, split):
    # One device, so that the result does not depend on the number of devices.
    ann, size = ssnn_jax.ann(self.network_config), self.config.batch_size
    state = training.init_state(ann, self.optimizer(learning_rate), seed)
    epoch = training.make_train_epoch(ann, self.optimizer(0.0), size)
    return _shelve(epoch(state, *split)[0])

  def observe(self, state, split):
    observe = self.method.make_observe(self.network_config, state.key)
    key = training.stream_key(state.key, training.Stream.OBSERVE)
    return observe(state.params, key, *self.probe_batch(split))

  def probe_batch(self, split):
    return [array[: self.config.probe_size] for array in split]

  def compare(self, function, network, state, split):
    """Applies a comparison of network updates with the gradient."""
    return function(
      self.method.make(network, state.key),
      ssnn_jax.ann(self.exact),
      state.params,
      training.stream_key(state.key, training.Stream.PROBE),
      *self.probe_batch(split),
      num_draws=self.config.probe_draws,
    )

  def measure(self, state, split):
    """Measures the errors of an update that estimates the gradient.

    `update_error` uses the spikes of the network, `quantisation_error` exact
    rates in the forward and backward pass.
    """
    rates = {'forward': 'rates', 'backward': 'rates'}
    quantised = dataclasses.replace(self.exact, **rates)
    measured = {'update_error': self.exact, 'quantisation_error': quantised}
    if not self.method.estimates_gradient:
      return {}
    if self.config.method == methods.ANN:
      return dict.fromkeys(measured, jnp.float32(0.0))
    return {
      name: self.compare(metrics.update_error, network, state, split)
      for name, network in measured.items()
    }

  def probe(self, state, split):
    """Measures errors, bias and deviation of the update."""
    errors = self.measure(state, split)
    if self.config.method == methods.ANN or not errors:
      return errors
    statistics = metrics.update_statistics
    spiking = self.compare(statistics, self.exact, state, split)
    # Without forward noise, only saturated errors bias an update.
    noiseless = dataclasses.replace(self.exact, forward='rates')
    return errors | {
      'update_bias': spiking.bias,
      'update_deviation': spiking.deviation,
      'update_cosine': spiking.cosine,
      'saturation_bias': self.compare(statistics, noiseless, state, split).bias,
      'noise_ratio': spiking.noise_ratio,
    }


def make_schedule(
  config: experiment.ExperimentConfig,
  num_samples: int,
  updates_per_batch: int = 1,
) -> optax.Schedule:
  """Makes the learning-rate schedule of a run, relative to the initial rate."""
  num_batches = config.num_epochs * (num_samples // config.batch_size)
  total = num_batches * updates_per_batch
  if config.schedule == 'cosine':
    return optax.cosine_decay_schedule(1.0, total)
  if config.schedule == 'linear':
    return optax.linear_schedule(1.0, 0.0, total)
  return optax.constant_schedule(1.0)


def count_bytes(compiled: jax.stages.Compiled) -> int:
  """Counts the bytes of memory that a compiled function needs."""
  needed = compiled.memory_analysis()
  return (
    needed.argument_size_in_bytes
    + needed.output_size_in_bytes
    - needed.alias_size_in_bytes
    + needed.temp_size_in_bytes
  )


def _over_states(function):
  """Lifts `(state, split) -> result` over states with raw key data."""

  def apply(state, split):
    key = jax.random.wrap_key_data(state.key)
    result = function(state.replace(key=key), split)
    is_state = lambda x: isinstance(x, training.TrainState)
    shelve = lambda x: _shelve(x) if is_state(x) else x
    return jax.tree.map(shelve, result, is_leaf=is_state)

  return _over_runs(apply, (0, None))


def _over_runs(function, in_axes):
  """Lifts a function over the leading axis of runs, without it for one run."""
  lifted = jax.vmap(function, in_axes)

  def apply(*args):
    if len(jax.tree.leaves(args[0])[0]) > 1:
      return lifted(*args)
    own = [
      arg if axis is None else jax.tree.map(lambda x: x[0], arg)
      for arg, axis in zip(args, in_axes)
    ]
    return jax.tree.map(lambda x: jnp.asarray(x)[None], function(*own))

  return apply


def _shelve(state):
  return state.replace(key=jax.random.key_data(state.key))
