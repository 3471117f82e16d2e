"""Runs tasks: in this process, in local processes, or on Ray.

A task is a function that may be called again: it skips what is recorded, and
resumes from its last checkpoint. So a task whose worker died is called again.
After a user error the other tasks are stopped; after other errors they go on.
"""

from collections.abc import Callable
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

import jax
import tqdm

from experiments.runs.config import Options
import ssnn_jax

_NUM_RETRIES = 3  # of a task whose worker died


def launch(
  tasks: dict[str, Callable[[], None]],
  workdir: pathlib.Path,
  report: Callable[[str, str, int], None],
  options: Options,
) -> None:
  """Runs tasks, picklable functions by their names; reports the end of each.

  Workers share the folder. `report` is called with the name of a task, its end,
  and the number of tasks that have ended.

  Raises:
    UserError: the first user error of a task, or one that names failed tasks.
  """
  if not tasks:
    return
  if options.launcher == 'ray':
    ends = _ray(tasks, options)
  elif options.num_workers > 1:
    ends = _local(tasks, workdir, min(options.num_workers, len(tasks)))
  else:
    ends = ((name, _attempt(run)) for name, run in tasks.items())
  failed = []
  with contextlib.closing(ends):
    for number, (name, (refusal, failure)) in enumerate(ends, 1):
      if refusal:
        raise ssnn_jax.UserError(refusal)
      if failure:
        failed.append(name)
        print(failure, file=sys.stderr, flush=True)
      report(name, 'failed' if failure else 'done', number)
  if failed:
    raise ssnn_jax.UserError(
      f'{len(failed)} of {len(tasks)} tasks failed ({"; ".join(failed)}); see '
      'the messages above, and repeat the command for the missing runs.'
    )


def _attempt(run):
  """Runs a task; returns texts of its user error, and of any other failure."""
  try:
    run()
  except ssnn_jax.UserError as error:
    return str(error), ''
  except Exception:
    return '', traceback.format_exc()
  return '', ''


def _local(tasks, workdir, number):
  """Runs tasks in processes, each with its own device and share of cores.

  Each process is a pool of its own, so that its death concerns one task.
  """
  has_affinity = hasattr(os, 'sched_getaffinity')
  num_cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
  free, pools, stopped = queue.SimpleQueue(), {}, threading.Event()

  def start(index):
    arguments = index, num_cores // number, workdir / f'worker-{index}.log'
    context = multiprocessing.get_context('spawn')
    pools[index] = futures.ProcessPoolExecutor(1, context, _prepare, arguments)

  def attempt(name, run):
    # Workers inherit the mask, and so ignore Ctrl-C: this process handles it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    index = free.get()
    try:
      for _ in range(_NUM_RETRIES + 1):
        if stopped.is_set():
          break
        try:
          return pools[index].submit(_attempt, run).result()
        except process.BrokenProcessPool:
          start(index)
          if not stopped.is_set():
            print(f'{name}: its worker died', flush=True)
      log = workdir / f'worker-{index}.log'
      return '', f'{name}: its worker died; see {log}'
    finally:
      free.put(index)

  resource_tracker.ensure_running()  # its own start would undo the mask
  for index in range(number):
    start(index)
    free.put(index)
  with futures.ThreadPoolExecutor(number) as threads:
    running = {
      threads.submit(attempt, *item): item[0] for item in tasks.items()
    }
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


def _ray(tasks, options):
  """Runs tasks on a Ray cluster, to which the code of this project is sent."""
  os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
  import ray

  packages = [str(pathlib.Path(__file__).parent.parent), ssnn_jax.__path__[0]]
  variables = _limit_threads(1)
  size = {'CPU': int(variables['PJRT_NPROC']), 'GPU': options.gpus_per_task}
  if size['GPU'] == 0:
    variables['JAX_PLATFORMS'] = 'cpu'  # Ray may show GPUs of other tasks
  elif size['GPU'] < 1:
    variables['XLA_CLIENT_MEM_FRACTION'] = f'{0.9 * size["GPU"]:.3f}'
  address = os.environ.get('RAY_ADDRESS', '')
  try:
    _connect(address)
    ray.init(
      include_dashboard=False,
      log_to_driver=False,
      logging_level=logging.ERROR,
      runtime_env={'py_modules': packages, 'excludes': ['__pycache__']},
    )
  except Exception as error:  # of many types
    # Of a wrong token, the error says only that there is no connection.
    raise ssnn_jax.UserError(
      f'Ray cannot be used at {address or "this machine"} '
      f'({" ".join(str(error).split()).rstrip(".")}); start a cluster with '
      '`ray start --head`, check $RAY_ADDRESS, and that $RAY_AUTH_TOKEN, or '
      '~/.ray/auth_token, is the token of the cluster.'
    ) from None
  try:
    nodes = [node['Resources'] for node in ray.nodes() if node['Alive']]
    if not any(
      all(node.get(kind, 0) >= number for kind, number in size.items())
      for node in nodes
    ):  # Ray would wait for such a node
      raise ssnn_jax.UserError(
        f'no node of the Ray cluster has the {size["CPU"]} CPUs and '
        f'{size["GPU"]} GPUs of a task; reduce $PJRT_NPROC or '
        '--gpus_per_task, or add a larger node.'
      )
    remote = ray.remote(
      num_cpus=size['CPU'],
      num_gpus=size['GPU'],
      max_retries=_NUM_RETRIES,
      scheduling_strategy='SPREAD',
      runtime_env={'env_vars': variables},
    )(_attempt)
    running = {remote.remote(run).future(): name for name, run in tasks.items()}
    for future in futures.as_completed(running):
      name = running[future]
      try:
        yield name, future.result()
      except ray.exceptions.RayError as error:
        reason = ' '.join(str(error).split())
        yield name, ('', f'{name}: {reason}')
  finally:
    ray.shutdown()  # which also ends the tasks of this command


def _connect(address):
  """Raises an error if no server listens; Ray would retry for minutes."""
  host, _, port = address.removeprefix('ray://').rpartition(':')
  if port.isdecimal():  # or 'auto', 'local', or empty
    socket.create_connection((host.strip('[]'), int(port)), 10).close()
