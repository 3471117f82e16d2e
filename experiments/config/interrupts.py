"""Interrupts of the commands by Ctrl-C.

Only the standard library is imported, so that a command can be interrupted
before the other imports, which take seconds.
"""

from collections.abc import Iterator
import contextlib
import os
import signal
import sys
import threading

_SECONDS_TO_END = 10  # before an interrupted command is killed
_STATUS = 130  # exit status of an interrupted command
_remedy = ''


def install() -> None:
  """Makes Ctrl-C end the process with one word, unless Ctrl-C is ignored."""
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)


def continue_by(command: str) -> None:
  """Sets the command that continues this one after an interrupt."""
  global _remedy
  _remedy = f'; continue by: {command}'


@contextlib.contextmanager
def raised() -> Iterator[None]:
  """Makes Ctrl-C raise `KeyboardInterrupt` in the context, to close its files.

  The process ends after the context, or after some seconds, even if a library
  swallows the exception.
  """
  install()
  if signal.getsignal(signal.SIGINT) is not _end:
    yield
    return
  timers = []

  def interrupt(signum, frame):
    del signum, frame
    timers.append(threading.Timer(_SECONDS_TO_END, _end))
    timers[-1].daemon = True
    timers[-1].start()
    raise KeyboardInterrupt

  signal.signal(signal.SIGINT, interrupt)
  try:
    yield
  finally:
    signal.signal(signal.SIGINT, _end)
    if timers:
      _end()


def _end(signum=None, frame=None):
  """Ends the process, at any moment of it."""
  del signum, frame
  with contextlib.suppress(OSError, RuntimeError):  # closed, or in a write
    sys.stdout.flush()
  with contextlib.suppress(OSError):
    os.write(2, f'interrupted{_remedy}\n'.encode())
  # Computations still run in other threads and crash an orderly exit.
  os._exit(_STATUS)
