"""Tests of the benchmark."""

import json

from absl.testing import absltest

from tests.testing import commands

MODEL = """
import flax.linen as nn
def make(num_classes: int, width: int = 8):
  flatten = lambda x: x.reshape(len(x), -1)
  return nn.Sequential([flatten, nn.Dense(width), nn.Dense(num_classes)])
"""


def run(words):
  """Returns the lines that the command prints for few, small samples."""
  words += ' --rounds=1 --num_images=8 --batch_size=2'
  done = commands.run('benchmark', *words.split())
  assert done.returncode == 0, done.stderr
  return done.stdout.splitlines()


class BenchmarkTest(absltest.TestCase):
  def test_line_of_each_setting_names_what_concerns_its_method(self):
    header, *lines = map(json.loads, run(
      '--json --names=epoch --dataset=random --layers=10 --num_steps=40 '
      '--neuron=stochastic'
    ))  # fmt: skip
    self.assertEqual(header['event'], 'header')
    self.assertIn('experiments.benchmark', header['command'])
    columns = 'method', 'num_steps', 'neuron', 'digits', 'sampler'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('bp', None, 'stochastic', None, None),
        ('ssnn', 40, 'stochastic', None, 'sobol'),
      ],
    )
    for line in lines:
      self.assertEqual((line['layers'], line['batch_size']), ('10', 2))
      for name in ('median_ms', 'peak_mib'):
        self.assertGreater(line[name], 0)
    self.assertEqual(lines[0]['ratio_to_bp'], 1)

  def test_function_is_timed_beside_its_own_ann(self):
    model = self.create_tempfile('own.py', MODEL).full_path + ':make'
    _, *lines = map(json.loads, run(
      f'--json --names=learn --model={model} --width=4 --num_steps=0'
    ))  # fmt: skip
    columns = 'name', 'method', 'num_steps', 'digits', 'model', 'model_args'
    shared = model, 'width=4'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [('learn', 'bp', None, None, *shared), ('learn', 'ssnn', 0, 3, *shared)],
    )

  def test_table_of_devices_has_what_differs_and_times(self):
    heading, *rows = run(
      '--layers=10 --num_steps=4 --num_seeds=2 --neuron=stochastic '
      '--grid=device=ideal,reram'
    )
    names = ['name', 'method', 'num_steps', 'sampler', 'device']
    times = ['median_ms', 'ratio_to_bp', 'peak_mib']
    self.assertEqual(heading.split(), names + times)
    rows = [row.split() for row in rows]
    self.assertEqual(
      [[*row[:2], row[-4]] for row in rows],
      [
        ['learn', 'bp', 'ideal'],
        ['learn', 'ssnn', 'ideal'],
        ['learn', 'ssnn', 'reram'],
        ['infer', 'bp', 'ideal'],
        ['infer', 'ssnn', 'ideal'],
      ],
    )
    self.assertEqual((rows[0][-2], rows[3][-2]), ('1', '1'))
