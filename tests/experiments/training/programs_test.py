"""Tests of the compiled programs of training and their schedules."""

import dataclasses
import math
from unittest import mock

from absl.testing import parameterized
import jax

from experiments.config import experiment
from experiments.training import programs
from ssnn_jax.training import sharding
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import parse_flags


class ProgramsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('cosine', 0.5, (1 + math.cos(math.pi * 11 / 12)) / 2),
    ('linear', 0.5, 1 / 12),
    ('constant', 1.0, 1.0),
  )
  def test_schedules_have_the_expected_factors(self, name, halfway, last):
    config = experiment.ExperimentConfig(
      schedule=name, num_epochs=3, batch_size=10
    )
    factor = programs.make_schedule(config, num_samples=45)  # 12 steps
    self.assertAlmostEqual(float(factor(0)), 1.0, places=6)
    self.assertAlmostEqual(float(factor(6)), halfway, places=6)
    self.assertAlmostEqual(float(factor(11)), last, places=6)
    end = 1.0 if name == 'constant' else 0.0
    self.assertAlmostEqual(float(factor(12)), end, places=6)

  def test_real_time_updates_are_scheduled_window_by_window(self):
    config, _ = parse_flags(
      '--timing=realtime', '--update_every=window', '--num_steps=8'
    )
    network = experiment.network_config(config, blank_dataset('digits'))
    self.assertEqual(network.updates_per_presentation, 8)
    config = dataclasses.replace(config, num_epochs=3, batch_size=10)
    factor = programs.make_schedule(config, 45, updates_per_batch=8)
    self.assertAlmostEqual(float(factor(48)), 0.5, places=6)  # of 96 updates
    self.assertEqual(float(factor(96)), 0.0)

  def test_xla_has_all_options_of_the_compiler(self):
    mesh = sharding.make_mesh(1, jax.devices('cpu')[:1])
    optimized = mock.patch.object(jax.config, 'read', lambda name: False)
    with optimized, mock.patch.dict(programs._COUNTS, {'xla_unknown': True}):
      selected = programs._select_options(mesh)
    for options in selected:
      self.assertNotEmpty(options)
      twice = jax.jit(lambda x: 2 * x, compiler_options=options)
      self.assertEqual(twice.lower(1).compile()(2), 4)
