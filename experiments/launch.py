"""Runs tasks: in this process, in local processes, or on Ray.

A task is a function that may be called again: it skips what is recorded, and
resumes from its last checkpoint. So a task whose worker died is called again.
After a user error the other tasks are stopped; after other errors they go on.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures
from concurrent.futures import process
import contextlib
import logging
import multiprocessing
from multiprocessing import resource_tracker
import os
import pathlib
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from typing import NamedTuple

import jax
import tqdm

import ssnn_jax

_NUM_RETRIES = 3  # of a task whose worker died


class Task(NamedTuple):
  """A picklable function that may be called again, and its name in reports."""

  name: str
  run: Callable[[], None]


class Outcome(NamedTuple):
  """The end of a task: both texts are empty if it is done."""

  refusal: str = ''  # of a user error
  failure: str = ''  # of any other error, or the death of a worker


class Options(NamedTuple):
  """Where tasks are run; `experiments.run` has a flag for each field."""

  launcher: str = 'local'  # or 'ray'
  num_workers: int = 1  # local processes; 1 is this process
  cpus_per_task: int = 1  # on Ray
  gpus_per_task: float = 0.0  # on Ray


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
  run = _ray if options.launcher == 'ray' else _local
  if run is _local and options.num_workers == 1:
    run = _here
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


def _local(tasks, workdir, options) -> _Ends:
  """Runs tasks in processes, each with its own device and share of cores.

  Each process is a pool of its own, so that its death concerns one task.
  """
  number = min(options.num_workers, len(tasks))
  has_affinity = hasattr(os, 'sched_getaffinity')
  num_cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
  free, pools, stopped = queue.SimpleQueue(), {}, threading.Event()

  def start(index):
    arguments = index, num_cores // number, workdir / f'worker-{index}.log'
    context = multiprocessing.get_context('spawn')
    pools[index] = futures.ProcessPoolExecutor(1, context, _prepare, arguments)

  def run(task):
    # Workers inherit the mask, and so ignore Ctrl-C: this process handles it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    index = free.get()
    try:
      for _ in range(_NUM_RETRIES + 1):
        if stopped.is_set():
          break
        try:
          return pools[index].submit(_attempt, task.run).result()
        except process.BrokenProcessPool:
          start(index)
          if not stopped.is_set():
            print(f'{task.name}: its worker died', flush=True)
      log = workdir / f'worker-{index}.log'
      return Outcome(failure=f'{task.name}: its worker died; see {log}')
    finally:
      free.put(index)

  resource_tracker.ensure_running()  # its own start would undo the mask
  for index in range(number):
    start(index)
    free.put(index)
  with futures.ThreadPoolExecutor(number) as threads:
    running = {threads.submit(run, task): task for task in tasks}
    try:
      for future in futures.as_completed(running):
        yield running[future], future.result()
    finally:
      stopped.set()
      threads.shutdown(wait=False, cancel_futures=True)
      while not all(future.done() for future in running):
        # Again, as a thread may just have started a worker.
        for worker in multiprocessing.active_children():
          worker.kill()
        time.sleep(0.05)
      for pool in pools.values():
        pool.shutdown()
      for worker in multiprocessing.active_children():  # of pools that broke
        worker.join()


def _prepare(index, num_cores, log):
  """Prepares a worker, which ends with its launcher, even if that is killed."""
  # Before JAX looks for devices: one GPU or TPU chip of those that it may use.
  os.environ |= {
    'TPU_VISIBLE_CHIPS': str(index),
    'TPU_CHIPS_PER_PROCESS_BOUNDS': '1,1,1',
    'TPU_PROCESS_BOUNDS': '1,1,1',
    'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
    **_limit_threads(num_cores),
  }
  jax.config.update('jax_cuda_visible_devices', str(index))
  jax.config.update('jax_rocm_visible_devices', str(index))
  tqdm.tqdm.set_lock(threading.RLock())  # a semaphore would outlive a kill
  with open(log, 'ab') as stream:
    os.dup2(stream.fileno(), 1)
    os.dup2(stream.fileno(), 2)

  def end_with_launcher():
    multiprocessing.parent_process().join()
    os._exit(1)

  threading.Thread(target=end_with_launcher, daemon=True).start()


def _limit_threads(number):
  """Returns the environment variable that limits the threads of XLA."""
  return {'PJRT_NPROC': os.environ.get('PJRT_NPROC', str(max(1, number)))}


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
  _check_address(os.environ.get('RAY_ADDRESS', ''))
  packages = [str(pathlib.Path(__file__).parent), ssnn_jax.__path__[0]]
  variables = _limit_threads(options.cpus_per_task)
  if options.gpus_per_task == 0:
    variables['JAX_PLATFORMS'] = 'cpu'  # Ray may show GPUs of other tasks
  elif options.gpus_per_task < 1:
    fraction = 0.9 * options.gpus_per_task
    variables['XLA_CLIENT_MEM_FRACTION'] = f'{fraction:.3f}'
  try:
    ray.init(
      include_dashboard=False,
      log_to_driver=False,
      logging_level=logging.ERROR,
      runtime_env={'py_modules': packages, 'excludes': ['__pycache__']},
    )
  except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
    # Of a wrong token, the error says only that there is no connection.
    raise ssnn_jax.UserError(
      f'Ray cannot be used ({" ".join(str(error).split()).rstrip(".")}); check '
      '$RAY_ADDRESS, and that $RAY_AUTH_TOKEN, or the file '
      '~/.ray/auth_token, is the token of the cluster.'
    ) from None
  try:
    size = {'CPU': options.cpus_per_task, 'GPU': options.gpus_per_task}
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
      max_retries=_NUM_RETRIES,
      scheduling_strategy='SPREAD',
      runtime_env={'env_vars': variables},
    )(_attempt)
    running = {remote.remote(task.run).future(): task for task in tasks}
    for future in futures.as_completed(running):
      task = running[future]
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
      'start --head`, or correct $RAY_ADDRESS.'
    ) from None
