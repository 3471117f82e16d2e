"""Training loop of several runs, with metrics and checkpoints."""

from collections.abc import Sequence
import dataclasses
import itertools
import time
from typing import NamedTuple

import jax
import numpy as np
import tqdm

from experiments.config import experiment
from experiments.config import field
from experiments.config import methods
from experiments.training import data
from experiments.training import multihost
from experiments.training import programs
from experiments.training import recorder
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import provenance
from ssnn_jax.training import loop
from ssnn_jax.training import sharding


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


def train(
  runs: Sequence[recorder.Run],
  dataset: ssnn_jax.datasets.Dataset,
  options: Options = Options(),
  *,
  resume: bool = True,
) -> None:
  """Trains and records new and unfinished runs.

  Runs that start from the same epoch are trained in one program if a device
  has enough memory.

  Args:
    runs: the runs, which differ only in seed and learning rate.
    dataset: data for training and evaluation.
    options: options of training.
    resume: whether unfinished runs are resumed; otherwise all must be new.

  Raises:
    UserError: if the data, the devices or a folder do not match a run.
  """
  config = runs[0].config
  network_config, *_ = [
    experiment.network_config(run.config, dataset) for run in runs
  ]
  mesh = _make_mesh(config, options)
  made = programs.make(config, network_config, mesh, len(dataset.train.labels))
  start = jax.eval_shape(made.start, *_members(runs[:1]))
  like = jax.eval_shape(recorder.unwrap_keys, start)
  like = jax.tree.map(lambda leaf: np.zeros(leaf.shape[1:], leaf.dtype), like)
  splits = dataset.train, data.eval_split(dataset)
  digest = provenance.sha256(splits)
  with recorder.open_all(
    runs, like, digest, resume=resume, tensorboard=options.tensorboard
  ) as opened:
    splits = sharding.replicate(mesh, splits)
    job = _Job(config, network_config, made, mesh, *splits, options)
    for _, group in itertools.groupby(sorted(opened, key=_epoch), _epoch):
      _train_group(job, list(group))


class _Job(NamedTuple):
  config: experiment.ExperimentConfig
  network_config: ssnn_jax.NetworkConfig
  programs: programs.Programs
  mesh: jax.sharding.Mesh
  train_set: ssnn_jax.datasets.Split
  eval_split: ssnn_jax.datasets.Split
  options: Options


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
  try:
    return sharding.make_mesh(config.batch_size, devices[:wanted])
  except ssnn_jax.UserError as error:
    remedy = str(error).removesuffix('.')
    raise ssnn_jax.UserError(f'--{remedy} (--num_devices).') from None


def _train_group(job, opened):
  """Trains and records runs that start from the same epoch."""
  config = job.config
  clock = _Clock(opened[0].start)
  state = _start_state(job, opened)
  train_epoch, evaluate = job.programs.training
  train_epoch = train_epoch.lower(state, job.train_set).compile()
  needed = programs.count_bytes(train_epoch)
  if len(opened) > 1 and needed > checks.memory_size():
    del state
    half = len(opened) // 2
    for part in (opened[:half], opened[half:]):
      _train_group(job, part)
    return
  epochs = loop.run(
    loop.Programs(clock.time(train_epoch), evaluate),
    state,
    job.train_set,
    job.eval_split,
    config.num_epochs,
    config.eval_every,
  )
  accuracy, saved = None, time.monotonic()
  for number, state, means, accuracy in tqdm.tqdm(
    epochs,
    total=config.num_epochs,
    initial=_epoch(opened[0]),
    disable=None if multihost.is_primary() else True,
    unit='epoch',
  ):
    values = {'loss': means.loss, 'train_accuracy': means.accuracy}
    activity = job.programs.observe(state, job.train_set)._asdict()
    values |= {name: x for name, x in activity.items() if x is not None}
    if config.probe_every and number % config.probe_every == 0:
      values |= job.programs.probe(state, job.train_set)
    recorder.append_each(opened, 'epoch', values, epoch=number)
    if accuracy is not None:
      evaluated = {'test_accuracy': accuracy.winner}
      recorder.append_each(opened, 'eval', evaluated, epoch=number)
    is_late = time.monotonic() >= saved + job.options.checkpoint_every
    # Training does not wait for a checkpoint that is still being written.
    is_writing = any(m.is_saving_in_progress() for m in _managers(opened))
    if accuracy is not None or (is_late and not is_writing):
      recorder.save_each(opened, state, clock.seconds(), accuracy)
      saved = time.monotonic()
  if accuracy is None:  # the runs were resumed after their last epoch
    accuracy = evaluate(state, job.eval_split)
  _record_results(job, opened, state, accuracy, clock)


def _record_results(job, opened, state, accuracy, clock):
  """Records the final line of runs after their last epoch."""
  config, network_config = job.config, job.network_config
  params = jax.device_get(state.params)
  digests = np.array(
    [
      provenance.sha256(jax.tree.map(lambda leaf: leaf[index], params))  # noqa: B023
      for index in range(len(opened))
    ]
  )
  seeds, rates = _members([record.run for record in opened])
  own = {
    'seed': seeds,
    'test_accuracy': accuracy.winner,
    'test_accuracy_largest': accuracy.largest,
    'test_accuracy_potential': accuracy.potential,
    'test_accuracy_rate': accuracy.rate,
    **job.programs.measure(seeds, rates, job.train_set),
    **job.programs.count_pulses(state, job.train_set),
    'params_sha256': digests,
  }
  for manager in _managers(opened):
    checkpoints.wait(manager)
  shared = {
    'method': config.method,
    'dataset': config.dataset,
    'num_steps': config.num_steps,
    'layer_sizes': network_config.layer_sizes,
    'input_shape': network_config.input_shape,
    'num_train_samples': len(job.train_set.labels),
    'num_eval_samples': len(job.eval_split.labels),
    'window': network_config.schedule.window,
    'sampler': config.sampler,
    'stored_bits': methods.count_stored_bits(config.method, network_config),
    'num_devices': job.mesh.size,
    'train_seconds': clock.seconds()['train'],
    'wall_seconds': clock.seconds()['wall'],
    'seeds_at_once': len(opened),
  }
  defined = {k: v for k, v in shared.items() if v is not None}
  recorder.append_each(opened, 'final', own, **defined)


def _managers(opened):
  """Returns the managers of checkpoints, which only the primary process has."""
  return [record.manager for record in opened if record.manager]


class _Clock:
  """Training and wall time of runs, including the time before a resumption."""

  def __init__(self, start):
    self._train = float(start.seconds['train'])
    self._began = time.monotonic() - float(start.seconds['wall'])

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


def _epoch(record):
  return int(record.start.epoch)


def _members(runs):
  """Lists the seeds and learning rates of runs."""
  seeds = [run.config.seed for run in runs]
  rates = [run.config.learning_rate for run in runs]
  return np.array(seeds, np.int32), np.array(rates, np.float32)


def _start_state(job, opened):
  """Returns the initial state, or the state of the last checkpoint."""
  if not _epoch(opened[0]):
    return job.programs.start(*_members([record.run for record in opened]))
  states = [record.start.state for record in opened]
  together = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
  return recorder.wrap_keys(sharding.replicate(job.mesh, together))
