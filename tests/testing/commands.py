"""Commands for tests, run by forks of a process that imported them once.

Tests of the process itself start one by `subprocess` instead.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent.parent
IMPORTED = (  # not the commands, which define flags
  'experiments.command',
  'experiments.launch',
  'experiments.results',
  'experiments.train',
  'orbax.checkpoint',
  'sklearn.datasets',
)
TIMEOUT = 240  # seconds


def run(module, *arguments, while_running=lambda pid: None):
  """Runs a module of `experiments`; returns what `subprocess.run` would.

  `while_running` is called with the process id when the command starts.
  """
  with tempfile.TemporaryDirectory() as folder:
    paths = [f'{folder}/out', f'{folder}/err']
    environment = dict(os.environ)
    pid = _request(module, arguments, paths, os.getcwd(), environment)
    try:
      while_running(pid)
    finally:
      code = _request(pid)
    out, err = (pathlib.Path(path).read_text() for path in paths)
  return subprocess.CompletedProcess((module, *arguments), code, out, err)


def _request(*request):
  """Sends a request to the server; returns the number that it answers."""
  server = _server()
  server.stdin.write(json.dumps(request) + '\n')
  server.stdin.flush()
  return int(server.stdout.readline())


@functools.cache
def _server():
  """Starts the process that forks."""
  server = subprocess.Popen(
    [sys.executable, '-m', 'tests.testing.commands'],
    cwd=ROOT,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
  )
  atexit.register(server.communicate)  # which closes its input, and so ends it
  return server


def _serve():
  """Forks for a command, or waits for the process id of one, line by line."""
  for module in IMPORTED:
    with contextlib.suppress(ImportError):  # which its own tests report
      importlib.import_module(module)
  gc.freeze()  # children then copy fewer pages of memory
  for line in sys.stdin:
    request = json.loads(line)
    if len(request) == 1:
      _, status = os.waitpid(*request, 0)
      print(os.waitstatus_to_exitcode(status), flush=True)
      continue
    child = os.fork()  # no thread has started, which the child would lack
    if not child:
      _run_command(*request)
      return
    print(child, flush=True)


def _run_command(module, arguments, paths, folder, environment):
  """Runs a module like `python -m`, in a folder, with output to files."""
  for descriptor, path in enumerate((os.devnull, *paths)):
    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
  signal.alarm(TIMEOUT)
  os.chdir(folder)
  os.environ.clear()
  os.environ.update(environment)
  sys.argv[1:] = arguments
  try:
    name = f'experiments.{module}'
    runpy.run_module(name, run_name='__main__', alter_sys=True)
  except SystemExit as end:
    if not isinstance(end.code, str):
      raise
    print(end.code, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(1)  # at once: freeing all memory takes longer than a refusal


if __name__ == '__main__':
  _serve()
