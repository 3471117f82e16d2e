"""Runs tasks: in this process, by local workers, on Ray, or on Slurm.

A task is a function that may be called again: it skips what is recorded, and
resumes from its last checkpoint. So a task whose worker died is called again.
After a user error the other tasks are stopped; after other errors they go on.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import concurrent.futures
import contextlib
import dataclasses
import functools
import logging
import multiprocessing
from multiprocessing import connection
from multiprocessing import resource_tracker
import os
import pathlib
import queue
import signal
import socket
import sys
import threading
import traceback
from typing import NamedTuple

import jax
import tqdm

from experiments.config import field
import ssnn_jax

_machine = functools.partial(field.field, 'Machine')


class Task(NamedTuple):
  """A picklable function that may be called again, and its name in reports."""

  name: str
  run: Callable[[], None]


class Outcome(NamedTuple):
  """The end of a task: both texts are empty if it is done."""

  refusal: str = ''  # of a user error
  failure: str = ''  # of any other error, or the death of a worker


@dataclasses.dataclass(frozen=True)
class Options:
  """Options of the launcher; each field is a flag."""

  launcher: str = _machine(
    'local',
    'where settings are trained: on this machine, on a Ray cluster (needs the '
    'package ray), or as an array of Slurm jobs (needs submitit); all nodes '
    'need access to --workdir and --data_dir',
    choices=('local', 'ray', 'slurm'),
  )
  num_workers: int = _machine(
    1,
    'number of settings trained at a time by --launcher=local, each in a '
    'process with its own GPU, of which there must be as many, or its share '
    'of the CPU cores; 1 trains in this process, on all devices',
  )
  ray_address: str | None = _machine(
    None,
    'address of the Ray cluster; default: $RAY_ADDRESS, a cluster on this '
    'machine, or a new one',
  )
  slurm: tuple[str, ...] = _machine(
    (),
    'parameters of Slurm jobs in the names of submitit, as '
    'slurm_partition=gpu,timeout_min=600',
  )
  cpus_per_task: int = _machine(
    1, 'number of CPU cores for each setting on Ray or Slurm'
  )
  gpus_per_task: float = _machine(
    0.0, 'number of GPUs for each setting on Ray or Slurm'
  )
  num_retries: int = _machine(
    3, 'number of retries of a setting whose worker process died'
  )

  def __post_init__(self):
    for name, least in (
      ('num_workers', 1),
      ('num_retries', 0),
      ('cpus_per_task', 1),
      ('gpus_per_task', 0),
    ):
      value = getattr(self, name)
      field.check(name, value, value >= least, f'{least} or more')
    used = {'num_workers': 'local', 'ray_address': 'ray', 'slurm': 'slurm'}
    for own in dataclasses.fields(self):
      launcher, value = used.get(own.name), getattr(self, own.name)
      is_used = launcher in (None, self.launcher) or value == own.default
      field.check(
        own.name, value, is_used, f'none, without --launcher={launcher}'
      )


def launch(
  tasks: Sequence[Task],
  workdir: pathlib.Path,
  report: Callable[[str, str, int], None],
  options: Options,
) -> None:
  """Runs tasks, and reports the end of each.

  Args:
    tasks: the tasks.
    workdir: a folder that all workers share.
    report: called with the name of a task, its end, and the number of tasks
      that have ended.
    options: where the tasks are run.

  Raises:
    UserError: the first user error of a task, or one that names failed tasks.
  """
  if not tasks:
    return
  is_here = options.launcher == 'local' and options.num_workers == 1
  launchers = {'local': _local, 'ray': _ray, 'slurm': _slurm}
  run = _here if is_here else launchers[options.launcher]
  failed = []
  with contextlib.closing(run(tasks, workdir, options)) as ends:
    for number, (task, (refusal, failure)) in enumerate(ends, 1):
      if refusal:
        raise ssnn_jax.UserError(refusal)
      if failure:
        failed.append(task.name)
        print(failure, file=sys.stderr, flush=True)
      report(task.name, 'failed' if failure else 'done', number)
  if failed:
    raise ssnn_jax.UserError(
      f'{len(failed)} of {len(tasks)} tasks failed ({"; ".join(failed)}); see '
      'the messages above, and repeat the command for the missing runs.'
    )


def _attempt(run):
  """Runs a task; returns its end, with any exception as text."""
  try:
    run()
  except ssnn_jax.UserError as error:
    return Outcome(refusal=str(error))
  except Exception:
    return Outcome(failure=traceback.format_exc())
  return Outcome()


_Ends = Iterator[tuple[Task, Outcome]]


def _here(tasks, workdir, options) -> _Ends:
  """Runs tasks in this process."""
  del workdir, options
  for task in tasks:
    yield task, _attempt(task.run)


def _ends(futures) -> _Ends:
  """Yields the end of each task as its future is completed."""
  for future in concurrent.futures.as_completed(futures):
    yield futures[future], future.result()


# Local workers.


class _Worker(NamedTuple):
  """A process that runs tasks, one after another."""

  process: multiprocessing.Process
  pipe: connection.Connection
  log: pathlib.Path


def _local(tasks, workdir, options) -> _Ends:
  """Runs tasks in processes, each with its own device and share of cores."""
  number = min(options.num_workers, len(tasks))
  has_affinity = hasattr(os, 'sched_getaffinity')
  num_cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
  environment = _limit_threads(num_cores // number)
  free, workers, stopped = queue.SimpleQueue(), {}, threading.Event()

  def start(index):
    log = workdir / f'worker-{index}.log'
    workers[index] = _start_worker(index, environment, log)

  def run(task):
    index = free.get()
    try:
      for _ in range(options.num_retries + 1):
        process, pipe, log = workers[index]
        if stopped.is_set():
          break
        try:
          pipe.send(task.run)
          return pipe.recv()
        except (EOFError, OSError):
          process.join()
          start(index)
          code = process.exitcode
          how = f'exit status {code}'
          if code < 0:
            how = signal.Signals(-code).name
          if not stopped.is_set():
            print(f'{task.name}: its worker died ({how})', flush=True)
      return Outcome(failure=f'{task.name}: its worker died; see {log}')
    finally:
      free.put(index)

  with concurrent.futures.ThreadPoolExecutor(number) as pool:
    try:
      for index in range(number):
        start(index)
        free.put(index)
      yield from _ends({pool.submit(run, task): task for task in tasks})
    finally:
      stopped.set()
      for worker in list(workers.values()):
        worker.process.kill()
      pool.shutdown(cancel_futures=True)
      for worker in workers.values():
        worker.process.kill()
        worker.process.join()


def _start_worker(index, environment, log):
  """Starts a worker, which ignores Ctrl-C: this process handles it."""
  context = multiprocessing.get_context('spawn')
  ours, theirs = context.Pipe()
  process = context.Process(
    target=_work, args=(theirs, index, environment, log)
  )
  resource_tracker.ensure_running()  # its own start would undo the mask
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  process.start()
  signal.pthread_sigmask(signal.SIG_SETMASK, mask)
  theirs.close()  # only the worker can now keep the pipe open
  return _Worker(process, ours, log)


def _work(pipe, index, environment, log):
  """Runs tasks until the launcher ends, even if it is killed."""
  # Before JAX looks for devices: one GPU or TPU chip of those that it may use.
  os.environ |= environment | {
    'TPU_VISIBLE_CHIPS': str(index),
    'TPU_CHIPS_PER_PROCESS_BOUNDS': '1,1,1',
    'TPU_PROCESS_BOUNDS': '1,1,1',
    'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
  }
  jax.config.update('jax_cuda_visible_devices', str(index))
  jax.config.update('jax_rocm_visible_devices', str(index))
  tqdm.tqdm.set_lock(threading.RLock())  # a semaphore would outlive a kill
  with open(log, 'ab') as stream:
    os.dup2(stream.fileno(), 1)
    os.dup2(stream.fileno(), 2)

  def end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)

  threading.Thread(target=end_with_parent, daemon=True).start()
  while True:
    pipe.send(_attempt(pipe.recv()))


def _limit_threads(number):
  """Returns the environment variable that limits the threads of XLA."""
  return {'PJRT_NPROC': os.environ.get('PJRT_NPROC', str(max(1, number)))}


# Clusters.


def _ray(tasks, workdir, options) -> _Ends:
  """Runs tasks on a Ray cluster, to which the code of this project is sent."""
  del workdir
  os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
  try:
    import ray
  except ImportError:
    raise ssnn_jax.UserError(
      "--launcher=ray needs Ray, which is not installed; pip install '.[ray]'."
    ) from None
  _check_address(options.ray_address or os.environ.get('RAY_ADDRESS', ''))
  packages = [str(pathlib.Path(__file__).parent), ssnn_jax.__path__[0]]
  variables = _limit_threads(options.cpus_per_task)
  if options.gpus_per_task == 0:
    variables['JAX_PLATFORMS'] = 'cpu'  # Ray may show GPUs of other tasks
  elif options.gpus_per_task < 1:
    fraction = 0.9 * options.gpus_per_task
    variables['XLA_CLIENT_MEM_FRACTION'] = f'{fraction:.3f}'
  try:
    ray.init(
      address=options.ray_address,
      include_dashboard=False,
      log_to_driver=False,
      logging_level=logging.ERROR,
      runtime_env={'py_modules': packages, 'excludes': ['__pycache__']},
    )
  except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
    # Of a wrong token, the error says only that there is no connection.
    raise ssnn_jax.UserError(
      f'Ray cannot be used ({" ".join(str(error).split()).rstrip(".")}); check '
      '--ray_address or $RAY_ADDRESS and that $RAY_AUTH_TOKEN, or the file '
      '~/.ray/auth_token, is the token of the cluster.'
    ) from None
  size = {'CPU': options.cpus_per_task, 'GPU': options.gpus_per_task}
  futures = {}
  try:
    nodes = [node['Resources'] for node in ray.nodes() if node['Alive']]
    if not any(
      all(node.get(kind, 0) >= number for kind, number in size.items())
      for node in nodes
    ):  # Ray would wait for such a node
      raise ssnn_jax.UserError(
        f'no node of the Ray cluster has the {size["CPU"]} CPUs and '
        f'{size["GPU"]} GPUs of a task; reduce --cpus_per_task or '
        '--gpus_per_task, or add a larger node.'
      )
    remote = ray.remote(
      num_cpus=size['CPU'],
      num_gpus=size['GPU'],
      max_retries=options.num_retries,
      scheduling_strategy='SPREAD',
      runtime_env={'env_vars': variables},
    )(_attempt)
    references = {remote.remote(task.run): task for task in tasks}
    futures = {ref.future(): task for ref, task in references.items()}
    for future in concurrent.futures.as_completed(futures):
      task = futures[future]
      try:
        yield task, future.result()
      except ray.exceptions.RayError as error:
        reason = ' '.join(str(error).split())
        yield task, Outcome(failure=f'{task.name}: {reason}')
  finally:
    ray.shutdown()  # which also ends the tasks of this command


def _check_address(address):
  """Refuses an address where no server listens; Ray would retry for minutes."""
  host, _, port = address.removeprefix('ray://').rpartition(':')
  if not port.isdecimal():  # 'auto', 'local', or empty
    return
  try:
    socket.create_connection((host.strip('[]'), int(port)), 10).close()
  except (OSError, OverflowError) as error:
    raise ssnn_jax.UserError(
      f'no Ray cluster answers at {address} ({error}); start one with `ray '
      'start --head`, or correct --ray_address or $RAY_ADDRESS.'
    ) from None


def _slurm(tasks, workdir, options) -> _Ends:
  """Runs tasks as an array of Slurm jobs."""
  try:
    import submitit
  except ImportError:
    raise ssnn_jax.UserError(
      '--launcher=slurm needs submitit, which is not installed; '
      "pip install '.[slurm]'."
    ) from None
  given = dict(text.partition('=')[::2] for text in options.slurm)
  executor = submitit.AutoExecutor(
    workdir / 'slurm', cluster=given.pop('cluster', 'slurm')
  )
  parameters = {k: int(v) if v.isdecimal() else v for k, v in given.items()}
  if options.gpus_per_task:
    parameters['gpus_per_node'] = int(options.gpus_per_task)
  executor.update_parameters(cpus_per_task=options.cpus_per_task, **parameters)
  with executor.batch():
    jobs = [executor.submit(_attempt, task.run) for task in tasks]

  def result(job):
    try:
      return job.result()
    except submitit.core.utils.UncompletedJobError as error:
      return Outcome(failure=str(error))

  with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
    try:
      futures = {pool.submit(result, job): t for job, t in zip(jobs, tasks)}
      yield from _ends(futures)
    finally:
      for job in jobs:
        job.cancel(check=False)
