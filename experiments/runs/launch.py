"""Runs tasks: in this process, or on Ray.

A task is a function that may be called again: it skips what is recorded, and
resumes from its last checkpoint. So a task whose worker died is called again.
After a user error the other tasks are stopped; after other errors they go on.
"""

from collections.abc import Callable
from concurrent import futures
import contextlib
import logging
import os
import pathlib
import socket
import sys
import traceback

from experiments.runs.config import Options
import ssnn_jax

_NUM_RETRIES = 3  # of a task whose worker died


def launch(
  tasks: dict[str, Callable[[], None]],
  report: Callable[[str, str, int], None],
  options: Options,
) -> None:
  """Runs tasks, picklable functions by their names; reports the end of each.

  `report` is called with the name of a task, its end, and the number of tasks
  that have ended.

  Raises:
    UserError: the first user error of a task, or one that names failed tasks.
  """
  if not tasks:
    return
  if options.launcher == 'ray':
    ends = _ray(tasks, options)
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


def _ray(tasks, options):
  """Runs tasks on a Ray cluster, to which the code of this project is sent."""
  os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
  import ray

  packages = [str(pathlib.Path(__file__).parent.parent), ssnn_jax.__path__[0]]
  variables = {'PJRT_NPROC': os.environ.get('PJRT_NPROC', '1')}  # XLA threads
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
