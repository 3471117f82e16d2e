"""Local workers: one process per device of this machine."""

from collections.abc import Iterator
import contextlib
import json
import multiprocessing
from multiprocessing import connection
from multiprocessing import resource_tracker
import os
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO
from typing import NamedTuple

from experiments.launch import launcher

_NUM_LAST_LINES = 20  # of the output of a worker that died
_SECONDS_TO_EXIT = 60  # for a finished worker to free its device

# Environment variables that select devices, by kind. HIP also obeys the
# variable of CUDA, and counts among the devices in $ROCR_VISIBLE_DEVICES.
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
# Each chip of the first TPUs has two devices with the same coordinates.
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
  """Returns the kind (cpu, cuda, rocm or tpu) and the number of devices.

  Counted in another process, as counting reserves a TPU or most GPU memory.
  """
  counted = subprocess.run(
    [sys.executable, '-c', _COUNT_DEVICES],
    check=True,
    stdout=subprocess.PIPE,
    text=True,
    start_new_session=True,  # Ctrl-C reaches only this process
  )
  return tuple(json.loads(counted.stdout.splitlines()[-1]))


def worker_environments(num_workers: int) -> list[dict[str, str]]:
  """Returns environment variables that give each worker a device and cores.

  Raises:
    UserError: if there are accelerators, but fewer than workers.
  """
  has_affinity = hasattr(os, 'sched_getaffinity')
  num_cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
  shared = limit_threads(num_cores // num_workers)
  kind, num_devices = local_devices() if num_workers > 1 else ('cpu', 1)
  if kind == 'cpu':
    return [shared] * num_workers
  if num_workers > num_devices:
    raise launcher.user_error(
      f'--num_workers={num_workers} is more than the devices of this machine '
      f'({num_devices}, {kind}), and each worker needs its own device; use '
      f'--num_workers={num_devices} at most.'
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
  """Returns the environment variable that limits the threads of XLA."""
  return {'PJRT_NPROC': os.environ.get('PJRT_NPROC', str(max(1, int(number))))}


@contextlib.contextmanager
def workers(num_workers: int) -> Iterator[launcher.Workers]:
  """Makes workers, each a process with its own device and share of the cores.

  The last lines of output of a worker are reported if the worker dies. All
  processes are killed when the context ends.

  Raises:
    UserError: if there are fewer accelerators than workers.
  """
  free, running = worker_environments(num_workers), {}

  def start(task):
    worker = _start(task, free.pop(0))
    running[worker.results] = worker

  def wait():
    results, *_ = connection.wait(list(running))
    worker = running[results]
    outcome = _result(worker)
    del running[results]
    free.append(worker.environment)
    return worker.task, outcome

  try:
    yield launcher.Workers(start, wait, num_workers)
  finally:
    for worker in running.values():
      worker.process.kill()
      worker.process.join()


class _Worker(NamedTuple):
  task: launcher.Task
  environment: dict[str, str]
  process: multiprocessing.Process
  results: connection.Connection
  log: IO[str]  # a file that is deleted when closed


def _start(task, environment):
  context = multiprocessing.get_context('spawn')
  results, sender = context.Pipe(duplex=False)
  log = tempfile.NamedTemporaryFile('r', errors='replace')
  process = context.Process(target=_work, args=(task.run, sender, log.name))
  with _inherited(environment):
    process.start()
  sender.close()  # only the worker can now keep the pipe open
  return _Worker(task, environment, process, results, log)


@contextlib.contextmanager
def _inherited(environment):
  """Sets variables that a new process inherits, and makes it ignore Ctrl-C.

  Only this process handles an interrupt, and kills the workers.
  """
  resource_tracker.ensure_running()  # its own start would undo the mask
  before = {n: os.environ[n] for n in environment if n in os.environ}
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  os.environ |= environment
  try:
    yield
  finally:
    for name in environment:
      del os.environ[name]
    os.environ |= before
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _work(run, sender, log):
  threading.Thread(target=_end_with_parent, daemon=True).start()
  with open(log, 'ab') as stream:
    os.dup2(stream.fileno(), 1)
    os.dup2(stream.fileno(), 2)
  sender.send(launcher.attempt(run))


def _end_with_parent():
  multiprocessing.parent_process().join()
  os._exit(1)


def _result(worker):
  """Waits for the end of a worker and returns the outcome of its task."""
  try:
    outcome = worker.results.recv()
  except (EOFError, OSError):  # the worker sent no complete outcome
    outcome = None
  worker.results.close()
  worker.process.join(_SECONDS_TO_EXIT)
  worker.process.kill()
  worker.process.join()
  with worker.log as log:
    lines = log.read().splitlines()
  if outcome is not None:
    return outcome
  code = worker.process.exitcode
  how = signal.Signals(-code).name if code < 0 else f'exit status {code}'
  message = [f'its worker died ({how})', *lines[-_NUM_LAST_LINES:]]
  return launcher.Outcome(launcher.Status.DIED, '\n'.join(message))
