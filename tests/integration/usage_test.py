"""Tests of the output of `--help`."""

import dataclasses
import re

from absl import flags
from absl.testing import parameterized

from experiments.config import command
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
  'Synapses',
  'Training',
  'Evaluation',
  'Records',
  'Machine',
)
INTRODUCTION = """Does one thing, and says so in a sentence that is long.

  python -m experiments.thing --flag=1 --that_is_not_wrapped
"""
GROUPS = {
  'Data': [
    usage.Flag('dataset', 'NAME', 'name of the data', 'digits'),
    usage.Flag('download', '', 'download what is missing', 'off'),
  ],
  'Empty': [],
  'Machine': [
    usage.Flag('processor', 'slow|quick|quicker', 'where it runs; left out: 0'),
    usage.Flag('num_threads', 'INTEGER', 'for all of the work', '8 threads'),
  ],
}
EXPECTED = """Does one thing, and says so in a sentence that
is long.

  python -m experiments.thing --flag=1 --that_is_not_wrapped

Data:
  --dataset=NAME          name of the data
                          (default: digits)
  --[no]download          download what is
                          missing (default: off)

Machine:
  --processor=slow|quick|quicker
                          where it runs; left
                          out: 0
  --num_threads=INTEGER   for all of the work
                          (default: 8 threads)

--helpfull lists more.
"""


def described(define, *arguments, is_configured=False):
  """Returns the description of a flag."""
  values = flags.FlagValues()
  name = define(*arguments, flag_values=values).name
  return usage.describe(values[name], is_configured)


class UsageTest(parameterized.TestCase):
  def test_renders_groups_of_flags(self):
    text = usage.render(INTRODUCTION, GROUPS, '--helpfull lists more.', 48)
    self.assertEqual(text, EXPECTED)

  @parameterized.parameters(60, 80, 100)
  def test_lines_fit_the_width(self, width):
    _, values = parse_flags()
    descriptions = [usage.describe(values[name], True) for name in NAMES]
    text = usage.render('Introduction.', {'All': descriptions}, 'End.', width)
    self.assertLessEqual(max(map(len, text.splitlines())), width)

  def test_describes_each_kind_of_flag(self):
    self.assertEqual(
      described(flags.DEFINE_boolean, 'quiet', True, 'say less.'),
      ('quiet', '', 'say less', 'on'),
    )
    self.assertEqual(
      described(flags.DEFINE_enum, 'way', None, ['up', 'down'], 'where to.'),
      ('way', 'up|down', 'where to', ''),
    )
    self.assertEqual(
      described(flags.DEFINE_string, 'out', 'runs', '`folder` of the runs.'),
      ('out', 'FOLDER', 'folder of the runs', 'runs'),
    )
    self.assertEqual(
      described(flags.DEFINE_list, 'ways', 'up,down', 'all ways.'),
      ('ways', 'NAME,...', 'all ways', 'up, down'),
    )
    self.assertEqual(
      described(flags.DEFINE_string, 'text', None, 'any.').value, 'TEXT'
    )
    numbers = command.TupleParser(int)
    self.assertEqual(
      described(
        flags.DEFINE_multi,
        numbers,
        flags.ArgumentSerializer(),
        'sizes',
        [(2, 1), (3, 4)],
        'networks; several.',
      ),
      ('sizes', 'INTEGER,...', 'networks; several', '2,1 and 3,4'),
    )

  def test_defaults_have_the_unit_of_the_field(self):
    for default, expected in ((7, '7 ticks'), (None, '')):
      flag = described(flags.DEFINE_integer, 'num_steps', default, 'T.')
      self.assertEqual(flag.default, expected)

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
