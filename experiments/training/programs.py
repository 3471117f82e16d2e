"""Compiled functions of runs that differ only in seed and learning rate."""

from collections.abc import Callable
from collections.abc import Iterator
import concurrent.futures
import contextlib
import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.config import experiment
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.datasets import catalog
from ssnn_jax.hardware import devices
from ssnn_jax.training import loop
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding

# On CPU, many small parts that are compiled in parallel take longer than a few
# large ones, and programs that run once or on few samples take longer to
# compile than to run. The older emitters compile faster, but add floats in
# another order, which changes last bits; counts are exact.
_OFTEN = {'xla_cpu_parallel_codegen_split_count': 2}
_ONCE = _OFTEN | {'xla_backend_optimization_level': 1}
_COUNTS = _ONCE | {'xla_cpu_use_fusion_emitters': False}
_ERRORS = 'update_error', 'quantisation_error'


class Programs(NamedTuple):
  """Functions of S runs; states and results have a leading axis S.

  A `split` is inputs and labels, shared by all runs and replicated on every
  device.
  """

  # (seeds, learning_rates, parameters of the ANN or None to draw them, epochs
  # that they were trained before) -> state before the first epoch of the run
  start: Callable
  training: loop.Programs  # of the training loop
  # (state, split) -> Activity on the probe batch; None without diagnostics
  observe: Callable | None
  # (state, split) -> errors of the update, with separate bias and variance
  probe: Callable
  # (seeds, learning_rates, split) -> parameters of the ANN after its first
  # epoch, at which errors of the update are measured; None: they are not
  train_ann: Callable | None
  # (state, parameters of the ANN, split) -> errors of the update, and pulses of
  # the devices, if they are counted
  measure: Callable


def make(
  config: experiment.ExperimentConfig,
  network_config: ssnn_jax.NetworkConfig,
  mesh: jax.sharding.Mesh,
  num_samples: int,
) -> Programs:
  """Makes the functions of a configuration; each is compiled when first called.

  Configurations that differ in seed, learning rate, initial parameters, or the
  times of evaluations and comparisons share them.

  Args:
    config: the configuration.
    network_config: the configuration of the network.
    mesh: the devices that share each batch.
    num_samples: size of the training split.
  """
  shared = {'seed': 0, 'learning_rate': 1.0, 'eval_every': 0, 'probe_every': 0}
  config = dataclasses.replace(config, init_from=None, **shared)
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
  exact_ann = ssnn_jax.ann(exact)

  def infer(params, *args):
    return shared_ann.infer(method.read_params(method_config, params), *args)

  read_ann = method.read_params and shared_ann._replace(infer=infer)

  def make_device(learning_rate):
    if method.make_device is not None:
      rate = learning_rate / config.batch_size
      return method.make_device(method_config, rate, schedule)
    resistive = synapses.make_device(config, learning_rate, schedule)
    optimizer = _make_optimizer(config, learning_rate, schedule, num_updates)
    return devices.as_device(resistive or optimizer)

  device = make_device(0.0)  # learning rates of the runs are in their states

  def make_network(key):
    return method.make(
      method_config,
      key,
      separate_signs=device.separate_signs,
      axis_name=sharding.AXIS,
    )

  def start(seed, learning_rate, params, epoch):
    device = make_device(learning_rate)
    return training.init_state(
      shared_ann, device, seed, params=params, epoch=epoch
    )

  def select_probe_batch(split):
    return [array[: config.probe_size] for array in split]

  def observe(state, split):
    key = training.stream_key(state.key, training.Stream.OBSERVE)
    observe_batch = method.make_observe(method_config, state.key)
    return observe_batch(state.params, key, *select_probe_batch(split))

  def compare(function, network, key, params, split):
    """Applies a comparison of network updates with the gradient."""
    return function(
      method.make(network, key),
      exact_ann,
      params,
      training.stream_key(key, training.Stream.PROBE),
      *select_probe_batch(split),
      num_draws=config.probe_draws,
    )

  def find_errors(*args):
    """Measures the errors of an update, unless it estimates no gradient.

    `update_error` uses the spikes of the network, `quantisation_error` exact
    rates in the forward and backward pass.
    """
    if not method.estimates_gradient:
      return {}
    if config.method == methods.ANN:
      return dict.fromkeys(_ERRORS, jnp.float32(0.0))
    quantised = dataclasses.replace(exact, forward='rates', backward='rates')
    return {
      name: compare(metrics.update_error, network, *args)
      for name, network in zip(_ERRORS, (exact, quantised))
    }

  def probe(state, split):
    args = state.key, state.params, split
    errors = find_errors(*args)
    if not errors or config.method == methods.ANN:
      return errors
    spiking = compare(metrics.update_statistics, exact, *args)
    # Without forward noise, only saturated errors bias an update.
    noiseless = dataclasses.replace(exact, forward='rates')
    saturated = compare(metrics.update_statistics, noiseless, *args)
    return errors | {
      'update_bias': spiking.bias,
      'update_deviation': spiking.deviation,
      'update_cosine': spiking.cosine,
      'saturation_bias': saturated.bias,
      'noise_ratio': spiking.noise_ratio,
    }

  def measure(state, params, split):
    measured = {}
    if config.diagnostics:
      measured |= find_errors(state.key, params, split)
    return measured

  train_ann = None
  is_compared = method.estimates_gradient and config.method != methods.ANN
  if config.diagnostics and is_compared:
    train_ann = _make_train_ann(
      *_select_ann_fields(config, network_config),
      num_updates,
      mesh,
      num_samples,
    )
  often, once, counts = _select_options(mesh)
  lift = functools.partial(loop.over_seeds, mesh=mesh)
  return Programs(
    start=lift(start, (0, 0, 0, None), compiler_options=once),
    training=loop.make_programs(
      make_network,
      device,
      config.batch_size,
      ann=read_ann,
      mesh=mesh,
      compiler_options=loop.Programs(train_epoch=often, evaluate=counts),
    ),
    observe=lift(observe, compiler_options=counts)
    if config.diagnostics and method.make_observe
    else None,
    probe=lift(probe, compiler_options=often),
    train_ann=train_ann,
    measure=lift(measure, (0, 0, None), compiler_options=once),
  )


def _make_optimizer(config, learning_rate, schedule, num_updates):
  decay = config.weight_decay / num_updates
  rule = config.optimizer
  return training.make_optimizer(learning_rate, schedule, decay, rule)


def _select_options(mesh):
  """Returns compiler options: of programs that run often, once, or count.

  They are those of JAX if it compiles without optimizations, as in tests.
  """
  is_cpu = mesh.devices.flat[0].platform == 'cpu'
  if not is_cpu or jax.config.read('jax_disable_most_optimizations'):
    return None, None, None
  return tuple(
    {name: value for name, value in options.items() if _is_known(name, value)}
    for options in (_OFTEN, _ONCE, _COUNTS)
  )


@functools.cache
def _is_known(name, value):
  """Returns whether XLA has an option; versions of JAX drop some of them."""
  compile_ = jax.jit(lambda: 0, compiler_options={name: value}).lower().compile
  try:
    compile_()
  except jax.errors.JaxRuntimeError:
    return False
  return True


def _select_ann_fields(config, network_config):
  """Replaces fields that do not affect the ANN, so that settings share it."""
  ignored = methods.SPIKING_FIELDS | {'race', 'reads'}
  if config.dropout or catalog.is_recorded(config.dataset):
    ignored -= {'num_steps', 'sampler'}  # of dropout masks, and of the inputs

  def select(config, **values):
    for own in dataclasses.fields(config):
      if own.name in ignored:
        values[own.name] = own.default
    return dataclasses.replace(config, **values)

  return select(config, method=methods.ANN), select(network_config)


@functools.lru_cache(maxsize=4)
def _make_train_ann(config, network_config, num_updates, mesh, num_samples):
  """Makes `Programs.train_ann`, which runs on every device on all samples."""
  ann = ssnn_jax.ann(network_config)
  schedule = make_schedule(config, num_samples, num_updates)

  def train_ann(seed, learning_rate, split):
    # Errors of all T are compared at the same weights.
    optimizer = _make_optimizer(config, learning_rate, schedule, num_updates)
    state = training.init_state(ann, optimizer, seed)
    epoch = training.make_train_epoch(ann, optimizer, config.batch_size)
    return epoch(state, *split)[0].params

  _, once, _ = _select_options(mesh)
  return loop.over_seeds(
    train_ann, (0, 0, None), mesh=mesh, compiler_options=once
  )


@contextlib.contextmanager
def compiled(
  made: Programs,
  seeds_and_rates: tuple[np.ndarray, np.ndarray],
  state: training.TrainState,
  train_set: tuple[jax.Array, jax.Array],
  eval_set: tuple[jax.Array, jax.Array],
) -> Iterator[Programs]:
  """Compiles the programs of a run for its arguments, while it is trained.

  One thread traces the programs in the order of their first calls, and others
  compile them. The program of an epoch is compiled when the context starts; a
  call of another program waits for it.
  """
  state, train_set, eval_set = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
    (state, train_set, eval_set),
  )
  with (
    concurrent.futures.ThreadPoolExecutor() as compilers,
    concurrent.futures.ThreadPoolExecutor(max_workers=1) as tracer,
  ):

    def start(function, *args):
      """Starts to compile a function; the result waits for its program."""
      lower = lambda: compilers.submit(function.lower(*args).compile)
      lowered = tracer.submit(lower)
      return lambda: lowered.result().result()

    def call(program):
      return lambda *args: program()(*args)

    train_epoch = start(made.training.train_epoch, state, train_set)
    observe = None
    if made.observe:
      observe = call(start(made.observe, state, train_set))
    evaluate = start(made.training.evaluate, state, eval_set)
    train_ann, ann_params = None, None
    if made.train_ann:
      train_ann = call(start(made.train_ann, *seeds_and_rates, train_set))
      ann_params = state.params
    measure = start(made.measure, state, ann_params, train_set)
    yield made._replace(
      training=loop.Programs(train_epoch(), call(evaluate)),
      observe=observe,
      train_ann=train_ann,
      measure=call(measure),
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
