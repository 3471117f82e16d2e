"""Runs tasks on the nodes of a Ray cluster."""

from collections.abc import Sequence
import contextlib
import logging
import os
import pathlib
import platform
import socket
import uuid

from experiments.launch import local as local_workers
from experiments.launch import tasks as launchers


def launch_ray(
  tasks: Sequence[launchers.Task],
  report: launchers.Report,
  workdir: str | os.PathLike,
  address: str | None,
  num_cpus: float,
  num_gpus: float,
  num_retries: int,
) -> None:
  """Runs tasks on the nodes of a Ray cluster, or of one that it starts here.

  The nodes need what this project depends on; its own code is sent there.

  Args:
    tasks: what to run.
    report: is told how each ends; that it starts or dies only Ray knows.
    workdir: a folder that all nodes see; those of the tasks are below it.
    address: of the cluster; None takes that of $RAY_ADDRESS or this machine's,
      or starts one.
    num_cpus: what a task has of its node's CPUs, and its number of threads.
    num_gpus: what a task has of its node's GPUs; with 0 it uses the CPU.
    num_retries: how often a task is tried again whose worker died.

  Raises:
    UserError: the first that a task raised, or one that names the failed tasks,
      or if Ray, a cluster, or a node of the size asked for is missing, or a
      node does not see the folder.
  """
  ray, ledger = _import_ray(), launchers.Ledger(tasks, report)
  token = pathlib.Path(workdir).absolute() / f'.launcher-{uuid.uuid4().hex}'
  with _connected(ray, address), _written(token):
    _check_nodes(ray, num_cpus, num_gpus)
    options = _ray_options(num_cpus, num_gpus, num_retries)
    _run_on_nodes(ray, options, tasks, token, ledger)
  ledger.close()


def _import_ray():
  os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # nor a word about it
  try:
    import ray
  except ImportError:
    raise launchers.mistake(
      '--launcher=ray needs Ray, which is not installed; pip install '
      "'ssnn_jax[ray]'."
    ) from None
  return ray


def _ray_options(num_cpus, num_gpus, num_retries):
  """Chooses what a task is given."""
  variables = local_workers.limit_threads(num_cpus)
  if num_gpus == 0:
    variables['JAX_PLATFORMS'] = 'cpu'  # Ray may show it GPUs of others
  elif num_gpus < 1:
    variables['XLA_CLIENT_MEM_FRACTION'] = f'{0.9 * num_gpus:.3f}'
  return {
    'num_cpus': num_cpus,
    'num_gpus': num_gpus,
    'max_retries': num_retries,
    'retry_exceptions': False,
    'scheduling_strategy': 'SPREAD',
    'runtime_env': {'env_vars': variables},
  }


@contextlib.contextmanager
def _connected(ray, address):
  """Connects to a cluster and sends it this code, unless that has been done."""
  import ssnn_jax

  if ray.is_initialized():
    yield
    return
  _check_address(address or os.environ.get('RAY_ADDRESS', ''))
  import experiments

  packages = (experiments.__file__, ssnn_jax.__file__)
  try:
    ray.init(
      address=address,
      include_dashboard=False,
      log_to_driver=False,
      logging_level=logging.ERROR,
      runtime_env={
        'py_modules': [str(pathlib.Path(path).parent) for path in packages],
        'excludes': ['__pycache__'],
      },
    )
  except (ConnectionError, RuntimeError, ValueError) as error:
    raise launchers.mistake(
      f'Ray cannot be used ({" ".join(str(error).split()).rstrip(".")}); see '
      'what `ray status` says, and check --ray_address and $RAY_ADDRESS.'
    ) from None
  try:
    yield
  finally:
    ray.shutdown()


def _check_address(address):
  """Refuses an address where nothing listens; Ray would try for minutes."""
  host, _, port = address.removeprefix('ray://').rpartition(':')
  if not port.isdecimal():  # 'auto', 'local', or none
    return
  try:
    socket.create_connection((host.strip('[]'), int(port)), 10).close()
  except (OSError, OverflowError) as error:
    raise launchers.mistake(
      f'no Ray cluster answers at {address} ({error}); start one with `ray '
      'start --head`, or correct --ray_address or $RAY_ADDRESS.'
    ) from None


def _check_nodes(ray, num_cpus, num_gpus):
  """Refuses what no node has, since Ray would wait for one without a word."""
  sizes = [node['Resources'] for node in ray.nodes() if node['Alive']]
  if not any(
    size.get('CPU', 0) >= num_cpus and size.get('GPU', 0) >= num_gpus
    for size in sizes
  ):
    raise launchers.mistake(
      f'no node of the Ray cluster has the {num_cpus} CPUs and {num_gpus} GPUs '
      'of a task; ask for less, or add such a node.'
    )


@contextlib.contextmanager
def _written(token):
  token.parent.mkdir(parents=True, exist_ok=True)
  token.touch()
  try:
    yield
  finally:
    token.unlink(missing_ok=True)


def _run_on_nodes(ray, options, tasks, token, ledger):
  """Hands all tasks to Ray, and collects how they end."""
  remote = ray.remote(**options)(_work_on_node)
  running = {remote.remote(task.run, token): task for task in tasks}
  try:
    while running:
      (reference,), _ = ray.wait(list(running))
      task = running.pop(reference)
      outcome = _ray_outcome(ray, reference, token)
      # After a mistake others are told of only where they have really run.
      is_mistaken = outcome.status is launchers.Status.MISTAKEN
      if ledger.mistake is None or not is_mistaken:
        ledger.end(task, outcome)
      if ledger.mistake is not None:
        token.unlink(missing_ok=True)  # those that still wait end at once
  finally:
    for reference in running:
      ray.cancel(reference, force=True)


def _work_on_node(run, token):
  """Runs a task where its folder is; else returns the name of the node."""
  return launchers.attempt(run) if token.exists() else platform.node()


def _ray_outcome(ray, reference, token):
  try:
    outcome = ray.get(reference)
  except ray.exceptions.RayError as error:
    return launchers.Outcome(launchers.Status.FAILED, str(error))
  if isinstance(outcome, launchers.Outcome):
    return outcome
  return launchers.Outcome(
    launchers.Status.MISTAKEN,
    f'node {outcome} does not see {token.parent}; choose a --workdir on a file '
    'system that all nodes of the Ray cluster share.',
  )
