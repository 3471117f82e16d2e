"""Tests of the output of `--help`."""

import dataclasses
import re

from absl.testing import parameterized

from experiments.config import experiment
from ssnn_jax import datasets
from tests.testing import commands

USED = 'dataset grid layer_sizes method num_seeds num_steps sampler study'
USED += ' timing workdir'
HEADINGS = 'Data Network Spikes Chip Synapses Training Evaluation Records'
HEADINGS += ' Machine'


class UsageTest(parameterized.TestCase):
  def test_help_starts_with_the_flags_that_people_use(self):
    done = commands.run('run', '--help')
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    used, *others = re.split(r'(?m)^(?:[A-Z]\w+):$', done.stdout)
    self.assertLen(others, len(HEADINGS.split()))
    _, _, used = used.partition('\nMost used:\n')
    flag = re.compile(r'(?m)^  --(?:\[no\])?(\w+)')
    self.assertEqual(flag.findall(used), USED.split())
    self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80)
    listed = flag.findall(done.stdout)
    self.assertLen(set(listed), len(listed))
    wanted = {*experiment.FIELDS, 'data_dir', 'download', 'list_studies'}
    self.assertContainsSubset(wanted, listed)
    self.assertNotIn('verbosity', listed)  # of absl

  def test_help_has_the_defaults_of_each_family_of_data_sets(self):
    families = {'mnist': datasets.IMAGES, 'n_mnist': datasets.RECORDINGS}
    for example, names in families.items():
      config = experiment.CONFIGS[example]
      for name in set(names) - {'digits'}:
        own = dataclasses.replace(experiment.CONFIGS[name], dataset=example)
        self.assertEqual(own, config)
      batch = f'--batch_size={config.batch_size}'
      self.assertIn(batch, experiment.describe_defaults())
