"""Trains runs together, and records them as they come along."""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import itertools
import time
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import numpy as np
import tqdm

from experiments import cli
from experiments import configs
from experiments import data
from experiments import methods
from experiments import multihost
from experiments import programs
from experiments import recorder
import ssnn_jax
from ssnn_jax.runs import provenance
from ssnn_jax.training import sharding


def define_flags() -> None:
  """Defines the flags of the options."""
  with cli.group('Records'):
    flags.DEFINE_float(
      'checkpoint_every',
      30.0,
      'seconds between checkpoints, at least; evaluations have one, too.',
      lower_bound=0.0,
    )
    flags.DEFINE_boolean(
      'tensorboard',
      False,
      'write metrics for TensorBoard, too; it takes the package tensorboardX.',
    )
  with cli.group('Machine'):
    flags.DEFINE_integer(
      'num_devices',
      None,
      'devices that share each batch; left out: all there are.',
    )


@dataclasses.dataclass(frozen=True)
class Options:
  """How runs are trained; none of it changes what they learn."""

  checkpoint_every: float = 30.0  # seconds between checkpoints
  tensorboard: bool = False  # whether metrics are written for it, too
  num_devices: int | None = None  # that share each batch; None for all


def make_options(values: Mapping[str, Any]) -> Options:
  """Takes the options from the values of flags."""
  names = [field.name for field in dataclasses.fields(Options)]
  return Options(**{name: values[name] for name in names})


def train(
  runs: Sequence[recorder.Run],
  dataset: ssnn_jax.datasets.Dataset,
  options: Options = Options(),
  *,
  resume: bool = True,
) -> None:
  """Trains and records runs, new ones and those that did not finish.

  All are trained in one program if a device has the memory for it, those that
  go on from different epochs apart.

  Args:
    runs: what is trained; they differ in seed and learning rate alone.
    dataset: what they train on and are judged on.
    options: how.
    resume: whether runs that did not finish go on; if not, all must be new.

  Raises:
    UserError: if a run does not fit the data or the devices, or its folder
      cannot be used.
  """
  config = runs[0].config
  network_config = configs.network_config(config, dataset)
  mesh = _make_mesh(config, options)
  if methods.METHODS[config.method].has_pulses:
    cli.recommend_kernels()
  functions = programs.make(
    config, network_config, mesh, len(dataset.train.labels)
  )
  like = jax.eval_shape(functions.start, *_members(runs[:1]))
  like = jax.tree.map(lambda leaf: np.zeros(leaf.shape[1:], leaf.dtype), like)
  with recorder.open_all(
    runs, like, resume=resume, tensorboard=options.tensorboard
  ) as opened:
    splits = sharding.replicate(mesh, (dataset.train, data.judged_on(dataset)))
    job = _Job(config, network_config, functions, mesh, *splits, options)
    for _, group in itertools.groupby(sorted(opened, key=_epoch), _epoch):
      _train_group(job, list(group))


class _Job(NamedTuple):
  """What the runs of a call have in common."""

  config: configs.ExperimentConfig
  network_config: ssnn_jax.NetworkConfig
  functions: programs.Programs
  mesh: jax.sharding.Mesh
  train_set: ssnn_jax.datasets.Split
  judged_on: ssnn_jax.datasets.Split
  options: Options


def _make_mesh(config, options):
  """Chooses the devices that share each batch."""
  devices, wanted = jax.devices(), options.num_devices
  if wanted is not None and jax.process_count() > 1:
    raise ssnn_jax.UserError(
      '--num_devices is for one process, and --multihost takes the devices of '
      'all; leave one of them out.'
    )
  if wanted is not None and not 1 <= wanted <= len(devices):
    raise ssnn_jax.UserError(
      f'--num_devices={wanted} is not possible, as jax finds {len(devices)} '
      'here; choose a number from 1 up to that.'
    )
  try:
    return sharding.make_mesh(config.batch_size, devices[:wanted])
  except ssnn_jax.UserError as error:
    remedy = str(error).removesuffix('.')
    raise ssnn_jax.UserError(f'--{remedy} (--num_devices).') from None


def _train_group(job, opened):
  """Trains runs that go on from the same epoch."""
  began = time.monotonic()
  state = _start_state(job, opened)
  train_epoch = job.functions.train_epoch.lower(state, job.train_set).compile()
  if len(opened) > 1 and not programs.fit_in_memory(train_epoch):
    del state
    half = len(opened) // 2
    for part in (opened[:half], opened[half:]):
      _train_group(job, part)
    return
  clock = _Clock(opened[0].start, began)
  with tqdm.tqdm(
    total=job.config.num_epochs,
    initial=_epoch(opened[0]),
    disable=None if multihost.is_first() else True,
    unit='epoch',
  ) as progress:
    state, accuracy = _train_epochs(
      job, opened, train_epoch, state, clock, progress
    )
    progress.set_postfix_str('measuring errors')
    _finish(job, opened, state, accuracy, clock)


def _train_epochs(job, opened, train_epoch, state, clock, progress):
  """Trains all epochs to come; returns the state and the last accuracy."""
  config, accuracy, saved = job.config, None, time.monotonic()
  for epoch in range(_epoch(opened[0]) + 1, config.num_epochs + 1):
    with clock.training():
      state, means = jax.block_until_ready(train_epoch(state, job.train_set))
    recorder.append_each(
      opened,
      'epoch',
      epoch=epoch,
      loss=means.loss,
      train_accuracy=means.accuracy,
      **_observe(job, state, epoch),
    )
    is_last, accuracy = epoch == config.num_epochs, None
    if is_last or _is_due(config.eval_every, epoch):
      accuracy = job.functions.evaluate(state, job.judged_on)
      recorder.append_each(
        opened, 'eval', epoch=epoch, test_accuracy=accuracy.winner
      )
    is_late = time.monotonic() >= saved + job.options.checkpoint_every
    # What is still being written need not be waited for by what comes next.
    if accuracy is not None or (is_late and not recorder.is_writing(opened)):
      recorder.save_each(opened, state, clock.seconds(), accuracy)
      saved = time.monotonic()
    progress.update()
  return state, accuracy


def _observe(job, state, epoch):
  """Takes what the line of an epoch tells of the probe batch."""
  observed = job.functions.observe(state, job.train_set)._asdict()
  seen = {name: told for name, told in observed.items() if told is not None}
  if _is_due(job.config.probe_every, epoch):
    seen |= job.functions.measure(state, job.train_set)
  return seen


def _finish(job, opened, state, accuracy, clock):
  """Records the end of runs whose last epoch is done."""
  if accuracy is None:  # they were stopped between that epoch and the end
    accuracy = job.functions.evaluate(state, job.judged_on)
  digests = _digests(state.params, len(opened))
  pulses = job.functions.count_pulses(state, job.train_set)
  seeds, rates = _members([record.run for record in opened])
  method = job.config.method
  if method != methods.ANN and methods.METHODS[method].estimates_gradient:
    # At weights that are the same for every T, so that these can be compared.
    state = job.functions.train_ann(seeds, rates, job.train_set)
  errors = job.functions.measure(state, job.train_set)
  recorder.wait_for_each(opened)
  recorder.append_each(
    opened,
    'final',
    method=method,
    dataset=job.config.dataset,
    num_steps=job.config.num_steps,
    # A list is of one value a run.
    layer_sizes=[job.network_config.layer_sizes] * len(opened),
    num_train_samples=len(job.train_set.labels),
    window=job.network_config.schedule.window,
    sampler=job.config.sampler,
    seed=seeds,
    test_accuracy=accuracy.winner,
    test_accuracy_potential=accuracy.potential,
    test_accuracy_rate=accuracy.rate,
    **errors,
    **pulses,
    params_sha256=digests,
    num_devices=job.mesh.size,
    train_seconds=clock.seconds()['train'],
    wall_seconds=clock.seconds()['wall'],
    seeds_at_once=len(opened),
  )


class _Clock:
  """The seconds that runs have taken, before they were stopped and since."""

  def __init__(self, start, began):
    self._train = float(start.seconds['train'])
    self._began = began - float(start.seconds['wall'])

  @contextlib.contextmanager
  def training(self):
    """Counts what it encloses as training: no compiling, no evaluating."""
    began = time.monotonic()
    yield
    self._train += time.monotonic() - began

  def seconds(self):
    """Tells the seconds so far."""
    return {'train': self._train, 'wall': time.monotonic() - self._began}


def _epoch(record):
  return int(record.start.epoch)


def _is_due(every, epoch):
  return every > 0 and epoch % every == 0


def _members(runs):
  """Lists the seeds and learning rates of runs."""
  pairs = [(run.config.seed, run.config.learning_rate) for run in runs]
  seeds, rates = zip(*pairs)
  return np.array(seeds, np.int32), np.array(rates, np.float32)


def _start_state(job, opened):
  """Makes the state before the first epoch, or that after the last one done."""
  if not _epoch(opened[0]):
    return job.functions.start(*_members([record.run for record in opened]))
  states = [record.start.state for record in opened]
  together = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
  return sharding.replicate(job.mesh, together)


def _digests(params, num_runs):
  host = jax.device_get(params)
  return [
    provenance.sha256(jax.tree.map(lambda leaf: leaf[index], host))  # noqa: B023
    for index in range(num_runs)
  ]
