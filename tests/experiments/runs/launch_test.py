"""Tests of launchers: this process, and Ray."""

import functools
import importlib.util
import os
import pathlib
import secrets
import signal
import sys
import tempfile
import time
from unittest import mock

from absl.testing import absltest

from experiments.runs import launch
from experiments.runs.config import Options
import ssnn_jax

# Only who has the token may run code; Ray reads this when it is imported.
os.environ['RAY_AUTH_MODE'] = 'token'
os.environ['RAY_AUTH_TOKEN'] = secrets.token_hex(16)


# Tasks.


def write(folder, name):
  """Writes one file per call."""
  path = pathlib.Path(folder, name)
  path.mkdir(exist_ok=True)
  path.joinpath(str(time.monotonic_ns())).touch()


def die_once(folder, name):
  try:
    pathlib.Path(folder, 'died').touch(exist_ok=False)
  except FileExistsError:
    write(folder, name)
  else:
    die()


def die():
  os.kill(os.getpid(), signal.SIGKILL)


def fail():
  raise RuntimeError('a bug')


def refuse():
  raise ssnn_jax.UserError('--flag=1 is wrong; leave it out.')


class LaunchTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.reports = []

  def launch(self, num_tasks, options, **special):
    """Launches tasks that write, except for the special ones."""
    names = [f'task{index}' for index in range(num_tasks)]
    runs = {name: functools.partial(write, self.folder, name) for name in names}
    report = lambda *event: self.reports.append(event)
    launch.launch(runs | special, report, options)

  def assert_each_ran_once(self, names):
    calls = [call.parent.name for call in self.folder.glob('task*/*')]
    self.assertCountEqual(calls, names)


class HereTest(LaunchTest):
  def test_runs_other_tasks_after_a_failure(self):
    with self.assertRaisesRegex(ValueError, r'^1 of 3 tasks failed \(task1\)'):
      self.launch(3, Options(), task1=fail)
    self.assert_each_ran_once(['task0', 'task2'])
    self.assertEqual(
      self.reports,
      [('task0', 'done', 1), ('task1', 'failed', 2), ('task2', 'done', 3)],
    )

  def test_stops_after_a_user_error(self):
    with self.assertRaisesRegex(ValueError, '^--flag=1 is wrong; leave it out'):
      self.launch(3, Options(), task1=refuse)
    self.assert_each_ran_once(['task0'])


@absltest.skipIf(
  importlib.util.find_spec('ray') is None, 'Ray is not installed'
)
class RayTest(LaunchTest):
  def test_names_an_address_without_a_cluster(self):
    with (
      mock.patch.dict(os.environ, RAY_ADDRESS='localhost:1'),
      self.assertRaisesRegex(
        ValueError, '^Ray cannot be used at localhost:1 .*refused'
      ),
    ):
      self.launch(1, Options(launcher='ray'))

  def test_runs_a_task_again_after_its_worker_died(self):
    import ray
    from ray import cluster_utils

    folder = tempfile.TemporaryDirectory(
      prefix='ray-', ignore_cleanup_errors=True
    )
    self.enterContext(
      mock.patch.dict(os.environ, RAY_TMPDIR=self.enterContext(folder))
    )
    # The node cannot import this module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    node = {'num_cpus': 1, 'object_store_memory': 100 * 2**20}
    cluster = cluster_utils.Cluster(
      initialize_head=True, head_node_args=node | {'include_dashboard': False}
    )
    self.addCleanup(cluster.shutdown)
    address = mock.patch.dict(os.environ, RAY_ADDRESS=cluster.address)
    self.enterContext(address)
    dying = functools.partial(die_once, self.folder, 'task1')
    with self.assertRaisesRegex(ValueError, r'^1 of 3 tasks failed \(task0\)'):
      self.launch(3, Options(launcher='ray'), task0=fail, task1=dying)
    self.assert_each_ran_once(['task1', 'task2'])
    with self.assertRaisesRegex(ValueError, '^no node .* 1 CPUs and 2.0 GPUs'):
      self.launch(1, Options(launcher='ray', gpus_per_task=2.0))
