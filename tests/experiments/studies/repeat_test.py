"""Tests of the repetition of recorded runs."""

import contextlib
import dataclasses
from unittest import mock

from absl.testing import parameterized
import pandas as pd

from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs import train
from experiments.studies import frames
from experiments.studies import studies
from experiments.studies import tables
import ssnn_jax
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import call_run
from tests.testing.experiments import small_digits

# A run that is soon compiled.
BASE = {'layers': '10', 'num_epochs': 1, 'diagnostics': False}
SWEEP = studies.Sweep({'method': ('bp',), 'learning_rate': (0.5, 1.0)}, 3)
SWEEPS = {'digits': (SWEEP,), 'mnist': (SWEEP,), 'poem': (SWEEP,)}
COLUMNS = 'layers', 'learning_rate'
STUDY = studies.Study(sweeps=SWEEPS, base=BASE, columns=COLUMNS)
ROW = {'dataset': 'digits', 'method': 'bp', 'layers': '10', 'seed': 0}
ROW |= {'learning_rate': '0.5'}
ROW |= {'test_accuracy': 0.9, 'num_eval_samples': 40, 'train_seconds': 1.0}
ROW |= {'seeds_at_once': 2, 'params_sha256': '01234567', 'data_sha256': '0'}


class RepeatTest(FolderTestCase):
  def setUp(self):
    super().setUp()
    known = {'tiny': STUDY, 'measured': studies.Study()}
    self.enterContext(mock.patch.object(studies, 'STUDIES', known))
    self.enterContext(mock.patch.object(frames, 'FOLDER', self.folder))
    frames.path('measured').write_text('dataset,method\ndigits,ssnn\n')

  def repeat(self, rows, *arguments):
    """Repeats runs of CSV files with rows; returns the lines of the output."""
    text = frames.to_csv(pd.DataFrame(rows), STUDY)
    frames.path('tiny').write_text(text)
    words = '--study=all', '--quick=1', f'--data_dir={self.folder}'
    return call_run(*words, *arguments).splitlines()

  def test_repeated_run_is_equal(self):
    config = config_lib.ExperimentConfig(method='bp', learning_rate=0.5)
    config = dataclasses.replace(config, seed=2, **BASE)
    load, data = train.load, small_digits()
    of_digits = lambda config, *args: (
      data if config.dataset == 'digits' else load(config, *args)
    )
    with mock.patch.object(train, 'load', of_digits):
      with contextlib.redirect_stdout(None):
        train.train(records.Task(config, 1, self.folder / 'run'), data)
      (run,) = frames.read(self.folder / 'run').to_dict('records')
      long, other = {'seed': 1, 'train_seconds': 99.0}, {'learning_rate': '1.0'}
      rows = [run, run | long, run | other, run | {'dataset': 'mnist'}]
      (self.folder / 'digits.npz').write_bytes(b'raw data of a known set')
      (self.folder / 'poem.txt').write_text('short')
      rows.append(run | {'dataset': 'poem'})
      found = self.repeat(rows, '--learning_rate=0.5', '--layers=10')
    settings = 'method=bp, layers=10, learning_rate=0.5'
    self.assertIn(f'tiny, digits, {settings}, seed=2', found)
    *_, heading, _, line = found
    self.assertStartsWith(heading, '| result ')
    self.assertStartsWith(line, '| equal ')
    self.assertRegex('\n'.join(found), '(?m)^tiny, mnist: Cannot find ')
    self.assertRegex('\n'.join(found), '(?m)^tiny, poem: .*poem.txt')

  def test_time_without_a_run_is_refused(self):
    for changes in (
      {'learning_rate': '2.0'},  # in none of the sweeps
      {'train_seconds': 999.0},
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, 'no run was repeated'):
        self.repeat([ROW | changes])

  @parameterized.parameters(
    # Of one number, t(2) is 4.303: within 0.248 of the mean.
    (0.66, '89abcdef', 'within'),
    (0.65, '89abcdef', 'outside'),
    (0.9, '89abcdef', 'other samples'),
  )
  def test_other_weights_are_compared_with_seeds(self, value, digest, result):
    long = ROW | {'train_seconds': 999.0}
    rows = [ROW | {'test_accuracy': 0.9, 'seed': 0}]
    rows += [long | {'test_accuracy': 0.85, 'seed': 1}]
    rows += [long | {'test_accuracy': 0.95, 'seed': 2}]
    new = {'test_accuracy': value, 'params_sha256': digest}
    new['data_sha256'] = '1' if result == 'other samples' else '0'
    refused = contextlib.nullcontext()
    if result in ('outside', 'other samples'):
      refused = self.assertRaisesRegex(SystemExit, 'error: not all numbers')
    printed = mock.patch.object(tables, 'write_table', wraps=tables.write_table)
    trained = mock.patch.object(train, 'train')
    read = mock.patch.object(frames, 'read', lambda _: pd.DataFrame([new]))
    with trained, read, printed as table, refused:
      self.repeat(rows)
    ((lines,), _) = table.call_args
    self.assertEqual(list(lines['result']), [result])
