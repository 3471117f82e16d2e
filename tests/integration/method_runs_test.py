"""Tests that every method is trained, recorded and compared as any other is.

Each is in one sweep, on all digits, and what it records is what the tests look
at. The runs of the spiking network itself are tested in `trainer_test`.
"""

import contextlib
import dataclasses
import io
import json
import pathlib
import tempfile
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

from experiments import configs
from experiments import data
from experiments import defaults
from experiments import grids
from experiments import launchers
from experiments import methods
from experiments import plot
from experiments import programs
from experiments import recorder
from experiments import summary
from experiments import sweep
from experiments import trainer
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from ssnn_jax.training import sharding
from tests.testing.experiments import lines
from tests.testing.experiments import rows
from tests.testing.experiments import share_programs

SEEDS = 0, 1
SWEPT = tuple(name for name in methods.METHODS if name != 'ssnn')
RIVALS = tuple(name for name in SWEPT if name != methods.ANN)
BASE = dataclasses.replace(
  defaults.CONFIGS['digits'],
  num_steps=32,
  num_epochs=4,
  dropout=0.1,
  probe_draws=2,
  eval_every=2,  # what it evaluates a run may go on from
)
NUM_LAYERS = 2  # of weights


class Stopped(BaseException):
  """What stops a run in a test, as nothing that it does itself can."""


def load(config):
  return data.load(config, None)


class MethodRunsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)
    cls.workdir = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    settings = grids.settings(BASE, {'method': SWEPT})
    planned = sweep.plan(settings, cls.workdir, SEEDS)
    cls.runs = {runs[0].config.method: runs for runs in planned.values()}
    with contextlib.redirect_stdout(io.StringIO()):
      tasks = sweep.make_tasks(planned, load, trainer.Options())
    launchers.launch_here(tasks, lambda event: None)

  @parameterized.parameters(*SWEPT)
  def test_what_a_method_has_is_recorded(self, method):
    told = methods.METHODS[method]
    for run in self.runs[method]:
      recorded = records.read(run.folder)
      for line in lines(run.folder)[1:]:
        self.assertNotRegex(json.dumps(line), 'null|NaN|Infinity')
      epochs = [e for e in recorded.events if e['event'] == 'epoch']
      self.assertLen(epochs, BASE.num_epochs)
      self.assertLess(epochs[-1]['loss'], epochs[0]['loss'])
      for line in epochs:
        self.assertLen(line['firing_rates'], NUM_LAYERS)
        for name in ('error_rates', 'coincidences'):
          self.assertEqual(name in line, told.estimates_gradient)
      final = recorded.final
      self.assertEqual(final['method'], method)
      errors = [final.get(name) for name in summary.ERRORS]
      if not told.estimates_gradient:
        self.assertEqual(errors, [None, None])
      elif method == methods.ANN:
        self.assertEqual(errors, [0, 0])
      else:
        self.assertGreater(min(errors), 0)
        # Where the update alone has pulses, they are all there is to measure.
        self.assertEqual(errors[0] == errors[1], method == 'rpu')

  @parameterized.parameters(*SWEPT)
  def test_default_rates_learn_the_digits(self, method):
    for run in self.runs[method]:
      final = records.read(run.folder).final
      self.assertEqual(final['layer_sizes'], [64, 256, 10])
      self.assertGreater(final['test_accuracy'], 0.9)

  def test_a_sweep_over_methods_is_plotted(self):
    table, sheet, name = plot.read_record(self.workdir)
    self.assertEqual(name, 'methods')
    told = [row['method'] for row in rows(table)]
    self.assertEqual(told, [methods.ANN, *sorted(RIVALS)])
    labels = [label.get_text() for label in sheet.axes[-1].get_xticklabels()]
    self.assertEqual(labels, list(RIVALS))
    folders = {path.name for path in self.workdir.iterdir()}
    self.assertEqual(folders, {'bp', *(f'method={name}' for name in RIVALS)})

  @parameterized.parameters(*SWEPT)
  def test_a_run_that_was_stopped_ends_as_if_it_never_had_been(self, method):
    folder = pathlib.Path(self.create_tempdir().full_path)
    runs = [
      recorder.Run(run.config, folder / run.folder.name)
      for run in self.runs[method]
    ]
    save, calls = checkpoints.save, []

    def save_once(*args, **kwargs):
      calls.append(args)
      if len(calls) > len(SEEDS):  # at the next one after epoch 2
        raise Stopped
      return save(*args, **kwargs)

    dataset = load(runs[0].config)
    with mock.patch.object(checkpoints, 'save', save_once):
      with self.assertRaises(Stopped):
        trainer.train(runs, dataset)
    trainer.train(runs, dataset)
    for ours, theirs in zip(runs, self.runs[method]):
      resumed = (ours.folder / 'resumed.jsonl').read_text()
      self.assertEqual(json.loads(resumed)['epoch'], BASE.eval_every)
      # The header tells by which version, which may be another.
      self.assertEqual(lines(ours.folder)[1:], lines(theirs.folder)[1:])

  def test_a_run_learns_alone_what_it_learns_beside_another(self):
    # Its feedback is drawn from the key of its own seed.
    other, run = self.runs['feedback_alignment']
    dataset = load(run.config)
    mesh = sharding.make_mesh(run.config.batch_size, jax.devices()[:1])
    network = configs.network_config(run.config, dataset)
    num_samples = len(dataset.train.labels)
    functions = programs.make(other.config, network, mesh, num_samples)
    state = functions.start(
      np.array([run.config.seed], np.int32),
      np.array([run.config.learning_rate], np.float32),
    )
    for _ in range(run.config.num_epochs):
      state, _ = functions.train_epoch(state, dataset.train)
    alone = jax.tree.map(lambda leaf: np.asarray(leaf)[0], state.params)
    beside, others = (checkpoints.load_params(r.folder) for r in (run, other))

    def distance(params):
      return max(
        np.abs(ours - theirs).max()
        for ours, theirs in zip(jax.tree.leaves(alone), jax.tree.leaves(params))
      )

    self.assertGreater(distance(others), 0.1)
    self.assertEqual(distance(beside), 0)
