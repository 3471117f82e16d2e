"""Shared setup for tests of the records of runs."""

import pathlib

from absl.testing import parameterized

from ssnn_jax import runs

CONFIG = {'method': 'ssnn', 'layer_sizes': [2, 3]}


class RecordsTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.parent = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.parent / 'a' / 'run'
    self.metrics = self.folder / 'metrics.jsonl'

  def contents(self):
    paths = [path for path in self.parent.rglob('*') if path.is_file()]
    return {path: path.read_bytes() for path in paths}

  def write_damaged(self, path, content):
    path.write_bytes(content)
    return (
      f'{path} does not hold valid JSON objects; restore the file, or remove '
      'the folder of the run.'
    )

  def assert_rejected(self, message, function, *args, **kwargs):
    """Asserts that a call raises an error and changes no file."""
    before = self.contents()
    with self.assertRaises(runs.RecordError) as caught:
      function(*args, **kwargs)
    self.assertStartsWith(str(caught.exception), message)
    self.assertEqual(self.contents(), before)
