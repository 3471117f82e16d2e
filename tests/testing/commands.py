"""Commands for tests, in processes of their own that import nothing anew.

What commands import is imported once, by a process that forks for each of them.
Where a test is of the process itself it starts one by `subprocess`.
"""

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

from tests.testing.experiments import COMPILE_QUICKLY

ROOT = pathlib.Path(__file__).parent.parent.parent
IMPORTED = 'benchmark', 'export', 'plot', 'run', 'sweep'
TIMEOUT = 240  # seconds; what hangs is killed


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
    given = module, arguments, str(out), str(err), dict(os.environ)
    server = _server()
    server.stdin.write(json.dumps(given) + '\n')
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
  """Starts the process that forks; it ends with this one."""
  return subprocess.Popen(
    [sys.executable, '-m', 'tests.testing.commands'],
    cwd=ROOT,
    env=os.environ | COMPILE_QUICKLY,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
  )


def _serve():
  """Forks for each line; there is no thread yet that a fork would miss."""
  for module in IMPORTED:
    importlib.import_module(f'experiments.{module}')
  gc.freeze()  # so that a child does not copy it all when it ends
  for line in sys.stdin:
    child = os.fork()
    if not child:
      return _become(*json.loads(line))
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)


def _become(module, arguments, out, err, environment):
  """Does what `python -m` does."""
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
