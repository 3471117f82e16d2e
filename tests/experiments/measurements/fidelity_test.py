"""Tests of the errors of spiking updates, and of silence, as JSON lines."""

import json

from absl.testing import parameterized

from tests.testing import commands

COUNTS = (
  'forward_spikes',
  'forward_events',
  'error_spikes',
  'error_events',
  'coincidences',
)
FEW = '--train_steps=3', '--layer_sizes=64,5,10'


def measure(name, *arguments):
  done = commands.run(f'measurements.{name}', *FEW, *arguments)
  assert done.returncode == 0, done.stderr
  header, *lines = map(json.loads, done.stdout.splitlines())
  words = ['python', '-m', f'experiments.measurements.{name}', *FEW]
  assert header['command'].split()[:5] == words
  return lines


class MeasurementsTest(parameterized.TestCase):
  def test_fidelity_has_a_line_for_each_network(self):
    grid = '--grid=neuron=bipolar,stochastic'
    lines = measure('fidelity', '--draws=2', '--num_steps=16', grid)
    columns = 'layers', 'neuron', 'sampler', 'gain', 'num_steps'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('64-5-10', 'bipolar', 'regular', 4, 16),
        ('64-5-10', 'stochastic', 'sobol', 1, 16),
      ],
    )
    bipolar, stochastic = lines
    for name in COUNTS:
      self.assertGreater(min(bipolar[name], stochastic[name]), 0)
    self.assertNotIn('quantisation_error', bipolar)
    errors = [stochastic['update_error'], stochastic['quantisation_error']]
    self.assertGreater(errors[0], max(errors[1], bipolar['update_error']))

  def test_settling_has_a_line_for_each_way_to_play(self):
    wires = '--caps=1:1,none:none', '--error_starts=0,1'
    lines = measure('settling', '--num_steps=8', *wires)
    wires = [
      (line['cap'], line['error_cap'], line['error_start']) for line in lines
    ]
    starts = 0, 8
    self.assertEqual(
      wires, [(cap, cap, start) for cap in (1, None) for start in starts]
    )
    for early, late in (lines[:2], lines[2:]):
      self.assertGreater(early['error_ratio'], late['error_ratio'])
    # Spikes that stay are the same, however the network is played.
    ratios = [line['error_spikes'] / line['error_ratio'] for line in lines]
    for ratio in ratios:
      self.assertAlmostEqual(ratio / ratios[0], 1, delta=0.02)
