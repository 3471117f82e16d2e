"""Tests of the benchmark."""

import json

from absl.testing import absltest

from tests.testing import commands


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
      '--neuron=stochastic --grid=method=bp,ssnn,surrogate_gradient'
    ))  # fmt: skip
    self.assertEqual(header['event'], 'header')
    self.assertIn('experiments.benchmark', header['command'])
    columns = 'method', 'num_steps', 'neuron', 'digits', 'sampler'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('bp', None, 'stochastic', None, None),
        ('ssnn', 40, 'stochastic', None, 'sobol'),
        ('surrogate_gradient', 40, None, None, 'sobol'),
      ],
    )
    for line in lines:
      self.assertEqual((line['layers'], line['batch_size']), ('10', 2))
      for name in ('median_ms', 'peak_mib'):
        self.assertGreater(line[name], 0)
    self.assertEqual(lines[0]['ratio_to_bp'], 1)

  def test_function_is_timed_beside_its_own_ann(self):
    _, *lines = map(json.loads, run(
      '--json --names=learn,infer --model=gru --rows --width=4 '
      '--grid=num_steps=0,8'
    ))  # fmt: skip
    columns = 'name', 'method', 'num_steps', 'digits', 'model', 'model_args'
    shared = 'gru', 'rows=True,width=4'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        (name, *own, *shared)
        for name in ('learn', 'infer')
        for own in (('bp', None, None), ('ssnn', 0, 3), ('ssnn', 8, 3))
      ],
    )
    self.assertEqual((lines[0]['ratio_to_bp'], lines[3]['ratio_to_bp']), (1, 1))

  def test_table_of_devices_has_what_differs_and_times(self):
    caption, _, *table = run(
      '--layers=conv2k3s2,10 --num_steps=4 --num_seeds=2 --neuron=stochastic '
      '--grid=device=ideal,reram'
    )
    for shared in ('data set digits, ', 'layers conv2k3s2,10, ', 'num seeds 2'):
      self.assertIn(shared, caption)
    table = [[x.strip() for x in line.split('|')[1:-1]] for line in table]
    names = 'name', 'method', 'N, T', 'device', 'time, in steps of BP'
    places = [table[0].index(name) for name in names]
    *settings, times = zip(*[[row[x] for x in places] for row in table[2:]])
    self.assertEqual(
      [*zip(*settings)],
      [
        ('learn', 'ANN', '', 'ideal'),
        ('learn', 'spikes', '4', 'ideal'),
        ('learn', 'spikes', '4', 'ReRAM'),
        ('infer', 'ANN', '', 'ideal'),
        ('infer', 'spikes', '4', 'ideal'),
      ],
    )
    self.assertEqual((times[0], times[3]), ('1', '1'))
