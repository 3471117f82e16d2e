"""Runs independent tasks, and tells how they end.

A task records its results itself, in folders that it was given; what comes back
is only how it ended. A user's mistake stops the launching of further tasks,
which would likely meet it too. After any other failure the rest still run, and
the error at the end names those that failed.

Neither jax nor ssnn_jax is imported at the top, so that a process which only
launches tasks, or waits for one, stays light.
"""

from collections.abc import Callable
from collections.abc import Sequence
import enum
import traceback
from typing import NamedTuple

from experiments.config import errors


class Task(NamedTuple):
  """Something to run once.

  Attributes:
    name: what the user is told; unique among the tasks.
    run: picklable. If its worker dies it is called again, and goes on from
      what it has recorded.
  """

  name: str
  run: Callable[[], None]


class Status(enum.Enum):
  """What has become of a task."""

  STARTED = 'started'
  DIED = 'died'  # with its worker; it will be tried again
  DONE = 'done'
  MISTAKEN = 'refused'  # it raised ssnn_jax.UserError
  FAILED = 'failed'


class Event(NamedTuple):
  """What is reported of a task."""

  task: str
  status: Status
  num_ended: int  # how many are done, mistaken or failed
  num_tasks: int
  message: str  # a mistake's sentence, or lines about a death or failure


Report = Callable[[Event], None]


class Outcome(NamedTuple):
  """How an attempt at a task ended."""

  status: Status
  message: str = ''


def _mistake_type():
  from ssnn_jax import types

  return types.UserError


def mistake(sentence: str) -> ValueError:
  """Makes the error that tells of a user's mistake."""
  return _mistake_type()(sentence)


def attempt(run: Callable[[], None]) -> Outcome:
  """Runs a task; what it raises is told in words, which can travel."""
  try:
    run()
  except Exception as error:
    if isinstance(error, _mistake_type()):
      return Outcome(Status.MISTAKEN, errors.message(error))
    return Outcome(Status.FAILED, traceback.format_exc())
  return Outcome(Status.DONE)


class Ledger:
  """Reports how tasks end, and raises at last what is due."""

  def __init__(self, tasks: Sequence[Task], report: Report):
    """Starts with no task ended."""
    self.mistake, self.failed, self.num_ended = None, [], 0
    self.num_tasks, self.report = len(tasks), report

  def tell(self, task: Task, outcome: Outcome) -> None:
    """Reports what has become of a task that goes on."""
    counts = self.num_ended, self.num_tasks
    self.report(Event(task.name, outcome.status, *counts, outcome.message))

  def end(self, task: Task, outcome: Outcome) -> None:
    """Reports the end of a task."""
    self.num_ended += 1
    if outcome.status is Status.FAILED:
      self.failed.append(task.name)
    elif outcome.status is Status.MISTAKEN and self.mistake is None:
      self.mistake = outcome.message
    self.tell(task, outcome)

  def close(self) -> None:
    """Raises the first mistake, or names the tasks that failed."""
    if self.mistake is not None:
      raise mistake(self.mistake)
    if self.failed:
      raise mistake(
        f'{len(self.failed)} of {self.num_tasks} tasks failed '
        f'({"; ".join(self.failed)}); see above why, and run the same command '
        'again for what is missing.'
      )


def launch_here(tasks: Sequence[Task], report: Report) -> None:
  """Runs tasks in this process, one after the other.

  Args:
    tasks: what to run.
    report: is told what becomes of each.

  Raises:
    UserError: the first that a task raised, or one that names the failed tasks.
  """
  ledger = Ledger(tasks, report)
  for task in tasks:
    ledger.tell(task, Outcome(Status.STARTED))
    ledger.end(task, attempt(task.run))
    if ledger.mistake is not None:
      break
  ledger.close()
