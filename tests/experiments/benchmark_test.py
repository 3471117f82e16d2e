"""Tests of the benchmark."""

import json

from absl.testing import parameterized

from tests.testing import commands


def run(words):
  """Returns what the command prints for few, small samples."""
  words += ' --rounds=1 --num_images=8 --batch_size=2'
  done = commands.run('benchmark', *words.split())
  assert done.returncode == 0, done.stderr
  return done.stdout


def measure(words):
  """Returns the lines of the command."""
  header, *lines = map(json.loads, run(f'--json {words}').splitlines())
  assert header['event'] == 'header'
  assert 'experiments.benchmark' in header['command']
  return lines


class BenchmarkTest(parameterized.TestCase):
  def test_line_of_each_setting_names_what_concerns_its_method(self):
    lines = measure(
      '--names=epoch --dataset=random --layers=5,10 --num_steps=40 '
      '--grid=method=bp,ssnn,bp_stdp;neuron=bipolar,stochastic'
    )
    columns = 'method', 'num_steps', 'neuron', 'digits', 'sampler'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('bp', None, None, None, None),
        ('ssnn', 40, 'bipolar', 2, 'regular'),
        ('ssnn', 40, 'stochastic', None, 'sobol'),
        ('bp_stdp', 40, None, None, 'sobol'),
      ],
    )
    for line in lines:
      self.assertEqual((line['layers'], line['batch_size']), ('5,10', 2))
      for name in ('median_ms', 'peak_mib'):
        self.assertGreater(line[name], 0)
    self.assertEqual(lines[0]['ratio_to_bp'], 1)

  def test_table_has_what_differs_and_times(self):
    caption, _, *table = run('--layers=5,10').splitlines()
    shared = 'data set digits, neuron bipolar, sampler regular, layers 5,10, '
    shared += 'digits 2, input steps 64, num winners 64, batch size 2, '
    shared += 'num seeds 1, device ideal:'
    self.assertEqual(caption, shared)
    table = [[x.strip() for x in line.split('|')[1:-1]] for line in table]
    header = ['name', 'method', 'N, T', 'time, ms', 'time, in steps of BP']
    self.assertEqual(table[0][:5], header)
    settings = [
      [step, *network]
      for step in ('learn', 'infer')
      for network in (('clipped ANN', ''), ('spikes', '64'))
    ]
    self.assertEqual([row[:3] for row in table[2:]], settings)
    self.assertEqual([row[4] for row in table[2::2]], ['1', '1'])

  def test_devices_learn_from_images_with_seeds_together(self):
    lines = measure(
      '--layers=conv2k3s2,10 --num_steps=4 --num_seeds=2 --neuron=stochastic '
      '--grid=device=reram'
    )
    names = 'name', 'method', 'device', 'num_seeds'
    self.assertEqual(
      [tuple(line[name] for name in names) for line in lines],
      [
        ('learn', 'bp', 'ideal', 2),
        ('learn', 'ssnn', 'reram', 2),
        ('infer', 'bp', 'ideal', 2),
      ],
    )
    settings = {(line['dataset'], line['layers']) for line in lines}
    self.assertEqual(settings, {('digits', 'conv2k3s2,10')})
