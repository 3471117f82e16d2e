"""Workers on the nodes of a Ray cluster."""

from collections.abc import Iterator
import contextlib
import logging
import math
import os
import pathlib
import platform
import socket
from typing import NamedTuple
import uuid

from experiments.launch import launcher
from experiments.launch import local


class Resources(NamedTuple):
  """Resources of a node for each task."""

  num_cpus: float  # also the number of threads
  num_gpus: float  # with 0 the task uses the CPU


@contextlib.contextmanager
def workers(
  workdir: pathlib.Path, address: str | None, resources: Resources
) -> Iterator[launcher.Workers]:
  """Connects to a Ray cluster, or starts one on this machine.

  The nodes need the dependencies of this project; the code of this project is
  sent to the nodes.

  Args:
    workdir: folder of the tasks, on a file system that all nodes share.
    address: address of the cluster; default: $RAY_ADDRESS, the cluster of this
      machine, or a new one.
    resources: resources of a node for each task.

  Raises:
    UserError: if Ray, a cluster, or a node of the requested size is missing.
  """
  ray, running = _import_ray(), {}
  token = workdir.absolute() / f'.launcher-{uuid.uuid4()}'
  with _connected(ray, address), _written(token):
    _check_nodes(ray, resources)
    remote = ray.remote(**_task_options(resources))(_attempt_on_node)

    def start(task):
      running[remote.remote(task.run, token)] = task

    def wait():
      (reference,), _ = ray.wait(list(running))
      return running.pop(reference), _outcome(ray, reference, token)

    try:
      yield launcher.Workers(
        start, wait, math.inf, lambda: token.unlink(missing_ok=True)
      )
    finally:
      for reference in running:
        ray.cancel(reference, force=True)


def _import_ray():
  os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
  try:
    import ray
  except ImportError:
    raise launcher.user_error(
      "--launcher=ray needs Ray, which is not installed; pip install '.[ray]'."
    ) from None
  return ray


def _task_options(resources):
  """Returns the options of a task; the launcher retries tasks, not Ray."""
  variables = local.limit_threads(resources.num_cpus)
  if resources.num_gpus == 0:
    variables['JAX_PLATFORMS'] = 'cpu'  # Ray may show GPUs of other tasks
  elif resources.num_gpus < 1:
    fraction = 0.9 * resources.num_gpus
    variables['XLA_CLIENT_MEM_FRACTION'] = f'{fraction:.3f}'
  return resources._asdict() | {
    'max_retries': 0,
    'scheduling_strategy': 'SPREAD',
    'runtime_env': {'env_vars': variables},
  }


@contextlib.contextmanager
def _connected(ray, address):
  """Connects to a cluster and sends this code, unless already connected."""
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
    raise launcher.user_error(
      f'Ray cannot be used ({" ".join(str(error).split()).rstrip(".")}); run '
      '`ray status`, and check --ray_address and $RAY_ADDRESS.'
    ) from None
  try:
    yield
  finally:
    ray.shutdown()


def _check_address(address):
  """Rejects an address where no server listens; Ray would retry for minutes."""
  host, _, port = address.removeprefix('ray://').rpartition(':')
  if not port.isdecimal():  # 'auto', 'local', or empty
    return
  try:
    socket.create_connection((host.strip('[]'), int(port)), 10).close()
  except (OSError, OverflowError) as error:
    raise launcher.user_error(
      f'no Ray cluster answers at {address} ({error}); start one with `ray '
      'start --head`, or correct --ray_address or $RAY_ADDRESS.'
    ) from None


def _check_nodes(ray, resources):
  """Rejects a task larger than each node, for which Ray would wait forever."""
  sizes = [node['Resources'] for node in ray.nodes() if node['Alive']]
  if not any(
    size.get('CPU', 0) >= resources.num_cpus
    and size.get('GPU', 0) >= resources.num_gpus
    for size in sizes
  ):
    raise launcher.user_error(
      f'no node of the Ray cluster has the {resources.num_cpus} CPUs and '
      f'{resources.num_gpus} GPUs of a task; reduce --cpus_per_task or '
      '--gpus_per_task, or add a larger node.'
    )


@contextlib.contextmanager
def _written(token):
  token.parent.mkdir(parents=True, exist_ok=True)
  token.touch()
  try:
    yield
  finally:
    token.unlink(missing_ok=True)


def _attempt_on_node(run, token):
  """Runs a task where the token exists; otherwise returns the node's name."""
  return launcher.attempt(run) if token.exists() else platform.node()


def _outcome(ray, reference, token):
  try:
    outcome = ray.get(reference)
  except ray.exceptions.RayTaskError as error:
    return launcher.Outcome(launcher.Status.FAILED, str(error))
  except ray.exceptions.RayError as error:
    message = f'its worker died ({" ".join(str(error).split())})'
    return launcher.Outcome(launcher.Status.DIED, message)
  if isinstance(outcome, launcher.Outcome):
    return outcome
  return launcher.Outcome(
    launcher.Status.REFUSED,
    f'node {outcome} cannot access {token.parent}; choose a --workdir on a '
    'file system that all nodes of the Ray cluster share.',
  )
