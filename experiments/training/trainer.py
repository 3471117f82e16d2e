"""Trains and records one setting with a range of seeds, or continues it."""

from collections.abc import Iterator
import contextlib
import dataclasses
import json
import pathlib
import time
from typing import Any
from typing import NamedTuple

import jax
import numpy as np
import tqdm

from experiments import record
from experiments.config import experiment
from experiments.config import field
from experiments.config import methods
from experiments.training import data
from experiments.training import multihost
from experiments.training import programs
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import chip
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.runs import networks
from ssnn_jax.runs import provenance
from ssnn_jax.training import loop
from ssnn_jax.training import sharding


class Task(NamedTuple):
  """A setting with a range of seeds, which are trained together.

  Attributes:
    config: its configuration, with the first seed.
    num_seeds: number of seeds, counted from the first.
    folder: folder of its record.
  """

  config: experiment.ExperimentConfig
  num_seeds: int
  folder: pathlib.Path

  @property
  def seeds(self) -> range:
    """Its seeds."""
    return range(self.config.seed, self.config.seed + self.num_seeds)


@dataclasses.dataclass(frozen=True)
class Options:
  """Training options that do not affect weights; each field is a flag."""

  checkpoint_every: float = field.field(
    'Records',
    30.0,
    'minimum seconds between checkpoints; each evaluation also writes a '
    'checkpoint',
  )
  tensorboard: bool = field.field(
    'Records',
    False,
    'also write TensorBoard events (needs the package tensorboardX)',
  )
  num_devices: int | None = field.field(
    'Machine',
    None,
    'number of devices that share each batch; default: all devices',
  )

  def __post_init__(self):
    every = self.checkpoint_every
    field.check('checkpoint_every', every, every >= 0, '0 or more')


def read_task(folder: pathlib.Path) -> Task:
  """Reads the configuration of the folder of a task.

  Raises:
    UserError: if the folder holds no configuration of this version.
  """
  path = folder / record.CONFIG
  if (folder / record.SWEEP).exists():
    raise ssnn_jax.UserError(
      f'{folder} is the folder of a sweep; repeat the command of the sweep to '
      'continue it, or choose another folder for a run.'
    )
  try:
    checks.check_file(path)
    recorded = json.loads(path.read_text())
    num_seeds = recorded.pop('num_seeds')
    config = experiment.from_json(recorded)
  except (OSError, ValueError, TypeError, KeyError) as error:
    reason = getattr(error, 'strerror', None) or str(error).rstrip('.')
    raise ssnn_jax.UserError(
      f'{folder} holds no run that can be continued ({reason}); give the '
      'folder of a run, or a new folder, and --init_from=FOLDER to start from '
      'a saved network.'
    ) from None
  return Task(config, num_seeds, folder)


def _config(task):
  return experiment.to_json(task.config) | {'num_seeds': task.num_seeds}


def _refuse_other(task, found, what):
  """Raises a user error if a configuration is not that of a task."""
  differences = [
    f'{name} is {found.get(name)}, not {value}'
    for name, value in _config(task).items()
    if found.get(name) != value
  ]
  if differences:
    raise ssnn_jax.UserError(
      f'{task.folder} holds {what} ({"; ".join(differences)}); use the '
      'recorded values, or another folder.'
    )


def is_finished(task: Task) -> bool:
  """Returns whether a task is finished, according to its folder.

  Raises:
    UserError: if the folder holds a run with another configuration, or other
      files.
  """
  if not files.is_nonempty(task.folder):
    return False
  _refuse_other(task, _config(read_task(task.folder)), 'another run')
  return record.is_finished(task.folder)


def train(
  task: Task,
  dataset: ssnn_jax.datasets.Dataset,
  options: Options = Options(),
  *,
  seconds_between_lines: float = 0,
) -> None:
  """Trains and records a task, unless it is finished, from its last checkpoint.

  Args:
    task: the task.
    dataset: data for training and evaluation.
    options: options of training.
    seconds_between_lines: minimum time between lines of progress, where the
      output is no terminal.

  Raises:
    UserError: if the data, the devices or the folder do not match the task.
  """
  config = task.config
  network_config = experiment.network_config(config, dataset)
  mesh = _make_mesh(config, options)
  train_set, eval_set = dataset.train, data.eval_split(dataset)
  made = programs.make(config, network_config, mesh, len(train_set.labels))
  like = _blank_state(task, made)  # refuses large networks before any file
  initial = read_initial(task, network_config)
  with contextlib.ExitStack() as stack:
    manager = stack.enter_context(_opened(task))
    if manager is None:
      return
    digest = provenance.sha256((train_set, eval_set))
    state, run = _start(task, made, manager, like, mesh, digest, initial)
    method = methods.METHODS[config.method]
    trained = method.configure(config, network_config)
    multihost.in_primary(lambda: networks.write_config(task.folder, trained))
    train_set, eval_set = sharding.replicate(mesh, (train_set, eval_set))
    clock = _Clock(run['seconds'])
    made = stack.enter_context(
      programs.compiled(
        made, _seeds_and_rates(task), state, train_set, eval_set
      )
    )
    # Epochs of the run, without those before it.
    before = run['environment'].get('init_from', {}).get('epochs', 0)
    first = int(jax.device_get(state.epoch)[0]) - before
    board = None
    if options.tensorboard:
      board = multihost.in_primary(
        lambda: _open_tensorboard(task.folder, first)
      )
      stack.callback(lambda: board and board.close())
    epochs = loop.run(
      loop.Programs(
        clock.time(made.training.train_epoch), made.training.evaluate
      ),
      state,
      train_set,
      eval_set,
      before + config.num_epochs,
      config.eval_every,
    )
    accuracy, saved = None, time.monotonic()
    show = _Progress(config, first, seconds_between_lines)
    for total, state, means, accuracy in epochs:
      number = total - before
      values = {'loss': means.loss, 'train_accuracy': means.accuracy}
      if made.observe:
        activity = made.observe(state, train_set)._asdict()
        values |= {name: x for name, x in activity.items() if x is not None}
      if config.probe_every and number % config.probe_every == 0:
        values |= made.probe(state, train_set)
      if accuracy is not None:
        every = np.full(task.num_seeds, number)
        values |= {'test_accuracy': accuracy.winner, 'eval_epochs': every}
      values = jax.device_get(values)
      _append(run['curves'], values)
      show(number, values)
      if board:
        _add_scalars(board, task.seeds, values, number)
      is_late = time.monotonic() >= saved + options.checkpoint_every
      # Training does not wait for a checkpoint that is still being written.
      if accuracy is None and (not is_late or manager.is_saving_in_progress()):
        continue
      run['seconds'] = clock.seconds()
      evaluated = None if accuracy is None else float(np.mean(accuracy.winner))
      own = jax.device_get(_unwrap_keys(state))
      checkpoints.save(manager, own, task.seeds, run, evaluated)
      _write(
        task, run, [{'event': 'unfinished', 'seed': s} for s in task.seeds]
      )
      saved = time.monotonic()
    show.close()
    if accuracy is None:  # the task was resumed after its last epoch
      accuracy = made.training.evaluate(state, eval_set)
    splits = train_set, eval_set
    final = _results(task, network_config, made, mesh, state, accuracy, splits)
    manager.wait_until_finished()
    times = {f'{name}_seconds': x for name, x in clock.seconds().items()}
    _write(task, run, [{**line, **times} for line in final])


def _make_mesh(config, options):
  """Chooses the devices that share each batch."""
  devices, wanted = jax.devices(), options.num_devices
  if wanted is not None and jax.process_count() > 1:
    raise ssnn_jax.UserError(
      '--num_devices and --multihost exclude each other, as --multihost uses '
      'all devices of all processes; leave one of them out.'
    )
  if config.method == methods.CHIP:  # its samples follow one another
    is_alone = wanted in (None, 1) and jax.process_count() == 1
    expected = '1, and one process, as the chip presents sample after sample'
    field.check('num_devices', wanted, is_alone, expected)
    wanted = 1
  if wanted is not None and not 1 <= wanted <= len(devices):
    raise ssnn_jax.UserError(
      f'--num_devices={wanted} is out of range; choose a number from 1 to '
      f'{len(devices)}, the number of devices.'
    )
  with field.named('num_devices'):
    return sharding.make_mesh(config.batch_size, devices[:wanted])


class Initial(NamedTuple):
  """Parameters of --init_from."""

  params: ssnn_jax.Params  # [S, ...] floats, also of a chip
  epochs: int  # epochs that they were trained before; 0 if not known


def read_initial(
  task: Task, network_config: ssnn_jax.NetworkConfig
) -> Initial | None:
  """Reads the parameters of --init_from: of each seed, or the same for all.

  Args:
    task: the task.
    network_config: the configuration of its network.

  Returns:
    The parameters; None without --init_from, and for a task with a checkpoint,
    which does not need them.

  Raises:
    UserError: if there are no parameters, or their layers are others.
  """
  if not task.config.init_from:
    return None
  if checkpoints.last_epoch(task.folder) is not None:
    return None
  folder = pathlib.Path(task.config.init_from)
  with field.named('init_from'):
    epochs = checkpoints.last_epoch(folder)
    has_seeds = epochs is not None and read_task(folder).num_seeds > 1
    found = [
      ssnn_jax.load(folder, seed=seed if has_seeds else None)
      for seed in (task.seeds if has_seeds else task.seeds[:1])
    ]
    config = found[0].config
    params = [own.params for own in found]
    if isinstance(config, chip.ChipConfig):
      params = [chip.dequantize(config, own) for own in params]
      config = ssnn_jax.NetworkConfig(config.layer_sizes)
    ours, theirs = map(_describe_layers, (network_config, config))
    if ours != theirs:
      raise ssnn_jax.UserError(
        f'{folder} holds a network of {theirs}, not {ours}; give its layers '
        'by --layer_sizes or --layers.'
      )
  shape = lambda *own: np.broadcast_to(
    np.stack(own), (task.num_seeds, *own[0].shape)
  )
  return Initial(jax.tree.map(shape, *params), epochs or 0)


def _describe_layers(config):
  """Describes the layers of a network: their neurons, and shared weights."""
  text = '-'.join(map(str, config.layer_sizes)) + ' neurons'
  shapes = [wiring.weights_shape for wiring in config.wirings]
  if shapes == list(zip(config.layer_sizes, config.layer_sizes[1:])):
    return text
  return f'{text} and weights of {", ".join(map(str, shapes))}'


@contextlib.contextmanager
def _opened(task: Task) -> Iterator[Any]:
  """Locks the folder of a task; yields its checkpoints, or None if finished."""
  with contextlib.ExitStack() as stack:

    def prepare():
      stack.enter_context(files.exclusive_lock(task.folder))
      if not is_finished(task):
        text = json.dumps(_config(task), indent=2) + '\n'
        files.write_atomically(task.folder / record.CONFIG, text)

    multihost.in_primary(prepare)
    if is_finished(task):
      yield None
    else:
      yield stack.enter_context(checkpoints.open_in(task.folder))


def _seeds_and_rates(task):
  """Returns the seeds of a task, and their learning rates."""
  rate = task.config.learning_rate
  seeds = np.array(task.seeds, np.int32)
  return seeds, np.full(task.num_seeds, rate, np.float32)


def _blank_state(task, made):
  """Returns a state of NumPy zeros in the shapes of a checkpoint."""
  drawn = None, np.int32(0)
  shapes = jax.eval_shape(made.start, *_seeds_and_rates(task), *drawn)
  shapes = jax.eval_shape(_unwrap_keys, shapes)
  return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def _start(task, made, manager, like, mesh, digest, initial):
  """Returns the state and the record where training starts."""
  found = checkpoints.restore(manager, like)
  if found is None:
    environment = {'data_sha256': digest, **provenance.environment()}
    run = {
      'config': _config(task),
      'environment': environment,
      'seconds': {'train': 0.0, 'wall': 0.0},
      'curves': [{} for _ in task.seeds],
    }
    params, epochs = initial or (None, 0)
    if initial:
      environment['init_from'] = {
        'epochs': epochs,
        'params_sha256': provenance.sha256(params),
      }
    own = _seeds_and_rates(task)
    return made.start(*own, params, np.int32(epochs)), run
  run = found.record
  _refuse_other(task, run['config'], 'a checkpoint of another run')
  if run['environment']['data_sha256'] != digest:
    raise ssnn_jax.UserError(
      f'--dataset={task.config.dataset} holds other samples than those on '
      f'which the run in {task.folder} was trained; restore the data, or start '
      'a new run in another folder.'
    )
  restored = {'epoch': found.epoch, 'sha256': found.sha256}
  run['environment'].setdefault('restored', []).append(
    restored | {'time': provenance.environment()['time']}
  )
  state = sharding.replicate(mesh, found.state)
  return state.replace(key=jax.random.wrap_key_data(state.key)), run


def _unwrap_keys(state):
  """Replaces the key of each seed by its data, as checkpoints save it."""
  return state.replace(key=jax.random.key_data(state.key))


def _append(curves, values):
  """Appends values of an epoch, trees of arrays `[S]`, to curves of S seeds."""
  for index, own in enumerate(curves):
    for name, value in values.items():
      of_seed = jax.tree.map(lambda leaf: leaf[index], value)  # noqa: B023
      own.setdefault(name, []).append(record.to_json(of_seed))


def _write(task, run, numbers):
  """Writes the record of a task, with the numbers of each of its seeds."""
  if not multihost.is_primary():
    return
  config = experiment.to_record(task.config)
  lines = [
    {
      **own,
      'config': config | {'seed': seed},
      'environment': run['environment'],
      'curves': curves,
    }
    for own, seed, curves in zip(numbers, task.seeds, run['curves'])
  ]
  record.write(task.folder / record.METRICS, {}, lines)


def _results(task, network_config, made, mesh, state, accuracy, splits):
  """Returns the numbers of each seed after the last epoch."""
  config, (train_set, eval_set) = task.config, splits
  params = jax.device_get(state.params)
  ann_params = None
  if made.train_ann:
    ann_params = made.train_ann(*_seeds_and_rates(task), train_set)
  own = {
    'test_accuracy': accuracy.winner,
    'test_accuracy_largest': accuracy.largest,
    'test_accuracy_potential': accuracy.potential,
    'test_accuracy_rate': accuracy.rate,
    **made.measure(state, ann_params, train_set),
  }
  own = {k: v for k, v in jax.device_get(own).items() if v is not None}
  bits = methods.count_stored_bits(config.method, network_config)
  is_chip = config.method == methods.CHIP
  shared = {
    'method': config.method,
    'dataset': experiment.to_record(config)['dataset'],
    'num_steps': config.num_steps,
    'layer_sizes': network_config.layer_sizes,
    'input_shape': network_config.input_shape,
    'num_train_samples': len(train_set.labels),
    'num_eval_samples': len(eval_set.labels),
    'window': network_config.schedule.window,
    'sampler': None if is_chip else config.sampler,
    'generator': config.generator if is_chip else None,
    'stored_bits': bits,
    'num_devices': mesh.size,
    'seeds_at_once': task.num_seeds,
  }
  shared = {k: record.to_json(v) for k, v in shared.items() if v is not None}
  lines = []
  for index, seed in enumerate(task.seeds):
    of_seed = lambda leaf: leaf[index]  # noqa: B023
    digest = provenance.sha256(jax.tree.map(of_seed, params))
    numbers = record.to_json(list(jax.tree.map(of_seed, own).values()))
    numbers = dict(zip(own, numbers)) | {'params_sha256': digest}
    lines.append({'event': 'final', **shared, 'seed': seed, **numbers})
  return lines


class _Clock:
  """Training and wall time of a task, including the time before a kill."""

  def __init__(self, seconds):
    self._train = seconds['train']
    self._began = time.monotonic() - seconds['wall']

  def time(self, train_epoch):
    """Adds the time of each call of a function to the training time."""

    def timed(*args):
      began = time.monotonic()
      result = jax.block_until_ready(train_epoch(*args))
      self._train += time.monotonic() - began
      return result

    return timed

  def seconds(self):
    """Returns the times so far, in seconds."""
    return {'train': self._train, 'wall': time.monotonic() - self._began}


class _Progress:
  """A bar on terminals, and lines in logs, with loss and accuracies."""

  def __init__(self, config, first, seconds_between_lines):
    is_hidden = None if multihost.is_primary() else True  # None: on terminals
    self._bar = tqdm.tqdm(
      total=config.num_epochs, initial=first, disable=is_hidden, unit='epoch'
    )
    self._names = {
      'loss': ('loss', '.4f'),
      'train_accuracy': ('train accuracy', '.2%'),
      'test_accuracy': (f'{data.split_name(config)} accuracy', '.2%'),
    }
    self._apart, self._last = seconds_between_lines, time.monotonic()

  def __call__(self, epoch, values):
    text = ', '.join(
      f'{label} {np.mean(values[name]):{form}}'
      for name, (label, form) in self._names.items()
      if name in values
    )
    self._bar.set_postfix_str(text, refresh=False)
    self._bar.update()
    now = time.monotonic()
    is_due = now >= self._last + self._apart
    if self._bar.disable and multihost.is_primary() and is_due:
      print(f'epoch {epoch}/{self._bar.total}: {text}', flush=True)
      self._last = now

  def close(self):
    self._bar.close()


def _open_tensorboard(folder, first):
  """Opens a writer of TensorBoard events; needs an optional package."""
  try:
    import tensorboardX
  except ImportError:
    raise ssnn_jax.UserError(
      '--tensorboard needs the package tensorboardX, which is not installed; '
      "pip install '.[tensorboard]'."
    ) from None
  return tensorboardX.SummaryWriter(
    str(folder / 'tensorboard'),
    purge_step=first + 1,  # hides later epochs, which are trained again
    # Distinguishes files that are created in the same second.
    filename_suffix=f'.{first}',
  )


def _add_scalars(board, seeds, values, epoch):
  """Writes the numbers of an epoch as TensorBoard events."""
  for name, value in values.items():
    parts = {name: value}
    if isinstance(value, tuple):
      parts = {f'{name}/{layer}': own for layer, own in enumerate(value)}
    for tag, own in parts.items():
      for seed, scalar in zip(seeds, own):
        of_seed = f'{tag}/seed_{seed}' if len(seeds) > 1 else tag
        board.add_scalar(of_seed, float(scalar), epoch)
  board.flush()
