"""Tests of commands with models of users."""

import dataclasses
import pathlib
import shutil

from absl.testing import parameterized
import numpy as np

from experiments.runs import config as config_lib
from experiments.runs import models as models_lib
from experiments.runs import records
from experiments.runs import train
import ssnn_jax
from ssnn_jax.runs import files
from tests.testing import commands
from tests.testing import own
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import lines
from tests.testing.experiments import stopped_at_save

MODEL = f'{pathlib.Path(own.__file__).absolute()}:make'


class ModelTest(FolderTestCase):
  def setUp(self):
    super().setUp()
    # An image and its label, of classes that can be learned.
    inputs, labels = own.batch(60)
    tests, answers = own.batch(30, seed=1)
    self.data = str(self.folder / 'own.npz')
    np.savez(
      self.data, x_train=inputs, y_train=labels, x_test=tests, y_test=answers
    )

  def make_task(self, folder, kind='function', **changes):
    config = config_lib.default(
      self.data,
      model=MODEL,
      model_args=models_lib.write({'kind': kind}),
      num_steps=4,
      num_epochs=3,
      eval_every=1,
      batch_size=12,
      **changes,
    )
    return records.Task(config, 2, self.folder / folder)

  @parameterized.parameters('nnx', 'equinox', 'function')
  def test_stopped_runs_of_seeds_end_like_whole_ones(self, kind):
    whole, stopped = (self.make_task(x, kind) for x in ('whole', 'stopped'))
    data = train.load(whole.config)
    train.train(whole, data)
    with stopped_at_save(self, 2):
      train.train(stopped, data)
    train.train(stopped, data)
    for event in ('epoch', 'final'):
      found, expected = (lines(x.folder, event) for x in (stopped, whole))
      self.assertEqual(found, expected)
    model = config_lib.network_config(whole.config, data)
    loaded = ssnn_jax.load(whole.folder, model, seed=1)
    self.assertEqual((loaded.config, loaded.kind), (model, 'ssnn'))
    *_, line = lines(whole.folder)
    self.assertEqual(files.sha256(loaded.params), line['params_sha256'])

  def test_another_file_is_refused(self):
    path = self.folder / 'own.py'
    shutil.copy(own.__file__, path)
    task = self.make_task('run')
    config = dataclasses.replace(
      task.config, model=f'{path}:make', model_sha256=''
    )
    self.assertEqual(config.model_sha256, models_lib.digest(f'{path}:make'))
    data = train.load(config)
    config_lib.network_config(config, data)
    path.write_text(path.read_text() + '\n')
    models_lib.make.cache_clear()
    models_lib._load.cache_clear()
    with self.assertRaisesRegex(ssnn_jax.UserError, 'has changed: its SHA-256'):
      config_lib.network_config(config, data)

  def test_command_sweeps_fields_and_arguments_and_goes_on(self):
    folder = self.folder / 'sweep'
    flags = (
      f'--model={MODEL}',
      '--kind=equinox',
      f'--dataset={self.data}',
      '--grid=num_steps=0;width=6',
      '--num_epochs=1',
      '--num_seeds=2',
      f'--workdir={folder}',
    )
    done = commands.run('run', *flags)
    self.assertEqual((done.stderr, done.returncode), ('', 0))
    self.assertRegex(done.stdout, r'ANN, % .* accuracy')
    self.assertIn('inconclusive (2 of 5 seeds)', done.stdout)
    one = folder / 'num_steps=0,width=6' / 'seed=0-1'
    before = records.read_lines(one, 'final')
    (one / records.METRICS).unlink()
    done = commands.run('run', *flags)
    self.assertIn('settings to train: 1', done.stdout)
    after = records.read_lines(one, 'final')
    same = [line['params_sha256'] for line in after]
    self.assertEqual(same, [line['params_sha256'] for line in before])

  @parameterized.parameters(
    ({'layers': '8,3'}, 'layers is 8,3; expected None, as --model describes'),
    ({'neuron': 'stochastic'}, 'neuron is stochastic; expected bipolar'),
    ({'model': 'missing.py:make'}, '--model=.* cannot be read'),
  )
  def test_refuses_what_would_have_no_effect(self, changes, words):
    config = self.make_task('run').config
    with self.assertRaisesRegex(ssnn_jax.UserError, words):
      dataclasses.replace(config, **{'model_sha256': ''} | changes)

  def test_refuses_a_model_of_other_data(self):
    config = dataclasses.replace(self.make_task('run').config, dataset='digits')
    with self.assertRaisesRegex(ssnn_jax.UserError, '--model=.* is not fit'):
      config_lib.network_config(config, train.load(config))
