"""Folders of runs: records, checkpoints and provenance.

Example:
  >>> import tempfile
  >>> with tempfile.TemporaryDirectory() as folder:
  ...   ssnn_jax.runs.records.create(folder, {'num_steps': 64})
  ...   ssnn_jax.runs.records.append(folder, 'final', test_accuracy=0.97)
  ...   run = ssnn_jax.runs.read(folder)
  >>> run.config, run.final['test_accuracy']
  ({'num_steps': 64}, 0.97)
"""

from ssnn_jax.runs.checkpoints import load_params
from ssnn_jax.runs.errors import CheckpointError
from ssnn_jax.runs.errors import RecordError
from ssnn_jax.runs.records import Run
from ssnn_jax.runs.records import find
from ssnn_jax.runs.records import read

__all__ = (
  'CheckpointError',
  'RecordError',
  'Run',
  'find',
  'load_params',
  'read',
)
