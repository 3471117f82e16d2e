"""Tests that each baseline is trained, recorded, resumed and compared.

The tests read the records of one sweep of all baselines on all digits. The runs
of the spiking network are tested in `trainer_test`.
"""

import contextlib
import dataclasses
import io
import json
import operator
import pathlib
import tempfile

from absl.testing import parameterized
import jax
import numpy as np

from experiments import plot
from experiments.analysis import frames
from experiments.config import experiment
from experiments.config import grids
from experiments.config import methods
from experiments.launch import launcher
from experiments.launch import plans
from experiments.training import data
from experiments.training import programs
from experiments.training import recorder
from experiments.training import trainer
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from ssnn_jax.training import sharding
from tests.testing.experiments import lines
from tests.testing.experiments import share_programs
from tests.testing.experiments import stop_at_call
from tests.testing.sweeps import BASE

SEEDS = 0, 1
METHODS = tuple(name for name in methods.MINIBATCH if name != 'ssnn')
OTHERS = tuple(name for name in METHODS if name != methods.ANN)
CONFIG = dataclasses.replace(
  BASE,
  num_steps=16,
  num_epochs=2,
  dropout=0.1,
  probe_draws=2,
  eval_every=1,  # each evaluation has a checkpoint
)
NUM_LAYERS = 2  # of weights


def load(config):
  return data.load(config, None)


def max_difference(params, others):
  leaves = zip(jax.tree.leaves(params), jax.tree.leaves(others))
  return max(np.abs(one - other).max() for one, other in leaves)


class MethodRunsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)
    cls.workdir = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    sweep = grids.Sweep({'method': METHODS}, num_seeds=len(SEEDS))
    planned = plans.make(CONFIG, [sweep], cls.workdir)
    cls.runs = {runs[0].config.method: runs for runs in planned.values()}
    with contextlib.redirect_stdout(io.StringIO()):
      tasks = plans.make_tasks(planned, load, trainer.Options())
    launcher.launch(tasks, launcher.this_process(), lambda event: None)

  @parameterized.parameters(*METHODS)
  def test_records_the_metrics_of_the_method(self, method):
    estimates_gradient = methods.METHODS[method].estimates_gradient
    for run in self.runs[method]:
      recorded = records.read(run.folder)
      for line in lines(run.folder)[1:]:
        self.assertNotRegex(json.dumps(line), 'null|NaN|Infinity')
      epochs = [e for e in recorded.events if e['event'] == 'epoch']
      self.assertLen(epochs, CONFIG.num_epochs)
      self.assertLess(epochs[-1]['loss'], epochs[0]['loss'])
      for line in epochs:
        self.assertLen(line['firing_rates'], NUM_LAYERS)
        for name in ('error_rates', 'coincidences'):
          self.assertEqual(name in line, estimates_gradient)
      final = recorded.final
      self.assertEqual(final['method'], method)
      errors = [final.get(name) for name in frames.ERRORS]
      if not estimates_gradient:
        self.assertEqual(errors, [None, None])
      elif method == methods.ANN:
        self.assertEqual(errors, [0, 0])
      else:
        self.assertGreater(min(errors), 0)
        # RPUs have pulses only in the update.
        self.assertEqual(errors[0] == errors[1], method == 'rpu')

  @parameterized.parameters(*METHODS)
  def test_default_learning_rates_learn_the_digits(self, method):
    for run in self.runs[method]:
      final = records.read(run.folder).final
      self.assertEqual(final['layer_sizes'], [64, 256, 10])
      self.assertGreater(final['test_accuracy'], 0.85)

  def test_plots_a_sweep_over_methods(self):
    found = frames.from_runs(records.find(self.workdir))
    view = plot.view_runs(found, 'baselines')
    self.assertEqual(view.name, 'baselines')
    for method in OTHERS:
      self.assertIn(f'\n{method}', view.text)
    folders = {path.name for path in self.workdir.iterdir()}
    self.assertEqual(folders, {'bp', *(f'method={name}' for name in OTHERS)})

  @parameterized.parameters(*METHODS)
  def test_stopped_run_ends_like_an_uninterrupted_run(self, method):
    folder = pathlib.Path(self.create_tempdir().full_path)
    runs = [
      recorder.Run(run.config, folder / run.folder.name)
      for run in self.runs[method]
    ]
    dataset = load(CONFIG)
    # At the checkpoint after that of epoch 1.
    with stop_at_call(self, len(SEEDS) + 1, checkpoints, 'save'):
      trainer.train(runs, dataset)
    trainer.train(runs, dataset)
    for run, whole in zip(runs, self.runs[method]):
      resumed = (run.folder / 'resumed.jsonl').read_text()
      self.assertEqual(json.loads(resumed)['epoch'], CONFIG.eval_every)
      # Headers have the version of the code, which may change in between.
      self.assertEqual(lines(run.folder)[1:], lines(whole.folder)[1:])

  def test_feedback_depends_on_the_seed_of_the_run_alone(self):
    runs = self.runs['feedback_alignment']
    config, dataset = runs[0].config, load(CONFIG)
    mesh = sharding.make_mesh(config.batch_size, jax.devices()[:1])
    network = experiment.network_config(config, dataset)
    made = programs.make(config, network, mesh, len(dataset.train.labels))
    seeds = np.array(SEEDS[::-1], np.int32)
    rates = np.full(len(SEEDS), config.learning_rate, np.float32)
    state = made.start(seeds, rates)
    for _ in range(config.num_epochs):
      state, _ = made.training.train_epoch(state, dataset.train)
    first, second = (checkpoints.load_params(run.folder) for run in runs)
    for index, (same, other) in enumerate(((second, first), (first, second))):
      params = jax.tree.map(operator.itemgetter(index), state.params)
      self.assertGreater(max_difference(params, other), 0.1)
      self.assertEqual(max_difference(params, same), 0)
