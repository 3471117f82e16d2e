"""Tests that launcher run tasks, and report and retry failing ones."""

import contextlib
import functools
import importlib.util
import multiprocessing
import os
import pathlib
import signal
import sys
import tempfile
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from experiments.launch import launcher
from experiments.launch import local
from experiments.launch import ray_cluster

Status = launcher.Status


# Tasks; their processes import neither jax nor ssnn_jax.


def write(folder, name):
  """Writes one file per call, with the visible devices."""
  path = pathlib.Path(folder, name)
  path.mkdir(exist_ok=True)
  device = os.environ.get('CUDA_VISIBLE_DEVICES', '')
  path.joinpath(str(os.getpid())).write_text(device)


def die_once(folder, name):
  try:
    pathlib.Path(folder, 'died').touch(exist_ok=False)
  except FileExistsError:
    write(folder, name)
  else:
    die()


def die():
  os.write(2, b'last words\n')
  os.kill(os.getpid(), signal.SIGKILL)


def fail():
  raise RuntimeError('a bug')


def fail_by_user_error():
  import ssnn_jax

  raise ssnn_jax.UserError('--flag=1 is wrong; leave it out.')


def wait_for(sign, folder, name):
  end = time.monotonic() + 60
  while not os.path.exists(sign):
    if time.monotonic() > end:
      raise TimeoutError(sign)
    time.sleep(0.01)
  write(folder, name)


class LaunchersTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    self.events = []

  def tasks(self, num_tasks, **special):
    names = [f'task{index}' for index in range(num_tasks)]
    runs = {name: functools.partial(write, self.folder, name) for name in names}
    return [launcher.Task(*item) for item in (runs | special).items()]

  def assert_each_ran_once(self, names):
    """Asserts which tasks ran; returns their visible devices."""
    written = {
      path.name: [file.read_text() for file in path.iterdir()]
      for path in pathlib.Path(self.folder).iterdir()
      if path.is_dir()
    }
    calls = {name: len(devices) for name, devices in written.items()}
    self.assertEqual(calls, dict.fromkeys(names, 1))
    return {device for devices in written.values() for device in devices}

  def ray_workers(self, num_gpus, address):
    resources = ray_cluster.Resources(num_cpus=1, num_gpus=num_gpus)
    return ray_cluster.workers(pathlib.Path(self.folder), address, resources)

  def statuses(self, name):
    return [event.status for event in self.events if event.task == name]

  def ended(self):
    """Returns the counts of ended tasks, event by event."""
    ends = (Status.DONE, Status.REFUSED, Status.FAILED)
    return [event.num_ended for event in self.events if event.status in ends]


class LaunchHereTest(LaunchersTest):
  def test_runs_other_tasks_after_a_failure(self):
    tasks = self.tasks(3, task1=fail)
    with self.assertRaisesRegex(ValueError, r'^1 of 3 tasks failed \(task1\)'):
      launcher.launch(tasks, launcher.this_process(), self.events.append)
    self.assert_each_ran_once(['task0', 'task2'])
    self.assertEqual(self.ended(), [1, 2, 3])
    self.assertEqual(self.statuses('task1'), [Status.STARTED, Status.FAILED])
    self.assertIn('RuntimeError: a bug', self.events[3].message)

  def test_stops_after_a_user_error(self):
    tasks = self.tasks(3, task1=fail_by_user_error)
    with self.assertRaisesRegex(ValueError, '^--flag=1 is wrong; leave it out'):
      launcher.launch(tasks, launcher.this_process(), self.events.append)
    self.assert_each_ran_once(['task0'])
    self.assertEqual(self.statuses('task1'), [Status.STARTED, Status.REFUSED])


class LaunchLocalTest(LaunchersTest):
  def launch_local(self, tasks, report):
    with local.workers(2) as workers:
      launcher.launch(tasks, workers, report, num_retries=1)

  def launch(self, tasks, devices=('cpu', 1)):
    with mock.patch.object(local, 'local_devices', lambda: devices):
      self.launch_local(tasks, self.events.append)

  def test_retries_a_task_after_its_worker_died(self):
    dying = functools.partial(die_once, self.folder, 'task1')
    tasks, before = self.tasks(3, task1=dying), dict(os.environ)
    self.launch(tasks, devices=('cuda', 2))
    devices = self.assert_each_ran_once([task.name for task in tasks])
    self.assertEqual(devices, {'0', '1'})
    self.assertEqual(dict(os.environ), before)
    self.assertEqual(self.ended(), [1, 2, 3])
    for name in ('task0', 'task2'):
      self.assertEqual(self.statuses(name), [Status.STARTED, Status.DONE])
    self.assertEqual(
      self.statuses('task1'),
      [Status.STARTED, Status.DIED, Status.STARTED, Status.DONE],
    )

  def test_gives_up_after_retries(self):
    tasks = self.tasks(2, task0=die)
    with self.assertRaisesRegex(ValueError, r'^1 of 2 tasks failed \(task0\)'):
      self.launch(tasks)
    self.assert_each_ran_once(['task1'])
    self.assertEqual(
      self.statuses('task0'),
      [Status.STARTED, Status.DIED, Status.STARTED, Status.FAILED],
    )
    (failure,) = (e for e in self.events if e.status is Status.FAILED)
    self.assertEqual(failure.message, 'its worker died (SIGKILL)\nlast words')

  def test_finishes_running_tasks_after_a_user_error(self):
    sign = pathlib.Path(self.folder, 'reported')

    def report(event):
      self.events.append(event)
      if event.status is Status.REFUSED:
        sign.touch()

    waiting = functools.partial(wait_for, sign, self.folder, 'task1')
    tasks = self.tasks(3, task0=fail_by_user_error, task1=waiting)
    with (
      mock.patch.object(local, 'local_devices', lambda: ('cpu', 1)),
      self.assertRaisesRegex(ValueError, '^--flag=1 is wrong; leave it out.$'),
    ):
      self.launch_local(tasks, report)
    self.assert_each_ran_once(['task1'])
    self.assertEqual(self.ended(), [1, 2])
    self.assertEmpty(self.statuses('task2'))

  def test_interrupt_ends_the_workers(self):
    def interrupt(event):
      raise KeyboardInterrupt

    never = functools.partial(wait_for, '', self.folder, 'task')
    with self.assertRaises(KeyboardInterrupt):
      self.launch_local([launcher.Task('task', never)], interrupt)
    self.assertEmpty(multiprocessing.active_children())


class WorkerEnvironmentsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('cuda', {}, 'CUDA_VISIBLE_DEVICES', ['0', '1']),
    ('cuda', {'CUDA': '5,3,GPU-7'}, 'CUDA_VISIBLE_DEVICES', ['5', '3']),
    ('rocm', {'ROCR': '2,3'}, 'HIP_VISIBLE_DEVICES', ['0', '1']),
    ('rocm', {'CUDA': '2,3'}, 'HIP_VISIBLE_DEVICES', ['2', '3']),
    ('tpu', {}, 'TPU_VISIBLE_CHIPS', ['0', '1']),
    ('cpu', {}, 'CUDA_VISIBLE_DEVICES', [None, None]),
  )
  def test_each_worker_has_its_own_device(
    self, kind, given, variable, expected
  ):
    given = {f'{name}_VISIBLE_DEVICES': value for name, value in given.items()}
    with (
      mock.patch.object(local, 'local_devices', lambda: (kind, 3)),
      mock.patch.dict(os.environ, given, clear=True),
    ):
      environments = local.worker_environments(2)
    self.assertEqual([each.get(variable) for each in environments], expected)

  def test_rejects_more_workers_than_devices(self):
    with (
      mock.patch.object(local, 'local_devices', lambda: ('cuda', 2)),
      self.assertRaisesRegex(ValueError, '^--num_workers=3 .*=2 at most'),
    ):
      local.worker_environments(3)

  def test_counts_devices(self):
    with mock.patch.dict(
      os.environ, JAX_PLATFORMS='cpu', JAX_NUM_CPU_DEVICES='3'
    ):
      self.assertEqual(local.local_devices(), ('cpu', 3))


class MissingRayTest(LaunchersTest):
  def test_missing_package_is_an_error(self):
    with (
      mock.patch.dict(sys.modules, ray=None),
      self.assertRaisesRegex(ValueError, '^--launcher=ray needs Ray, which is'),
    ):
      self.enterContext(self.ray_workers(0, None))


@absltest.skipIf(
  importlib.util.find_spec('ray') is None, 'Ray is not installed'
)
class LaunchRayTest(LaunchersTest):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    import ray
    from ray import cluster_utils

    folder = tempfile.TemporaryDirectory(
      prefix='ray-', ignore_cleanup_errors=True
    )
    cls.enterClassContext(
      mock.patch.dict(os.environ, RAY_TMPDIR=cls.enterClassContext(folder))
    )
    # The nodes cannot import this module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    node = {'num_cpus': 1, 'object_store_memory': 100 * 2**20}
    cls.cluster = cluster_utils.Cluster(
      initialize_head=True, head_node_args=node | {'include_dashboard': False}
    )
    cls.addClassCleanup(cls.cluster.shutdown)
    cls.cluster.add_node(**node, wait=False)

  def launch(self, tasks, num_gpus=0, address=None):
    address = address or self.cluster.address
    with self.ray_workers(num_gpus, address) as workers:
      launcher.launch(tasks, workers, self.events.append, num_retries=1)

  def test_retries_a_task_after_its_worker_died(self):
    dying = functools.partial(die_once, self.folder, 'task1')
    # Another task waits on the other node.
    sign = pathlib.Path(self.folder, 'died')
    waiting = functools.partial(wait_for, sign, self.folder, 'task0')
    tasks = self.tasks(6, task0=waiting, task1=dying, task2=fail)
    with self.assertRaisesRegex(ValueError, r'^1 of 6 tasks failed \(task2\)'):
      self.launch(tasks)
    names = {task.name for task in tasks} - {'task2'}
    self.assert_each_ran_once(names)
    self.assertEqual(self.ended(), [1, 2, 3, 4, 5, 6])
    for name in names:
      deaths = [Status.DIED] if name == 'task1' else []
      self.assertEqual(self.statuses(name), [*deaths, Status.DONE])
    self.assertEqual(self.statuses('task2'), [Status.FAILED])
    self.assertEmpty(list(pathlib.Path(self.folder).glob('.*')))

  @mock.patch.object(ray_cluster, '_written', contextlib.nullcontext)
  def test_names_a_folder_that_a_node_cannot_see(self):
    with self.assertRaisesRegex(
      ValueError, f'^node .* cannot access {self.folder}; choose a --workdir on'
    ):
      self.launch(self.tasks(3))
    self.assert_each_ran_once([])
    self.assertEqual(self.ended(), [1])

  def test_rejects_tasks_larger_than_all_nodes(self):
    with self.assertRaisesRegex(ValueError, '^no node .* 1 CPUs and 2 GPUs'):
      self.launch(self.tasks(1), num_gpus=2)

  def test_rejects_an_address_without_a_cluster(self):
    with self.assertRaisesRegex(ValueError, '^no Ray cluster answers at loc'):
      self.launch(self.tasks(1), address='localhost:1')
