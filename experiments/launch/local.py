"""Runs tasks in processes of this machine, one a device."""

import collections
from collections.abc import Sequence
import contextlib
import json
import multiprocessing
from multiprocessing import connection
from multiprocessing import resource_tracker
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
from typing import NamedTuple
import uuid

from experiments.launch import tasks as launchers

# How often a task is tried again whose local worker died.
NUM_RETRIES = 3

_NUM_LAST_LINES = 20  # of what a worker wrote, told if it died
_SECONDS_TO_EXIT = 60  # for a worker that is done, to free its device

# What chooses among the devices of each kind. HIP obeys CUDA's variable too,
# and counts within what $ROCR_VISIBLE_DEVICES leaves.
_VISIBLE = {
  'cuda': ('CUDA_VISIBLE_DEVICES',),
  'rocm': ('HIP_VISIBLE_DEVICES', 'CUDA_VISIBLE_DEVICES'),
  'tpu': ('TPU_VISIBLE_CHIPS',),
}
_ONE_TPU_CHIP = {
  'TPU_CHIPS_PER_PROCESS_BOUNDS': '1,1,1',
  'TPU_PROCESS_BOUNDS': '1,1,1',
  'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
}
# Each chip of the first TPUs is two devices, at one place.
_COUNT_DEVICES = """
import json
import jax
from jax.extend import backend
kind, devices = jax.default_backend(), jax.local_devices()
if kind == 'gpu':
  version = backend.get_backend().platform_version.lower()
  kind = 'rocm' if 'rocm' in version else 'cuda'
elif kind == 'tpu':
  devices = {tuple(device.coords) for device in devices}
print(json.dumps([kind, len(devices)]))
"""


def local_devices() -> tuple[str, int]:
  """Counts the devices that jax finds, in a process of its own.

  A process that counts them takes them: most of a GPU's memory, all of a TPU.

  Returns:
    Their kind, which is cpu, cuda, rocm or tpu, and their number.
  """
  counted = subprocess.run(
    [sys.executable, '-c', _COUNT_DEVICES],
    check=True,
    stdout=subprocess.PIPE,
    text=True,
    start_new_session=True,  # where no Ctrl-C reaches it but through this one
  )
  return tuple(json.loads(counted.stdout.splitlines()[-1]))


def worker_environments(num_workers: int) -> list[dict[str, str]]:
  """Shares the devices and cores of this machine among workers.

  Args:
    num_workers: how many there are; one alone sees all devices.

  Returns:
    Each worker's variables, to be set before it imports jax.

  Raises:
    UserError: if there are accelerators, but fewer than workers.
  """
  if hasattr(os, 'sched_getaffinity'):
    num_cores = len(os.sched_getaffinity(0))
  else:
    num_cores = os.cpu_count() or 1
  shared = limit_threads(num_cores // num_workers)
  kind, num_devices = local_devices() if num_workers > 1 else ('cpu', 1)
  if kind == 'cpu':
    return [shared] * num_workers
  if num_workers > num_devices:
    raise launchers.mistake(
      f'--num_workers={num_workers} is more than the devices of this machine '
      f'({num_devices}, {kind}), and each worker needs its own; ask for '
      f'{num_devices} at most.'
    )
  if kind == 'tpu':
    shared |= _ONE_TPU_CHIP
  given = [os.environ[name] for name in _VISIBLE[kind] if os.environ.get(name)]
  visible = given[0].split(',') if given else map(str, range(num_devices))
  return [
    {_VISIBLE[kind][0]: device, **shared}
    for device, _ in zip(visible, range(num_workers))
  ]


def limit_threads(number):
  """Limits XLA's threads, which would be as many as there are cores."""
  return {'PJRT_NPROC': os.environ.get('PJRT_NPROC', str(max(1, int(number))))}


def launch_local(
  tasks: Sequence[launchers.Task], report: launchers.Report, num_workers: int
) -> None:
  """Runs each task in a process of its own, several at a time.

  Each sees one accelerator, where there are any, and has its share of the
  cores. A task whose process dies is tried again `NUM_RETRIES` times. What it
  prints is kept from the terminal, and its last lines told if it dies.

  Args:
    tasks: what to run.
    report: is told what becomes of each.
    num_workers: how many run at a time.

  Raises:
    UserError: the first that a task raised, or one that names the failed tasks,
      or if there are fewer accelerators than workers.
  """
  ledger, running = launchers.Ledger(tasks, report), {}
  free = worker_environments(max(1, min(num_workers, len(tasks))))
  with tempfile.TemporaryDirectory(prefix='ssnn_jax-workers-') as logs:
    try:
      _run_in_workers(tasks, free, logs, ledger, running)
    finally:
      for worker in running.values():
        worker.process.kill()
        worker.process.join()
  ledger.close()


def _run_in_workers(tasks, free, logs, ledger, running):
  """Starts workers while environments are free, and collects how they end."""
  waiting, deaths = collections.deque(tasks), collections.Counter()
  while running or (waiting and ledger.mistake is None):
    while waiting and free and ledger.mistake is None:
      worker = _start(waiting.popleft(), free.pop(0), logs)
      running[worker.results] = worker
      ledger.tell(worker.task, launchers.Outcome(launchers.Status.STARTED))
    for results in connection.wait(list(running)):
      task, environment, *_ = running[results]
      outcome = _result(running[results])
      del running[results]
      free.append(environment)
      deaths[task.name] += outcome.status is launchers.Status.DIED
      if outcome.status is not launchers.Status.DIED:
        ledger.end(task, outcome)
      elif deaths[task.name] > NUM_RETRIES or ledger.mistake is not None:
        ledger.end(task, outcome._replace(status=launchers.Status.FAILED))
      else:
        waiting.append(task)
        ledger.tell(task, outcome)


class _Worker(NamedTuple):
  task: launchers.Task
  environment: dict[str, str]
  process: multiprocessing.Process
  results: connection.Connection
  log: pathlib.Path


def _start(task, environment, logs):
  context = multiprocessing.get_context('spawn')
  results, sender = context.Pipe(duplex=False)
  log = pathlib.Path(logs, uuid.uuid4().hex)
  log.touch()
  process = context.Process(target=_work, args=(task.run, sender, log))
  with _inherited(environment):
    process.start()
  sender.close()  # the worker's is the last one, so that its end is seen
  return _Worker(task, environment, process, results, log)


@contextlib.contextmanager
def _inherited(environment):
  """Sets what a new process inherits: variables, and deafness to Ctrl-C.

  A terminal interrupts all processes at once; it is this one that ends others.
  """
  resource_tracker.ensure_running()  # its own start would undo the mask
  before = {name: os.environ.get(name) for name in environment}
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  os.environ.update(environment)
  try:
    yield
  finally:
    for name, value in before.items():
      del os.environ[name]
      if value is not None:
        os.environ[name] = value
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _work(run, sender, log):
  """Runs a task in a worker."""
  threading.Thread(target=_end_with_parent, daemon=True).start()
  with open(log, 'ab') as stream:
    os.dup2(stream.fileno(), 1)
    os.dup2(stream.fileno(), 2)
  sender.send(launchers.attempt(run))


def _end_with_parent():
  multiprocessing.parent_process().join()
  os._exit(1)


def _result(worker):
  """Waits for the end of a worker, and tells what became of its task."""
  try:
    outcome = worker.results.recv()
  except (EOFError, OSError):  # it sent nothing, or not all
    outcome = None
  worker.results.close()
  worker.process.join(_SECONDS_TO_EXIT)
  worker.process.kill()
  worker.process.join()
  lines = worker.log.read_text(errors='replace').splitlines()
  worker.log.unlink()
  if outcome is not None:
    return outcome
  code = worker.process.exitcode
  how = signal.Signals(-code).name if code < 0 else f'exit status {code}'
  told = [f'its worker died ({how})', *lines[-_NUM_LAST_LINES:]]
  return launchers.Outcome(launchers.Status.DIED, '\n'.join(told))
