"""Tests of launchers: this process, local workers and Ray."""

import functools
import importlib.util
import multiprocessing
import os
import pathlib
import secrets
import signal
import sys
import tempfile
import time
from unittest import mock

from absl.testing import absltest
import jax

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


def meet(folder, own, other):
  """Writes the visible devices, and waits until another task has."""
  gpu = jax.config.read('jax_cuda_visible_devices')
  chip = os.environ['TPU_VISIBLE_CHIPS']
  pathlib.Path(folder, own).write_text(f'{gpu!r} {chip!r}')
  while not pathlib.Path(folder, other).exists():
    time.sleep(0.01)


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


needs_ray = absltest.skipIf(
  importlib.util.find_spec('ray') is None, 'Ray is not installed'
)


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
    launch.launch(runs | special, self.folder, report, options)

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


class LocalTest(LaunchTest):
  @mock.patch.object(launch, '_NUM_RETRIES', 1)
  def test_runs_a_task_again_after_its_worker_died(self):
    special = {
      x: functools.partial(meet, self.folder, x, y) for x, y in ('ab', 'ba')
    }
    special['task1'] = functools.partial(die_once, self.folder, 'task1')
    before = dict(os.environ)
    with self.assertRaisesRegex(ValueError, r'^1 of 6 tasks failed \(last\)'):
      self.launch(3, Options(num_workers=2), **special, last=die)
    self.assert_each_ran_once(['task0', 'task1', 'task2'])
    self.assertEqual(dict(os.environ), before)
    ends = {name: end for name, end, _ in self.reports}
    done = dict.fromkeys(['task0', 'task1', 'task2', 'a', 'b'], 'done')
    self.assertEqual(ends, {**done, 'last': 'failed'})
    self.assertEmpty(multiprocessing.active_children())
    # Each worker has its own device.
    devices = [(self.folder / name).read_text() for name in 'ab']
    self.assertCountEqual(devices, ["'0' '0'", "'1' '1'"])

  def test_user_error_ends_the_other_tasks(self):
    with self.assertRaisesRegex(ValueError, '^--flag=1 is wrong; leave it out'):
      wait = functools.partial(time.sleep, 600)
      others = {'task1': wait, 'task2': wait}
      self.launch(1, Options(num_workers=2), task0=refuse, **others)
    self.assertEmpty(multiprocessing.active_children())

  @needs_ray
  def test_names_an_address_without_a_cluster(self):
    with (
      mock.patch.dict(os.environ, RAY_ADDRESS='localhost:1'),
      self.assertRaisesRegex(
        ValueError, '^Ray cannot be used at localhost:1 .*refused'
      ),
    ):
      self.launch(1, Options(launcher='ray'))

  @needs_ray
  def test_ray_runs_a_task_again_after_its_worker_died(self):
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
