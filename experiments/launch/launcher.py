"""Launcher of tasks on workers, with retries, reports and one final error.

Tasks record their own results and return only an outcome. After a user error no
further task starts; after other failures all other tasks still run. Neither jax
nor ssnn_jax is imported at the top, so that idle workers need little memory.
"""

import collections
from collections.abc import Callable
from collections.abc import Sequence
import enum
import math
import traceback
from typing import NamedTuple

from experiments.config import errors


class Task(NamedTuple):
  """A function to run once.

  Attributes:
    name: name in reports; unique among the tasks.
    run: picklable; called again if its worker dies, and must then continue
      from its own records.
  """

  name: str
  run: Callable[[], None]


class Status(enum.Enum):
  """Status of a task."""

  STARTED = 'started'
  DIED = 'died with its worker, and is tried again'
  DONE = 'done'
  REFUSED = 'refused'  # by ssnn_jax.UserError
  FAILED = 'failed'


class Event(NamedTuple):
  """A change of the status of a task."""

  task: str
  status: Status
  num_ended: int  # tasks that are done, refused or failed
  num_tasks: int
  message: str  # the sentence of a user error, or lines about a failure


Report = Callable[[Event], None]


class Outcome(NamedTuple):
  """The end of an attempt at a task."""

  status: Status
  message: str = ''


class Workers(NamedTuple):
  """Functions that run tasks, several at a time.

  Attributes:
    start: starts a task, or submits it to a queue.
    wait: waits for the end of any started task.
    capacity: number of tasks that run at a time; infinite for a queue, which
      starts tasks itself.
    clear_queue: cancels all queued tasks.
  """

  start: Callable[[Task], None]
  wait: Callable[[], tuple[Task, Outcome]]
  capacity: float
  clear_queue: Callable[[], None] = lambda: None


def this_process() -> Workers:
  """Returns the worker that runs one task at a time in this process."""
  started = []

  def wait():
    task = started.pop()
    return task, attempt(task.run)

  return Workers(started.append, wait, capacity=1)


def user_error(sentence: str) -> ValueError:
  """Returns an `ssnn_jax.UserError`."""
  from ssnn_jax import types

  return types.UserError(sentence)


def attempt(run: Callable[[], None]) -> Outcome:
  """Runs a function and returns the outcome, with any exception as text."""
  from ssnn_jax import types

  try:
    run()
  except types.UserError as error:
    return Outcome(Status.REFUSED, errors.message(error))
  except Exception:
    return Outcome(Status.FAILED, traceback.format_exc())
  return Outcome(Status.DONE)


def launch(
  tasks: Sequence[Task], workers: Workers, report: Report, num_retries: int = 0
) -> None:
  """Runs tasks.

  Args:
    tasks: the tasks.
    workers: the workers that run the tasks.
    report: called with each event.
    num_retries: number of retries of a task whose worker died.

  Raises:
    UserError: the first user error of a task, or one that names the failed
      tasks.
  """
  progress, num_running = _Progress(tasks, report, num_retries), 0
  while num_running or (progress.waiting and progress.refusal is None):
    while (
      progress.waiting
      and progress.refusal is None
      and num_running < workers.capacity
    ):
      task = progress.waiting.popleft()
      workers.start(task)
      num_running += 1
      if not math.isinf(workers.capacity):
        progress.report(task, Outcome(Status.STARTED))
    progress.end(*workers.wait())
    num_running -= 1
    if progress.refusal is not None:
      workers.clear_queue()
  progress.raise_error()


class _Progress:
  """Waiting, ended and failed tasks."""

  def __init__(self, tasks, report, num_retries):
    self.waiting, self.refusal = collections.deque(tasks), None
    self._report, self._num_retries = report, num_retries
    self._num_tasks, self._num_ended, self._failed = len(tasks), 0, []
    self._deaths = collections.Counter()

  def report(self, task, outcome):
    counts = self._num_ended, self._num_tasks
    self._report(Event(task.name, outcome.status, *counts, outcome.message))

  def end(self, task, outcome):
    """Reports the end of an attempt at a task, which may be tried again."""
    if outcome.status is Status.DIED:
      self._deaths[task.name] += 1
      if self._deaths[task.name] <= self._num_retries and self.refusal is None:
        self.waiting.append(task)
        self.report(task, outcome)
        return
      outcome = outcome._replace(status=Status.FAILED)
    if outcome.status is Status.REFUSED:
      if self.refusal is not None:
        return  # the first user error ends the sweep
      self.refusal = outcome.message
    if outcome.status is Status.FAILED:
      self._failed.append(task.name)
    self._num_ended += 1
    self.report(task, outcome)

  def raise_error(self):
    """Raises the first user error, or names the tasks that failed."""
    if self.refusal is not None:
      raise user_error(self.refusal)
    if self._failed:
      raise user_error(
        f'{len(self._failed)} of {self._num_tasks} tasks failed '
        f'({"; ".join(self._failed)}); see the messages above, and run the '
        'same command again for the missing runs.'
      )
