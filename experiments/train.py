"""Trains and records one task: a setting with a range of seeds.

The folder of a task holds `config.json`, its configuration and number of seeds;
`checkpoints/`; and `metrics.jsonl`, flat JSON objects, one a line: the epochs
of each seed (`"event": "epoch"`) up to the last checkpoint and, once the task
is finished, the result of each seed (`"event": "final"`). A quantity of each
layer has the number of the layer, from 0, at the end of its name.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import functools
import json
import pathlib
import platform
import time
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm

from experiments import config as config_lib
from experiments.config import ExperimentConfig
from experiments.config import named
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax.datasets import catalog
from ssnn_jax.hardware import devices
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.runs import networks
from ssnn_jax.runs import provenance
from ssnn_jax.training import loop
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding

CONFIG, METRICS, SWEEP = 'config.json', 'metrics.jsonl', 'sweep.json'
READOUTS = {  # by the fields of their accuracies
  'test_accuracy': 'the readout of the network',
  'test_accuracy_winner': 'spike-count readout',
  'test_accuracy_largest': 'counts of the largest potential',
  'test_accuracy_potential': 'final potential',
  'test_accuracy_rate': 'ANN readout (exact rates, same weights)',
}
_ERRORS = 'update_error', 'quantisation_error'
# Samples of the batch of diagnostics, and trains of a sample in its errors.
_PROBE_SIZE, _PROBE_DRAWS = 128, 8
_LATE = 0.1  # fraction of events after the event window that is worth a line


class Task(NamedTuple):
  """A setting with a range of seeds, which are trained together.

  Attributes:
    config: its configuration, with the first seed.
    num_seeds: number of seeds, counted from the first.
    folder: folder of its record.
  """

  config: ExperimentConfig
  num_seeds: int
  folder: pathlib.Path

  @property
  def seeds(self) -> range:
    """Its seeds."""
    return range(self.config.seed, self.config.seed + self.num_seeds)


class Options(NamedTuple):
  """What does not affect weights.

  Attributes:
    data_dir: folder of data sets; None for the default.
    download: whether missing files of the data set are downloaded.
    checkpoint_every: minimum seconds between checkpoints.
    num_devices: number of devices that share each batch; None is all.
    print_every: minimum seconds between lines of progress, where the output is
      no terminal.
  """

  data_dir: str | None = None
  download: bool = False
  checkpoint_every: float = 30.0
  num_devices: int | None = None
  print_every: float = 0.0


_DEFAULTS = Options()

# Data.


def load(
  config: ExperimentConfig, data_dir: str | None = None, download: bool = False
) -> datasets.Dataset:
  """Loads the data set of a run, with its own fold and validation split.

  Raises:
    UserError: if the data is missing, damaged or too small for the run.
  """
  is_recorded = catalog.is_recorded(config.dataset)
  default = config_lib.FIELDS['event_window'].default
  if config.event_window != default and not is_recorded:
    raise ssnn_jax.UserError(
      f'--event_window is for recordings of events, and {config.dataset} holds '
      'images; leave it out.'
    )
  window = (config.num_steps, config.event_window) if is_recorded else None
  dataset = _load(config.dataset, data_dir, download, window)
  if config.folds is not None:
    with named('folds'):
      number = config.seed % config.folds
      dataset = datasets.fold(dataset, config.folds, number)
  if config.hold_out:
    with named('hold_out'):
      dataset = datasets.hold_out(dataset, config.hold_out)
  size = len(dataset.train.labels)
  if config.batch_size > size:
    raise ssnn_jax.UserError(
      f'--batch_size={config.batch_size} is more than the {size} training '
      f'samples of {dataset.name}; give a smaller number.'
    )
  return dataset


@functools.lru_cache(maxsize=2)  # settings of a sweep share it
def _load(name, data_dir, download, window):
  binning = None
  if window:
    with named():
      binning = datasets.Binning(num_steps=window[0], event_window=window[1])
  return datasets.load(name, data_dir, download=download, binning=binning)


def eval_split(dataset: datasets.Dataset) -> datasets.Split:
  """Returns the validation split if there is one, otherwise the test split."""
  return dataset.test if dataset.validation is None else dataset.validation


def describe_missing(dataset: datasets.Dataset) -> str:
  """Describes what a data set lacks; empty if it is complete."""
  text, name = '', dataset.name
  if dataset.late_fraction > _LATE:
    text = (
      f'{name}: {dataset.late_fraction:.0%} of the events come after '
      '--event_window, and are dropped.\n'
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


class Programs(NamedTuple):
  """Functions of S seeds; states and results have a leading axis S.

  A `split` is inputs and labels, shared by all seeds and replicated on every
  device.
  """

  # (seeds, learning_rates, parameters of the ANN or None to draw them, epochs
  # that they were trained before) -> state before the first epoch of the run
  start: Callable
  training: loop.Programs
  # (state, split) -> Activity on the probe batch; None without diagnostics
  observe: Callable | None
  # (seeds, learning_rates, split) -> parameters of the ANN after one epoch
  train_ann: Callable
  # (state, parameters of the ANN, split) -> errors of an update at them; None
  # if they are not defined, or not measured
  measure: Callable | None


def make_programs(
  config: ExperimentConfig,
  network: ssnn_jax.NetworkConfig,
  mesh: jax.sharding.Mesh,
  num_samples: int,
) -> Programs:
  """Makes the functions of a run; each is compiled when first called.

  Runs that differ in seed, learning rate, initial parameters, or the times of
  evaluations share them.

  Args:
    config: the configuration of the run.
    network: the configuration of its network.
    mesh: the devices that share each batch.
    num_samples: size of the training split.
  """
  shared = {'seed': 0, 'learning_rate': 1.0, 'eval_every': 0, 'init_from': None}
  config = dataclasses.replace(config, **shared)
  return _make_programs(config, network, mesh, num_samples)


@functools.lru_cache(maxsize=4)
def _make_programs(config, network, mesh, num_samples):
  method = config_lib.METHODS[config.method]
  schedule = make_schedule(config, num_samples)
  is_chip = config.method == config_lib.CHIP
  resistive = config_lib.device(config)
  own = config_lib.chip_config(config, network) if is_chip else network
  # Errors of an update are measured by every device, on all samples.
  exact = dataclasses.replace(network, dropout=0.0)
  ann = ssnn_jax.ann(network, axis_name=sharding.AXIS)
  exact_ann = ssnn_jax.ann(exact)

  def make_optimizer(learning_rate):
    return training.make_optimizer(
      learning_rate, schedule, config.weight_decay, config.optimizer
    )

  def make_device(learning_rate):
    if is_chip:
      return chip.make_device(own, learning_rate / config.batch_size, schedule)
    if resistive is not None:
      return devices.make_resistive(resistive, learning_rate, schedule)
    return devices.as_device(make_optimizer(learning_rate))

  device = make_device(0.0)  # learning rates of the runs are in their states

  def make_network(key):
    return method.make(
      own,
      key,
      separate_signs=device.separate_signs,
      axis_name=sharding.AXIS,
    )

  def infer_exactly(params, *args):
    params = chip.dequantize(own, params) if is_chip else params
    return ann.infer(params, *args)

  def start(seed, learning_rate, params, epoch):
    device = make_device(learning_rate)
    return training.init_state(ann, device, seed, params=params, epoch=epoch)

  def select_probe_batch(split):
    return [array[:_PROBE_SIZE] for array in split]

  def observe(state, split):
    key = training.stream_key(state.key, training.Stream.OBSERVE)
    observe_batch = method.make_observe(own, state.key)
    return observe_batch(state.params, key, *select_probe_batch(split))

  def train_ann(seed, learning_rate, split):
    optimizer = make_optimizer(learning_rate)
    dropping = ssnn_jax.ann(network)
    state = training.init_state(dropping, optimizer, seed)
    epoch = training.make_train_epoch(dropping, optimizer, config.batch_size)
    return epoch(state, *split)[0].params

  def measure(state, params, split):
    """Measures errors of an update, at weights that do not depend on T."""
    measured = [exact]
    if network.neuron == 'stochastic':  # counts have no update of their own
      rates = tuple({*network.rates, 'forward', 'backward'})
      measured.append(dataclasses.replace(exact, rates=rates))
    return {
      name: metrics.update_error(
        method.make(chosen, state.key),
        exact_ann,
        params,
        training.stream_key(state.key, training.Stream.PROBE),
        *select_probe_batch(split),
        num_draws=_PROBE_DRAWS,
      )
      for name, chosen in zip(_ERRORS, measured)
    }

  def lift(function, *in_axes):
    return loop.over_seeds(function, in_axes or (0, None), mesh=mesh)

  is_ann = config.method == config_lib.ANN
  is_measured = method.estimates_gradient and not is_ann
  is_observed = config.diagnostics and method.make_observe is not None
  has_ann_readout = config.method != 'relu'
  return Programs(
    start=lift(start, 0, 0, 0, None),
    training=loop.make_programs(
      make_network,
      device,
      config.batch_size,
      ann=ann._replace(infer=infer_exactly) if has_ann_readout else None,
      mesh=mesh,
    ),
    observe=lift(observe) if is_observed else None,
    train_ann=lift(train_ann, 0, 0, None),
    measure=(
      lift(measure, 0, 0, None) if config.diagnostics and is_measured else None
    ),
  )


def make_schedule(config: ExperimentConfig, num_samples: int) -> optax.Schedule:
  """Makes the learning-rate schedule of a run, relative to the initial rate."""
  total = config.num_epochs * (num_samples // config.batch_size)
  if config.schedule == 'cosine':
    return optax.cosine_decay_schedule(1.0, total)
  if config.schedule == 'linear':
    return optax.linear_schedule(1.0, 0.0, total)
  return optax.constant_schedule(1.0)


def _make_mesh(config, wanted):
  """Chooses the devices that share each batch."""
  found = jax.devices()
  if config.method == config_lib.CHIP:  # its samples follow one another
    if wanted not in (None, 1):
      raise ssnn_jax.UserError(
        f'--num_devices is {wanted}; expected 1, as the chip presents sample '
        'after sample.'
      )
    wanted = 1
  if wanted is not None and not 1 <= wanted <= len(found):
    raise ssnn_jax.UserError(
      f'--num_devices={wanted} is out of range; choose a number from 1 to '
      f'{len(found)}, the number of devices.'
    )
  with named('num_devices'):
    return sharding.make_mesh(config.batch_size, found[:wanted])


# Folders.


def read_task(folder: pathlib.Path) -> Task:
  """Reads the configuration of the folder of a task.

  Raises:
    UserError: if the folder holds no configuration of this version.
  """
  path = folder / CONFIG
  if (folder / SWEEP).exists():
    first = min((own.parent for own in folder.rglob(CONFIG)), default='...')
    raise ssnn_jax.UserError(
      f'{folder} is the folder of a sweep; repeat its command to continue it, '
      f'or choose the folder of a run in it, as {first}.'
    )
  try:
    recorded = json.loads(path.read_text())
    num_seeds = recorded.pop('num_seeds')
    config = config_lib.from_json(recorded)
  except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
    reason = getattr(error, 'strerror', None) or str(error).rstrip('.')
    raise ssnn_jax.UserError(
      f'{folder} holds no run that can be continued ({reason}); give the '
      'folder of a run, or a new folder, and --init_from=FOLDER to start from '
      'a saved network.'
    ) from None
  return Task(config, num_seeds, folder)


def read_lines(folder: pathlib.Path) -> list[dict[str, Any]]:
  """Reads the lines of the metrics of a task; none before a checkpoint.

  Raises:
    UserError: if the file is damaged.
  """
  path = folder / METRICS
  try:
    return [json.loads(line) for line in path.read_text().splitlines()]
  except FileNotFoundError:
    return []
  except (OSError, ValueError) as error:
    raise ssnn_jax.UserError(
      f'{path} is damaged ({error}); remove the folder of the run, and repeat '
      'the command.'
    ) from None


def is_finished(task: Task) -> bool:
  """Returns whether a task is finished, according to its folder.

  Raises:
    UserError: if the folder holds a run with another configuration, or other
      files.
  """
  if not files.is_nonempty(task.folder):
    return False
  _refuse_other(task, _to_json(read_task(task.folder)), 'another run')
  return any(line['event'] == 'final' for line in read_lines(task.folder))


def _to_json(task):
  return config_lib.to_json(task.config) | {'num_seeds': task.num_seeds}


def _refuse_other(task, found, what):
  """Raises a user error if a configuration is not that of a task."""
  differences = [
    f'{name} is {found.get(name)}, not {value}'
    for name, value in _to_json(task).items()
    if found.get(name) != value
  ]
  if differences:
    remedy = 'use the recorded values, or another folder'
    if found.get('num_epochs') != task.config.num_epochs:
      remedy += f' with --init_from={task.folder}, which trains longer'
    raise ssnn_jax.UserError(
      f'{task.folder} holds {what} ({"; ".join(differences)}); {remedy}.'
    )


class Initial(NamedTuple):
  """Parameters of --init_from."""

  params: ssnn_jax.Params  # [S, ...] floats, also of a chip
  epochs: int  # epochs that they were trained before; 0 if not known


def read_initial(task: Task, network: ssnn_jax.NetworkConfig) -> Initial | None:
  """Reads the parameters of --init_from: of each seed, or the same for all.

  Returns None without --init_from, and for a task with a checkpoint, which does
  not need them.

  Raises:
    UserError: if there are no parameters, or their layers are others.
  """
  if not task.config.init_from:
    return None
  if checkpoints.last_epoch(task.folder) is not None:
    return None
  folder = pathlib.Path(task.config.init_from)
  with named('init_from'):
    epochs = checkpoints.last_epoch(folder)
    recorded = None if epochs is None else read_task(folder)
    has_seeds = recorded is not None and recorded.num_seeds > 1
    seeds = task.seeds if has_seeds else [None]
    found = [ssnn_jax.load(folder, seed=seed) for seed in seeds]
    config = found[0].config
    params = [saved.params for saved in found]
    if isinstance(config, chip.ChipConfig):
      params = [chip.dequantize(config, weights) for weights in params]
      config = ssnn_jax.NetworkConfig(config.layer_sizes)
    shapes = [
      [wiring.weights_shape for wiring in each.wirings]
      for each in (config, network)
    ]
    if shapes[0] != shapes[1]:
      raise ssnn_jax.UserError(
        f'{folder} holds weights of {shapes[0]}, not {shapes[1]}; give its '
        'layers by --layer_sizes or --layers, and its --dataset.'
      )
    if recorded is not None:
      _print_differences(task, recorded)
  stack = lambda *leaves: np.broadcast_to(
    np.stack(leaves), (task.num_seeds, *leaves[0].shape)
  )
  return Initial(jax.tree.map(stack, *params), epochs or 0)


def _print_differences(task, recorded):
  """Prints what differs in a task from the run that it starts from."""
  own = {'seed', 'num_epochs', 'init_from', 'eval_every', 'diagnostics'}
  theirs = config_lib.to_json(recorded.config)
  differing = [
    f'{name} {theirs.get(name)} is {value} now'
    for name, value in config_lib.to_json(task.config).items()
    if name not in own and value != theirs.get(name)
  ]
  if differing:
    listed = ', '.join(differing)
    print(f'only the parameters of {recorded.folder} are used; {listed}')


@contextlib.contextmanager
def _opened(task: Task) -> Iterator[Any]:
  """Locks the folder of a task; yields its checkpoints, or None if finished."""
  with files.exclusive_lock(task.folder):
    if is_finished(task):
      yield None
      return
    text = json.dumps(_to_json(task), indent=2) + '\n'
    files.write_atomically(task.folder / CONFIG, text)
    with checkpoints.open_in(task.folder) as manager:
      yield manager


# Training.


def run_task(task: Task, options: Options, workdir: pathlib.Path) -> None:
  """Trains a task of a sweep, on any node of a cluster."""
  if not (workdir / SWEEP).exists():
    raise ssnn_jax.UserError(
      f'node {platform.node()} cannot access {workdir}; choose a --workdir on '
      'a file system that all nodes share.'
    )
  if not is_finished(task):
    data = load(task.config, options.data_dir, options.download)
    train(task, data, options)


def train(
  task: Task, dataset: datasets.Dataset, options: Options = _DEFAULTS
) -> None:
  """Trains and records a task, unless it is finished, from its last checkpoint.

  Raises:
    UserError: if the data, the devices or the folder do not match the task.
  """
  config = task.config
  network = config_lib.network_config(config, dataset)
  mesh = _make_mesh(config, options.num_devices)
  splits = dataset.train, eval_split(dataset)
  programs = make_programs(config, network, mesh, len(dataset.train.labels))
  like = _blank_state(task, programs, dataset.train)
  initial = read_initial(task, network)
  with _opened(task) as manager:
    if manager is None:
      return
    state, run = _start(task, programs, manager, like, mesh, splits, initial)
    is_chip = config.method == config_lib.CHIP
    trained = config_lib.chip_config(config, network) if is_chip else network
    networks.write_config(task.folder, trained)
    splits = sharding.replicate(mesh, splits)
    accuracy, state = _train_epochs(
      task, programs, manager, state, run, splits, options
    )
    own = _measure(task, programs, state, accuracy, splits)
    manager.wait_until_finished()
    window = network.schedule.window
    lines = [
      {
        'event': 'final',
        'seed': seed,
        'method': config.method,
        'dataset': config_lib.short_name('dataset', config.dataset),
        'num_steps': config.num_steps,
        'window': window,
        'neuron': network.neuron,
        'sampler': network.input_sampler,
        'layer_sizes': network.layer_sizes,
        'num_train_samples': len(dataset.train.labels),
        'num_eval_samples': len(eval_split(dataset).labels),
        **numbers,
        'train_seconds': run['train_seconds'],
        'seeds_at_once': task.num_seeds,
        **run['environment'],
        'num_devices': mesh.size,
      }
      for seed, numbers in zip(task.seeds, own)
    ]
    _write(task, run['lines'] + lines)


def _train_epochs(task, programs, manager, state, run, splits, options):
  """Trains the missing epochs; returns the last accuracy and state."""
  config, before = task.config, run['environment']['epochs_before']
  first = int(jax.device_get(state.epoch)[0]) - before
  if first:
    ended = f'{first} of {config.num_epochs} epochs'
    print(f'{task.folder} is continued after {ended}', flush=True)
  # Compiled here, so that the time of training does not include it.
  train_epoch = programs.training.train_epoch.lower(state, splits[0]).compile()

  def timed(*args):
    began = time.monotonic()
    result = jax.block_until_ready(train_epoch(*args))
    run['train_seconds'] += time.monotonic() - began
    return result

  epochs = loop.run(
    loop.Programs(timed, programs.training.evaluate),
    state,
    *splits,
    before + config.num_epochs,
    config.eval_every,
  )
  accuracy, saved = None, time.monotonic()
  with _Progress(config, first, options.print_every) as show:
    for total, state, means, accuracy in epochs:
      values = {'loss': means.loss, 'train_accuracy': means.accuracy}
      if accuracy is not None:
        values['test_accuracy'] = accuracy.default
      if programs.observe:
        values |= programs.observe(state, splits[0])._asdict()
      rows = _rows(values, task.num_seeds)
      run['lines'] += [
        {'event': 'epoch', 'seed': seed, 'epoch': total - before, **row}
        for seed, row in zip(task.seeds, rows)
      ]
      show(total - before, rows)
      is_late = time.monotonic() >= saved + options.checkpoint_every
      # Training does not wait for a checkpoint that is still being written.
      if accuracy is None and (not is_late or manager.is_saving_in_progress()):
        continue
      evaluated = accuracy and float(np.mean(accuracy.default))
      copied = jax.device_get(_unwrap_keys(state))
      checkpoints.save(manager, copied, task.seeds, run, evaluated)
      _write(task, run['lines'])
      saved = time.monotonic()
  if accuracy is None:  # the task was resumed after its last epoch
    accuracy = programs.training.evaluate(state, splits[1])
  return accuracy, state


def _seeds_and_rates(task):
  """Returns the seeds of a task, and their learning rates."""
  rates = np.full(task.num_seeds, task.config.learning_rate, np.float32)
  return np.array(task.seeds, np.int32), rates


def _blank_state(task, programs, split):
  """Returns a state of NumPy zeros in the shapes of a checkpoint."""
  drawn = None, np.int32(0)
  shapes = jax.eval_shape(programs.start, *_seeds_and_rates(task), *drawn)
  # Refuses too large networks and too long trains before any file is written.
  jax.eval_shape(programs.training.train_epoch, shapes, split)
  shapes = jax.eval_shape(_unwrap_keys, shapes)
  return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def _unwrap_keys(state):
  """Replaces the key of each seed by its data, as checkpoints save it."""
  return state.replace(key=jax.random.key_data(state.key))


def _start(task, programs, manager, like, mesh, splits, initial):
  """Returns the state and the record where training starts."""
  digest = provenance.sha256(splits)
  found = checkpoints.restore(manager, like)
  if found is None:
    params, epochs = initial or (None, 0)
    environment = provenance.environment()
    environment = environment.pop('versions') | environment
    environment |= {'data_sha256': digest, 'epochs_before': epochs}
    run = {
      'config': _to_json(task),
      'environment': environment | {'restored_epochs': []},
      'train_seconds': 0.0,
      'lines': [],
    }
    seeds_and_rates = _seeds_and_rates(task)
    return programs.start(*seeds_and_rates, params, np.int32(epochs)), run
  run = found.record
  _refuse_other(task, run['config'], 'a checkpoint of another run')
  if run['environment']['data_sha256'] != digest:
    raise ssnn_jax.UserError(
      f'--dataset={task.config.dataset} holds other samples than those on '
      f'which the run in {task.folder} was trained; restore the data, or start '
      'a new run in another folder.'
    )
  run['environment']['restored_epochs'].append(found.epoch)
  state = sharding.replicate(mesh, found.state)
  return state.replace(key=jax.random.wrap_key_data(state.key)), run


def _measure(task, programs, state, accuracy, splits):
  """Returns the numbers of each seed after the last epoch."""
  values = {
    'test_accuracy': accuracy.default,
    'test_accuracy_winner': accuracy.winner,
    'test_accuracy_largest': accuracy.largest,
    'test_accuracy_potential': accuracy.potential,
    'test_accuracy_rate': accuracy.rate,
  }
  if programs.measure:
    params = programs.train_ann(*_seeds_and_rates(task), splits[0])
    values |= programs.measure(state, params, splits[0])
  elif task.config.diagnostics and task.config.method == config_lib.ANN:
    values |= dict.fromkeys(_ERRORS, jnp.zeros(task.num_seeds))
  rows = _rows(values, task.num_seeds)
  params = jax.device_get(state.params)
  for index, row in enumerate(rows):
    mine = jax.tree.map(lambda leaf: leaf[index], params)  # noqa: B023
    row['params_sha256'] = provenance.sha256(mine)
  return rows


def _rows(values: Mapping[str, Any], num_seeds: int) -> list[dict[str, Any]]:
  """Turns values, arrays `[S]` or tuples of them, into flat rows of numbers."""
  flat = {}
  for name, value in zip(values, jax.device_get(list(values.values()))):
    if isinstance(value, tuple):
      flat |= {f'{name}_{layer}': own for layer, own in enumerate(value)}
    elif value is not None:
      flat[name] = value
  return [
    {name: _to_number(array[index]) for name, array in flat.items()}
    for index in range(num_seeds)
  ]


def _to_number(value):
  """Converts a scalar of NumPy; a float has the digits of its type."""
  if isinstance(value, np.floating):
    # JSON has no NaN or infinity.
    return float(str(value)) if np.isfinite(value) else None
  return value.item()


def _write(task, lines):
  text = ''.join(f'{json.dumps(line)}\n' for line in lines)
  files.write_atomically(task.folder / METRICS, text)


class _Progress:
  """A bar on terminals, and lines in logs, with loss and accuracies."""

  def __init__(self, config, first, print_every):
    self._bar = tqdm.tqdm(
      total=config.num_epochs, initial=first, disable=None, unit='epoch'
    )
    self._split = config_lib.split_name(config)
    self._apart, self._last = print_every, time.monotonic()

  def __enter__(self):
    return self

  def __exit__(self, *error):
    self._bar.close()

  def __call__(self, epoch, rows):
    def mean(name):  # of a loss that is not finite, NaN
      return np.mean([row[name] for row in rows], dtype=float)

    text = f'loss {mean("loss"):.4f}, '
    text += f'train accuracy {mean("train_accuracy"):.2%}'
    if 'test_accuracy' in rows[0]:
      text += f', {self._split} accuracy {mean("test_accuracy"):.2%}'
    self._bar.set_postfix_str(text, refresh=False)
    self._bar.update()
    now = time.monotonic()
    if self._bar.disable and now >= self._last + self._apart:
      print(f'epoch {epoch}/{self._bar.total}: {text}', flush=True)
      self._last = now
