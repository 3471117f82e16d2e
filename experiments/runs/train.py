"""Training of one task: a setting with a range of seeds."""

from collections.abc import Sequence
import dataclasses
import functools
import pathlib
import platform
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs.config import ExperimentConfig
from experiments.runs.config import Options
from experiments.runs.config import named
from experiments.runs.records import Task
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import stochastic
from ssnn_jax import training
from ssnn_jax.datasets import catalog
from ssnn_jax.network import mean_loss
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.runs import networks
from ssnn_jax.spiking.functions import Function
from ssnn_jax.spiking.functions import as_signals
from ssnn_jax.training import loop
from ssnn_jax.training import state as state_lib

# Samples of the batch of diagnostics, and trains of a sample in its errors.
_PROBE_SIZE, _PROBE_DRAWS = 128, 8


# Data.


def load(
  config: ExperimentConfig, data_dir: str | None = None, download: bool = False
) -> datasets.Dataset:
  """Loads the data set of a run, with its own fold and validation split."""
  binning = None
  if catalog.has_events(config.dataset):
    steps = {'num_steps': config.num_steps} if config.num_steps else {}
    with named():
      binning = datasets.Binning(event_window=config.event_window, **steps)
  dataset = _load(config.dataset, data_dir, download, binning)
  if config.folds is not None:
    with named('folds'):
      number = config.seed % config.folds
      dataset = datasets.fold(dataset, config.folds, number)
  if config.hold_out:
    with named('hold_out'):
      dataset = datasets.hold_out(dataset, config.hold_out)
  return dataset


@functools.lru_cache(maxsize=2)  # settings of a sweep share it
def _load(name, data_dir, download, binning):
  return datasets.load(name, data_dir, download=download, binning=binning)


def eval_split(dataset: datasets.Dataset) -> datasets.Split:
  """Returns the validation split if there is one, otherwise the test split."""
  return dataset.test if dataset.validation is None else dataset.validation


def describe_data(dataset: datasets.Dataset) -> str:
  """Describes what a data set lacks."""
  text, name = '', dataset.name
  if dataset.late_fraction > 0.1:
    text = (
      f'{name}: {dataset.late_fraction:.0%} of the events come after '
      'event_window, and are dropped.\n'
    )
  splits = dataset.train, dataset.validation, dataset.test
  sizes = [len(split.labels) for split in splits if split is not None]
  if dataset.full_size not in (None, sum(sizes)):
    text += (
      f'{name}: {sum(sizes):,} of {dataset.full_size:,} samples found, '
      f'{sizes[0]:,} for training.\n'
    )
  return text


# Compiled functions.


def _shared(config):
  """Removes fields in which runs of the same compiled functions differ."""
  return dataclasses.replace(
    config, seed=0, learning_rate=1.0, eval_every=0, init_from=None
  )


@functools.lru_cache(maxsize=4)
def make_programs(
  config: ExperimentConfig,
  network: ssnn_jax.NetworkConfig | chip.Config | Function,
  mesh: jax.sharding.Mesh,
  num_samples: int,
) -> loop.Programs:
  """Makes the functions of a run; each is compiled when first called.

  They have `start(seeds, learning_rates, parameters of the ANN or None to draw
  them, epochs that they were trained before)`. The learning rate of the
  configuration has no effect, as it is in the state.
  """
  method = config_lib.METHODS[config.method]
  schedule = make_schedule(config, num_samples)
  is_chip = config.method == config_lib.CHIP
  resistive = config_lib.device(config)
  ann = ssnn_jax.ann(config_lib.find_ann(network), axis_name=loop.AXIS)

  def make_device(learning_rate):
    if is_chip:
      return chip.make_device(
        network, learning_rate / config.batch_size, schedule
      )
    if resistive is not None:
      return stochastic.make_resistive(resistive, learning_rate, schedule)
    return training.make_optimizer(
      learning_rate, schedule, config.weight_decay, config.optimizer
    )

  device = state_lib.as_device(make_device(0.0))

  def start(seed, learning_rate, params, epoch):
    device = make_device(learning_rate)
    return training.init_state(ann, device, seed, params=params, epoch=epoch)

  programs = loop.make_programs(
    method.make(network, axis_name=loop.AXIS),
    device,
    config.batch_size,
    ann=ann,
    mesh=mesh,
    is_augmented=config.augment,
  )
  start = loop.over_seeds(start, (0, 0, 0, None), mesh=mesh)
  return programs._replace(start=start)


def _probe_batch(split):
  return [array[:_PROBE_SIZE] for array in split]


def probed_networks(
  network: ssnn_jax.NetworkConfig | chip.Config | Function,
) -> dict[str, ssnn_jax.NetworkConfig | chip.Config | Function]:
  """Returns the networks whose updates have errors, by the error."""
  probed = {'update_error': network}
  # A function has no update of its own; leaky neurons no exact signals.
  is_drawn = isinstance(network, ssnn_jax.NetworkConfig)
  if is_drawn and network.timing != 'leaky':
    exact = tuple(sorted({*network.exact, 'forward', 'backward'}))
    probed['quantisation_error'] = dataclasses.replace(network, exact=exact)
  return probed


@functools.lru_cache(maxsize=4)
def _make_measure(name, network, mesh):
  """Makes `(state, parameters, split) -> errors` of an update of a method.

  They are measured by every device, on all samples.
  """
  is_function = isinstance(network, Function)
  without = {'train': None} if is_function else {'dropout': 0.0}
  exact = dataclasses.replace(network, **without)

  def measure(state, params, split):
    key = jax.random.fold_in(state.key, training.Stream.PROBE)
    return {
      error: update_error(
        config_lib.METHODS[name].make(chosen),
        ssnn_jax.ann(exact),
        params,
        key,
        *_probe_batch(split),
        num_draws=_PROBE_DRAWS,
      )
      for error, chosen in probed_networks(exact).items()
    }

  return loop.over_seeds(measure, (0, 0, None), mesh=mesh)


def update_error(
  network: ssnn_jax.Network,
  reference: ssnn_jax.Network,
  params: ssnn_jax.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> jax.Array:
  """Computes the relative error of a network's update of the weights.

  It is sqrt(mean_draws norm(update - gradient)^2) / norm(gradient) over all
  weights, for independent draws of the spikes of a batch; consumes the key. The
  gradient is that of the reference, without randomness.
  """

  def estimate(network, key):  # the gradient, without biases
    gradient, _ = jax.grad(network.loss, has_aux=True)(
      params, key, inputs, labels
    )
    return [leaf for leaf in jax.tree.leaves(gradient) if jnp.ndim(leaf) > 1]

  def squared_norm(layers):
    return sum(jnp.sum(layer**2) for layer in layers)

  gradient = estimate(reference, key)

  def squared_distance(draw):
    update = estimate(network, jax.random.fold_in(key, draw))
    return squared_norm(jax.tree.map(jnp.subtract, update, gradient))

  distances = jax.lax.map(squared_distance, jnp.arange(num_draws))
  return jnp.sqrt(jnp.mean(distances) / squared_norm(gradient))


def make_schedule(config: ExperimentConfig, num_samples: int) -> optax.Schedule:
  """Makes the learning-rate schedule of a run, relative to the initial rate."""
  total = max(1, config.num_epochs * (num_samples // config.batch_size))
  return {
    'linear': optax.linear_schedule(1.0, 0.0, total),
    'cosine': optax.cosine_decay_schedule(1.0, total),
    'constant': optax.constant_schedule(1.0),
  }[config.schedule]


def read_initial(
  task: Task, network: ssnn_jax.NetworkConfig | chip.Config | Function
) -> tuple[ssnn_jax.Params | None, int]:
  """Reads the parameters of --init_from: of each seed, or the same for all.

  Returns:
    The parameters `[S, ...]`, and the number of epochs that they were trained
    before, 0 if not known. No parameters without --init_from, and for a task
    with a checkpoint, which does not need them.
  """
  has_checkpoint = checkpoints.last_epoch(task.folder) is not None
  if not task.config.init_from or has_checkpoint:
    return None, 0
  params, epochs = read_params(task.config, network, task.seeds)
  stack = lambda *leaves: np.broadcast_to(
    np.stack(leaves), (task.num_seeds, *leaves[0].shape)
  )
  return jax.tree.map(stack, *params), epochs


def read_params(
  config: ExperimentConfig,
  network: ssnn_jax.NetworkConfig | chip.Config | Function,
  seeds: Sequence[int],
) -> tuple[list[Any], int]:
  """Reads --init_from: parameters of each seed or all, and epochs before."""
  folder = pathlib.Path(config.init_from)
  with named('init_from'):
    epochs = checkpoints.last_epoch(folder)
    has_seeds = epochs is not None and records.read_task(folder).num_seeds > 1
    params = [
      ssnn_jax.load(folder, network, seed=own).params
      for own in (seeds if has_seeds else [None])
    ]
    remedy = 'give its --layers or --model, and its --dataset'
    with checks.explain(folder, remedy, 'is of another network'):
      checks.check_params(network, params[0])
  return params, epochs or 0


# Training.


def run_task(task: Task, options: Options, workdir: pathlib.Path) -> None:
  """Trains a task of a sweep, on any node of a cluster."""
  if not (workdir / records.SWEEP).exists():
    raise ssnn_jax.UserError(
      f'node {platform.node()} cannot access {workdir}; choose a --workdir on '
      'a file system that all nodes share.'
    )
  if not records.is_finished(task):
    data = load(task.config, options.data_dir, options.download)
    train(task, data, options)


def train(
  task: Task, dataset: datasets.Dataset, options: Options | None = None
) -> None:
  """Trains and records a task, unless it is finished, from its last checkpoint.

  Refuses data, devices or a folder that do not match the task.
  """
  options, config = options or Options(), task.config
  network = config_lib.network_config(config, dataset)
  is_chip = config.method == config_lib.CHIP  # its samples follow one another
  devices = jax.devices()[: 1 if is_chip else None]
  with named():
    mesh = loop.make_mesh(config.batch_size, devices)
  splits = dataset.train, eval_split(dataset)
  size = len(dataset.train.labels)
  programs = make_programs(_shared(config), network, mesh, size)
  like = _blank_state(task, programs, dataset.train)
  initial = read_initial(task, network)
  with records.exclusive_lock(task.folder):
    if records.is_finished(task):
      return
    records.write_config(task)
    with checkpoints.open_in(task.folder) as manager:
      state, run = _start(task, programs, manager, like, mesh, splits, initial)
      make = config_lib.METHODS[config.method].make
      kind = make(network).kind
      networks.write(task.folder, network, kind, {})
      splits = loop.replicate(mesh, splits)
      accuracy, state = _train_epochs(
        task, programs, manager, state, run, splits, options
      )
      results = _measure(task, network, mesh, programs, state, accuracy, splits)
    shared = records.describe(config, network) | {
      'num_train_samples': size,
      'num_eval_samples': len(eval_split(dataset).labels),
      'train_seconds': run['train_seconds'],
      'seeds_at_once': task.num_seeds,
      'peak_mib': records.peak_mib(),
      **run['environment'],
      'num_devices': mesh.size,
    }
    lines = [
      {'event': 'final', 'seed': seed, **shared, **numbers}
      for seed, numbers in zip(task.seeds, results)
    ]
    records.write_lines(task, run['lines'] + lines)


def _train_epochs(task, programs, manager, state, run, splits, options):
  """Trains the missing epochs; returns the last accuracy and state."""
  config, before = task.config, run['environment']['epochs_before']
  first = int(jax.device_get(state.epoch)[0]) - before
  if first:
    ended = f'{first} of {config.num_epochs} epochs'
    print(f'{task.folder} is continued after {ended}', flush=True)
  # Compiled here, so that the time of training does not include it.
  train_epoch = programs.train_epoch.lower(state, splits[0]).compile()

  def timed(*args):
    began = time.monotonic()
    result = jax.block_until_ready(train_epoch(*args))
    run['train_seconds'] += time.monotonic() - began
    return result

  epochs = loop.run(
    programs._replace(train_epoch=timed),
    state,
    *splits,
    before + config.num_epochs,
    config.eval_every,
  )
  accuracy, saved = None, time.monotonic()
  printed = saved
  for total, state, loss, train_accuracy, accuracy in epochs:
    values = {'loss': loss, 'train_accuracy': train_accuracy}
    if accuracy is not None:
      values['test_accuracy'] = accuracy.default
    rows = records.to_rows(values, task.num_seeds)
    run['lines'] += [
      {'event': 'epoch', 'seed': seed, 'epoch': total - before, **row}
      for seed, row in zip(task.seeds, rows)
    ]
    now = time.monotonic()
    if now >= printed + options.print_every:
      ended = f'epoch {total - before}/{config.num_epochs}'
      print(f'{ended}: {_describe_epoch(config, rows)}', flush=True)
      printed = now
    is_late = now >= saved + options.checkpoint_every
    # Training does not wait for a checkpoint that is still being written.
    if accuracy is None and (not is_late or manager.is_saving_in_progress()):
      continue
    evaluated = accuracy and float(np.mean(np.asarray(accuracy.default)))
    copied = jax.device_get(_unwrap_keys(state))
    checkpoints.save(manager, copied, task.seeds, run, evaluated)
    records.write_lines(task, run['lines'])
    saved = time.monotonic()
  if accuracy is None:  # the task was resumed after its last epoch
    accuracy = programs.evaluate(state, splits[1])
  return accuracy, state


def _start_args(task, initial):
  """Returns the arguments of `start`."""
  rates = np.full(task.num_seeds, task.config.learning_rate, np.float32)
  params, epochs = initial
  return np.array(task.seeds, np.int32), rates, params, np.int32(epochs)


def _blank_state(task, programs, split):
  """Returns a state of NumPy zeros in the shapes of a checkpoint."""
  shapes = jax.eval_shape(programs.start, *_start_args(task, (None, 0)))
  # Refuses too large networks and too long trains before any file is written.
  jax.eval_shape(programs.train_epoch, shapes, split)
  shapes = jax.eval_shape(_unwrap_keys, shapes)
  return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def _unwrap_keys(state):
  """Replaces the key of each seed by its data, as checkpoints save it."""
  return state._replace(key=jax.random.key_data(state.key))


def _start(task, programs, manager, like, mesh, splits, initial):
  """Returns the state and the record where training starts."""
  digest = files.sha256(splits)
  found = checkpoints.restore(manager, like)
  if found is None:
    environment = records.environment()
    environment = environment.pop('versions') | environment
    environment |= {'data_sha256': digest, 'epochs_before': initial[1]}
    run = {
      'config': records.to_json(task),
      'environment': environment | {'restored_epochs': []},
      'train_seconds': 0.0,
      'lines': [],
    }
    return programs.start(*_start_args(task, initial)), run
  restored, run = found
  records.refuse_other(task, run['config'], 'a checkpoint of another run')
  if run['environment']['data_sha256'] != digest:
    raise ssnn_jax.UserError(
      f'--dataset={task.config.dataset} holds other samples than those on '
      f'which the run in {task.folder} was trained; restore the data, or start '
      'a new run in another folder.'
    )
  run['environment']['restored_epochs'].append(int(restored.epoch[0]))
  state = loop.replicate(mesh, restored)
  return state._replace(key=jax.random.wrap_key_data(state.key)), run


def _measure(task, network, mesh, programs, state, accuracy, splits):
  """Returns the numbers of each seed after the last epoch."""
  config, train_set = task.config, splits[0]
  readouts = accuracy._asdict()
  values = {'test_accuracy': readouts.pop('default')}
  values |= {'test_loss': readouts.pop('loss')}
  values |= {f'test_accuracy_{name}': x for name, x in readouts.items()}
  if config.diagnostics and config.method == config_lib.SPIKES:
    # At weights that do not depend on T: of the ANN after one epoch.
    changes = {'method': config_lib.ANN, 'device': config_lib.IDEAL}
    changes |= {'device_params': '', 'exact': (), 'diagnostics': False}
    of_ann = dataclasses.replace(_shared(config), **changes)
    ann = make_programs(of_ann, network, mesh, len(train_set[1]))
    start = ann.start(*_start_args(task, (None, 0)))
    trained, *_ = ann.train_epoch(start, train_set)
    measure = _make_measure(config.method, network, mesh)
    values |= measure(state, trained.params, train_set)
  rows = records.to_rows(values, task.num_seeds)
  params = jax.device_get(state.params)
  for index, row in enumerate(rows):
    mine = jax.tree.map(lambda leaf: leaf[index], params)  # noqa: B023
    row['params_sha256'] = files.sha256(mine)
    if isinstance(network, Function) and config.method != config_lib.ANN:
      row |= _count_additions(network, mine, train_set)
  return rows


def _count_additions(function, params, split):
  """Counts the additions for a product of the ANN, in a batch."""
  inputs, labels = _probe_batch(split)
  explained = ssnn_jax.explain(
    function.apply,
    params,
    as_signals(jnp.asarray(inputs)),
    loss=lambda outputs: mean_loss(outputs, labels, function.answers),
    **function.codes,
  )
  return dict(zip(('additions', 'learning_additions'), explained.ratios))


def _describe_epoch(config, rows):
  """Describes the means over seeds of an epoch."""
  loss, train_accuracy, test_accuracy = (
    np.mean([row.get(name) for row in rows], dtype=float)  # None is NaN
    for name in ('loss', 'train_accuracy', 'test_accuracy')
  )
  text = f'loss {loss:.4f}, train accuracy {train_accuracy:.2%}'
  if 'test_accuracy' in rows[0]:
    text += f', {config_lib.split_name(config)} accuracy {test_accuracy:.2%}'
  return text
