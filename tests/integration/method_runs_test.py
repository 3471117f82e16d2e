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
from experiments import run
from experiments.analysis import frames
from experiments.analysis import records
from experiments.config import experiment
from experiments.config import grids
from experiments.config import methods
from experiments.training import data
from experiments.training import programs
from experiments.training import trainer
from ssnn_jax.runs import checkpoints
from ssnn_jax.training import sharding
from tests.testing.experiments import lines
from tests.testing.experiments import stop_at_call
from tests.testing.sweeps import BASE

NUM_SEEDS = 2
METHODS = tuple(name for name in methods.MINIBATCH if name != 'ssnn')
OTHERS = tuple(name for name in METHODS if name != methods.ANN)
CONFIG = dataclasses.replace(
  BASE,
  num_steps=16,
  sampler='bernoulli',  # compiled sooner
  num_epochs=2,
  dropout=0.1,
  diagnostics=True,
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
    cls.workdir = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    sweep = grids.Sweep({'method': METHODS}, NUM_SEEDS)
    planned = run.plan(CONFIG, [sweep], cls.workdir)
    cls.tasks = {task.config.method: task for task in planned.values()}
    with contextlib.redirect_stdout(io.StringIO()):
      for task in cls.tasks.values():
        trainer.train(task, load(CONFIG))

  @parameterized.parameters(*METHODS)
  def test_records_the_metrics_of_the_method(self, method):
    estimates_gradient = methods.METHODS[method].estimates_gradient
    for line in lines(self.tasks[method].folder):
      curves = line['curves']
      self.assertNotRegex(json.dumps(curves), 'null|NaN|Infinity')
      self.assertLen(curves['loss'], CONFIG.num_epochs)
      self.assertLess(curves['loss'][-1], curves['loss'][0])
      self.assertEqual('firing_rates' in curves, method != 'relu')
      for rates in curves.get('firing_rates', []):
        self.assertLen(rates, NUM_LAYERS)
      for name in ('error_rates', 'coincidences'):
        self.assertEqual(name in curves, estimates_gradient)
      self.assertEqual(line['method'], method)
      errors = [line.get(name) for name in frames.ERRORS]
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
    for line in lines(self.tasks[method].folder):
      self.assertEqual(line['layer_sizes'], [64, 256, 10])
      self.assertGreater(line['test_accuracy'], 0.85)

  def test_plots_a_sweep_over_methods(self):
    found = records.read_folder(self.workdir)
    view = plot.view_runs(found, 'baselines')
    self.assertEqual(view.name, 'baselines')
    for method in OTHERS:
      self.assertIn(f'\n{method}', view.text)
    folders = {path.name for path in self.workdir.iterdir()}
    self.assertEqual(folders, {'bp', *(f'method={name}' for name in OTHERS)})

  # Its feedback depends on the key of the seed, which the state holds.
  def test_stopped_task_ends_like_an_uninterrupted_one(self):
    whole = self.tasks['feedback_alignment']
    task = whole._replace(folder=pathlib.Path(self.create_tempdir().full_path))
    with stop_at_call(self, 2, checkpoints, 'save'):
      trainer.train(task, load(CONFIG))
    trainer.train(task, load(CONFIG))
    self.assertEqual(lines(task.folder), lines(whole.folder))

  def test_feedback_depends_on_the_seed_of_the_run_alone(self):
    task = self.tasks['feedback_alignment']
    config, dataset = task.config, load(CONFIG)
    mesh = sharding.make_mesh(config.batch_size, jax.devices()[:1])
    network = experiment.network_config(config, dataset)
    made = programs.make(config, network, mesh, len(dataset.train.labels))
    seeds = np.array(task.seeds[::-1], np.int32)
    rates = np.full(NUM_SEEDS, config.learning_rate, np.float32)
    state = made.start(seeds, rates, None, np.int32(0))
    for _ in range(config.num_epochs):
      state, _ = made.training.train_epoch(state, dataset.train)
    first, second = (
      checkpoints.load_params(task.folder, seed=seed) for seed in task.seeds
    )
    for index, (same, other) in enumerate(((second, first), (first, second))):
      params = jax.tree.map(operator.itemgetter(index), state.params)
      self.assertGreater(max_difference(params, other), 0.1)
      self.assertEqual(max_difference(params, same), 0)
