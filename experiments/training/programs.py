"""Compiled functions of runs that differ only in seed and learning rate."""

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
from ssnn_jax.training import loop
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding

# On CPU, many small parts that are compiled in parallel take longer than a few
# large ones, and programs that run once or on few samples take longer to
# compile than to run.
_OFTEN = {'xla_cpu_parallel_codegen_split_count': 2}
_ONCE = _OFTEN | {'xla_backend_optimization_level': 1}
_ERRORS = 'update_error', 'quantisation_error'


class Programs(NamedTuple):
  """Functions of S runs; states and results have a leading axis S.

  A `split` is inputs and labels, shared by all runs and replicated on every
  device.
  """

  start: Callable  # (seeds, learning_rates) -> state before the first epoch
  training: loop.Programs  # of the training loop
  count_pulses: Callable  # (state, split) -> pulses of devices, if counted
  observe: Callable  # (state, split) -> Activity on the probe batch
  # (state, split) -> errors of the update, with separate bias and variance
  probe: Callable
  # (seeds, learning_rates, split) -> errors of the update at the weights of the
  # ANN after its first epoch, if the method estimates the gradient
  measure: Callable


def make(
  config: experiment.ExperimentConfig,
  network_config: ssnn_jax.NetworkConfig,
  mesh: jax.sharding.Mesh,
  num_samples: int,
) -> Programs:
  """Makes the functions of a configuration; each is compiled when first called.

  Configurations that differ in seed, learning rate, or the times of evaluations
  and comparisons share them.

  Args:
    config: the configuration.
    network_config: the configuration of the network.
    mesh: the devices that share each batch.
    num_samples: size of the training split.
  """
  shared = {'seed': 0, 'learning_rate': 1.0, 'eval_every': 0, 'probe_every': 0}
  config = dataclasses.replace(config, **shared)
  return _make(config, network_config, mesh, num_samples)


@functools.lru_cache(maxsize=4)
def _make(config, network_config, mesh, num_samples):
  method = methods.METHODS[config.method]
  is_online = methods.concerns(config.method, 'update_every')
  num_updates = network_config.updates_per_presentation if is_online else 1
  schedule = make_schedule(config, num_samples, num_updates)
  method_config = method.configure(config, network_config)
  shared_ann = ssnn_jax.ann(network_config, axis_name=sharding.AXIS)
  # Errors of an update are measured by every device, on all samples.
  exact = dataclasses.replace(network_config, dropout=0.0)
  whole_ann, exact_ann = ssnn_jax.ann(network_config), ssnn_jax.ann(exact)

  def infer(params, *args):
    return shared_ann.infer(method.read_params(method_config, params), *args)

  read_ann = shared_ann._replace(infer=infer)

  def make_sgd(learning_rate):
    decay = config.weight_decay / num_updates
    return training.make_optimizer(learning_rate, schedule, decay)

  def make_device(learning_rate):
    if method.make_device is not None:
      rate = learning_rate / config.batch_size
      return method.make_device(method_config, rate, schedule)
    resistive = synapses.make_device(
      config, learning_rate, schedule, num_updates
    )
    return devices.as_device(resistive or make_sgd(learning_rate))

  # The learning rates of the runs are in their states.
  device, sgd = make_device(0.0), make_sgd(0.0)

  def make_network(key):
    return method.make(
      method_config,
      key,
      separate_signs=device.separate_signs,
      axis_name=sharding.AXIS,
    )

  def start(seed, learning_rate):
    return training.init_state(shared_ann, make_device(learning_rate), seed)

  def select_probe_batch(split):
    return [array[: config.probe_size] for array in split]

  def observe(state, split):
    key = training.stream_key(state.key, training.Stream.OBSERVE)
    observe_batch = method.make_observe(method_config, state.key)
    return observe_batch(state.params, key, *select_probe_batch(split))

  def compare(function, network, state, split):
    """Applies a comparison of network updates with the gradient."""
    return function(
      method.make(network, state.key),
      exact_ann,
      state.params,
      training.stream_key(state.key, training.Stream.PROBE),
      *select_probe_batch(split),
      num_draws=config.probe_draws,
    )

  def find_errors(state, split):
    """Measures the errors of an update that estimates the gradient.

    `update_error` uses the spikes of the network, `quantisation_error` exact
    rates in the forward and backward pass.
    """
    quantised = dataclasses.replace(exact, forward='rates', backward='rates')
    return {
      name: compare(metrics.update_error, network, state, split)
      for name, network in zip(_ERRORS, (exact, quantised))
    }

  def probe(state, split):
    if not method.estimates_gradient:
      return {}
    if config.method == methods.ANN:
      return dict.fromkeys(_ERRORS, jnp.float32(0.0))
    spiking = compare(metrics.update_statistics, exact, state, split)
    # Without forward noise, only saturated errors bias an update.
    noiseless = dataclasses.replace(exact, forward='rates')
    saturated = compare(metrics.update_statistics, noiseless, state, split)
    return find_errors(state, split) | {
      'update_bias': spiking.bias,
      'update_deviation': spiking.deviation,
      'update_cosine': spiking.cosine,
      'saturation_bias': saturated.bias,
      'noise_ratio': spiking.noise_ratio,
    }

  def measure(seed, learning_rate, split):
    if not method.estimates_gradient:
      return {}
    if config.method == methods.ANN:
      return dict.fromkeys(_ERRORS, jnp.float32(0.0))
    # Errors of all T are compared at the same weights.
    state = training.init_state(whole_ann, make_sgd(learning_rate), seed)
    epoch = training.make_train_epoch(whole_ann, sgd, config.batch_size)
    return find_errors(epoch(state, *split)[0], split)

  is_cpu = mesh.devices.flat[0].platform == 'cpu'
  often, once = (_OFTEN, _ONCE) if is_cpu else (None, None)
  lift = functools.partial(loop.over_seeds, mesh=mesh)
  return Programs(
    start=lift(start, (0, 0), compiler_options=once),
    training=loop.make_programs(
      make_network,
      device,
      config.batch_size,
      ann=read_ann,
      mesh=mesh,
      compiler_options=often,
    ),
    count_pulses=lift(lambda state, _: synapses.count_pulses(state.opt_state)),
    observe=lift(observe, compiler_options=once),
    probe=lift(probe, compiler_options=often),
    measure=lift(measure, (0, 0, None), compiler_options=once),
  )


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
