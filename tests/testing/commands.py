"""Commands for tests, run by forks of a process that imported them once.

Tests of the process itself start one by `subprocess` instead.
"""

import contextlib
import multiprocessing
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent.parent
_FORKS = multiprocessing.get_context('forkserver')
_FORKS.set_forkserver_preload([  # not the commands, which define flags
  'experiments.command',
  'experiments.runs.launch',
  'experiments.studies.pages',
  'orbax.checkpoint',
])  # fmt: skip


def run(module, *arguments, while_running=lambda pid: None):
  """Runs a module of `experiments`; returns what `subprocess.run` would.

  `while_running` is called with the process id when the command starts.
  """
  with tempfile.TemporaryDirectory() as folder:
    paths = f'{folder}/out', f'{folder}/err'
    request = module, arguments, paths, os.getcwd(), dict(os.environ)
    process = _FORKS.Process(target=_run_command, args=request)
    with contextlib.chdir(ROOT):  # from which the server imports
      process.start()
    try:
      while_running(process.pid)
    finally:
      process.join()
    out, err = (pathlib.Path(path).read_text() for path in paths)
  command, code = (module, *arguments), process.exitcode
  return subprocess.CompletedProcess(command, code, out, err)


def _run_command(module, arguments, paths, folder, environment):
  """Runs a module like `python -m`, in a folder, with output to files."""
  for descriptor, path in enumerate(paths, 1):
    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
  signal.alarm(240)  # seconds
  os.chdir(folder)
  os.environ.clear()
  os.environ.update(environment)
  sys.argv[1:] = arguments
  name = f'experiments.{module}'
  runpy.run_module(name, run_name='__main__', alter_sys=True)
