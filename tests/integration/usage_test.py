"""Tests of the output of `--help`."""

import dataclasses
import re

from absl import flags
from absl.testing import parameterized

from experiments.config import experiment
from experiments.config import usage
from ssnn_jax import datasets
from tests.testing import commands
from tests.testing.experiments import parse_flags

NAMES = [
  field.name for field in dataclasses.fields(experiment.ExperimentConfig)
]
HEADINGS = (
  'Data',
  'Network',
  'Spikes',
  'Chip',
  'Synapses',
  'Training',
  'Evaluation',
  'Records',
  'Machine',
)


class UsageTest(parameterized.TestCase):
  @parameterized.parameters(60, 80, 100)
  def test_lines_fit_the_width(self, width):
    _, values = parse_flags()
    descriptions = [usage.describe(values[name], True) for name in NAMES]
    text = usage.render('Introduction.', {'All': descriptions}, 'End.', width)
    self.assertLessEqual(max(map(len, text.splitlines())), width)

  @parameterized.parameters(
    ('dataset', 'digits'),
    ('num_steps', '64 ticks'),
    ('gain', '1.0 error spikes per tick for one unit of error'),
    ('shuffle_ticks', 'off'),
    ('layer_sizes', ''),
    ('input_gain', '1.0 for digits and other images'),
    (
      'batch_size',
      '32 samples for digits, 128 for other images, 16 for recordings',
    ),
  )
  def test_describes_defaults_of_datasets(self, name, expected):
    _, values = parse_flags()
    self.assertEqual(usage.describe(values[name], True).default, expected)

  def test_data_sets_of_a_family_have_the_same_defaults(self):
    families = {'mnist': datasets.IMAGES, 'n_mnist': datasets.RECORDINGS}
    for example, names in families.items():
      for name in set(names) - {'digits'}:
        self.assertEqual(
          dataclasses.replace(experiment.CONFIGS[name], dataset=example),
          experiment.CONFIGS[example],
        )

  def test_help_of_a_run_lists_each_flag_once(self):
    done = commands.run('run', '--help')
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    headings = re.findall(r'(?m)^(\w+):$', done.stdout)
    self.assertEqual(tuple(headings), HEADINGS)
    listed = re.findall(r'(?m)^  --(?:\[no\])?(\w+)', done.stdout)
    self.assertLen(set(listed), len(listed))
    others = {'config', 'data_dir', 'download', 'workdir'}
    self.assertContainsSubset({*NAMES, *others}, listed)
    own = {
      flag.name
      for module, defined in flags.FLAGS.flags_by_module_dict().items()
      if module.startswith('absl.')
      for flag in defined
    }
    self.assertContainsSubset({'verbosity', 'pdb_post_mortem'}, own)
    self.assertEmpty(own & set(listed))
    self.assertEndsWith(
      done.stdout, '\n\n--helpfull also lists the flags of absl.\n'
    )

  def test_each_field_is_in_a_group(self):
    for field in dataclasses.fields(experiment.ExperimentConfig):
      self.assertIn(field.metadata['group'], HEADINGS)
