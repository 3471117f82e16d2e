"""Commands for tests, run by forks of a process that imported them once.

Tests of the process itself start one by `subprocess` instead.
"""

import atexit
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
IMPORTED = 'benchmark', 'export', 'fidelity', 'plot', 'run', 'sweep'
TIMEOUT = 240  # seconds


def run(module, *arguments, while_running=lambda pid: None):
  """Runs a module of `experiments`; returns what `subprocess.run` would.

  Args:
    module: name of the module.
    *arguments: of the command.
    while_running: function of the process id, called when the command starts.

  Returns:
    Its exit code, output and errors.
  """
  with tempfile.TemporaryDirectory() as folder:
    out, err = (pathlib.Path(folder, name) for name in ('out', 'err'))
    command = module, arguments, str(out), str(err), dict(os.environ)
    server = _server()
    server.stdin.write(json.dumps(command) + '\n')
    server.stdin.flush()
    try:
      while_running(int(server.stdout.readline()))
    finally:
      code = int(server.stdout.readline())
    return subprocess.CompletedProcess(
      (module, *arguments), code, out.read_text(), err.read_text()
    )


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
  """Forks for each line; no thread has started that a fork would lack."""
  for module in IMPORTED:
    importlib.import_module(f'experiments.{module}')
  gc.freeze()  # children then copy fewer pages of memory
  for line in sys.stdin:
    child = os.fork()
    if not child:
      _run_command(*json.loads(line))
      return
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)


def _run_command(module, arguments, out, err, environment):
  """Runs a module like `python -m`."""
  for descriptor, path in enumerate((os.devnull, out, err)):
    flags = os.O_RDWR | os.O_CREAT
    os.dup2(os.open(path, flags), descriptor)
  signal.alarm(TIMEOUT)
  os.environ.clear()
  os.environ.update(environment)
  sys.argv[1:] = arguments
  name = f'experiments.{module}'
  sys.modules.pop(name, None)
  runpy.run_module(name, run_name='__main__', alter_sys=True)


if __name__ == '__main__':
  _serve()
