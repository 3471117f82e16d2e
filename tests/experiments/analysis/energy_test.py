"""Tests of the energy of training and inference, computed from records."""

import itertools
import json
import pathlib

from absl.testing import parameterized
import numpy as np

from experiments import plot
from experiments import record
from experiments.analysis import energy
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.config import experiment
from experiments.config import titles
import ssnn_jax
from ssnn_jax.hardware import cost
from tests.testing import sweeps
from tests.testing.experiments import call_main
from tests.testing.experiments import make_line

# Two inputs, the second one on only in the first epoch; a hidden neuron with a
# spike and an error at every tick; class 0 always wins, and the label is 1.
ACTIVITY = {
  'silent_fractions': (0.5, 0.0),
  'saturated_fractions': (0.5, 1.0),
  'error_rates': (1.0, 1.0),
  'positive_error_rates': (1.0, 0.5),
  'clipped_error_fractions': (1.0,),
}
PICOJOULES = {
  'spike': 1,
  'synaptic_event': 10,
  'device_read': 0.5,
  'crossbar_read': 100,
  'membrane_read': 1000,
  'update_pulse': 10_000,
  'mac': 4,
  'memory_access': 5,
}
STEPS, SAMPLERS = (4, 16), ('bernoulli', 'sobol')
SIZES = 784, 256, 10


def inference_nj(t, inputs=1):
  spikes, events, devices = (inputs + 2) * t, (inputs + 5) * t, (3 + 4) * t
  return (spikes + 10 * events + 0.5 * devices + 100 * 2 * t + 3000) / 1000


def learning_nj(t, pulses, inputs):
  spikes, events, devices = 3 * t, 2 * t, 2 * t
  backward = spikes + 10 * events + 0.5 * devices + 100 * t + 1000
  return inference_nj(t, inputs) + backward / 1000 + 10 * pulses * t


class EnergyTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)
    self.table = self.workdir / 'mine.json'
    entries = {
      name: {'picojoules': value, 'source': 'a test'}
      for name, value in PICOJOULES.items()
    }
    self.table.write_text(json.dumps(entries))
    self.lines = []

  def record(self, without=None, sizes=(2, 1, 2), **options):
    """Records a run of two epochs, with twice as many errors in the first.

    Args:
      without: name of a field that no line has.
      sizes: layer sizes in the final line.
      **options: fields of the configuration.
    """
    options = {'layer_sizes': sizes, 'batch_size': 4, 'num_epochs': 2} | options
    config = experiment.ExperimentConfig(**options)
    counts = [n * config.num_steps for n in (1.0, 2.0)]
    curves = {name: [own, own] for name, own in ACTIVITY.items()}
    curves['firing_rates'] = [(1.0, 1.0), (0.5, 1.0)]
    curves['coincidences'] = [[2 * n for n in counts], counts]
    curves.pop(without, None)
    numbers = sweeps.accuracies(90 + 2 * config.seed) | {
      'train_seconds': 1.0,
      'layer_sizes': list(sizes),
      'num_train_samples': 11,
    }
    self.lines.append(make_line(config, curves=curves, **numbers))

  def record_sweep(self):
    for seed in (0, 1):
      self.record(method='bp', seed=seed)
      for steps, sampler in itertools.product(STEPS, SAMPLERS):
        self.record(num_steps=steps, sampler=sampler, seed=seed)

  def add_energies(self):
    return energy.add_energies(frames.from_lines(self.lines), self.table)

  def test_table_matches_hand_count(self):
    self.record_sweep()
    ann, *spiking = energy.table(self.add_energies()).to_dict('records')
    bp = {
      'accuracy': '91.00 ± 1.41',
      'BP MACs': '4 / 10',
      'BP, nJ': f'{4 * 9 / 1000} / {(10 * 4 + 14 * 5) / 1000}',
      # Two epochs of two whole batches of 4.
      'BP training, mJ': f'{110 * 2 * 8 / 1e9:.4g}',
      'seeds': '2',
    }
    self.assertEqual(
      {name: value for name, value in ann.items() if value},
      {'method': 'bp'} | bp,
    )
    self.assertEqual(
      [(row['num_steps'], row['sampler']) for row in spiking],
      [(str(t), sampler) for t, sampler in itertools.product(STEPS, SAMPLERS)],
    )
    for row in spiking:
      t = int(row['num_steps'])
      # Pulses per tick of weights, 6 in the first epoch and 3 in the second,
      # and of biases, 3.
      learning = [learning_nj(t, 6 + 3, 2), learning_nj(t, 3 + 3, 1)]
      digits = '.4g' if t == 4 else ',.0f'  # from 1000 on
      expected = bp | {
        'method': 'ssnn',
        'num_steps': row['num_steps'],
        'sampler': row['sampler'],
        'spikes forward': f'{3 * t}',
        'spikes backward': f'{3 * t}',
        'synaptic events': f'{6 * t} / {8.5 * t:.0f}',
        'update pulses': f'{7.5 * t:.0f}',
        'crossbar reads': f'{2 * t} / {3 * t}',
        'latency, ticks': f'{3 * t} / {4 * t}',  # a window has all ticks
        'energy, nJ': f'{inference_nj(t):.4g} / {np.mean(learning):{digits}}',
        'training, mJ': f'{sum(learning) * 8 / 1e6:.4g}',
      }
      self.assertEqual(row, expected)

  @parameterized.parameters(
    ({'device': 'ecram'}, '--device=ecram'),
    ({'without': 'firing_rates'}, 'firing_rates'),
    ({'num_epochs': 3}, 'firing_rates'),  # has the last epochs only
    ({'backward': 'rates'}, 'backward'),
    ({'method': 'rpu'}, '--method=rpu'),
    ({'method': 'bp'}, '--energies'),
  )
  def test_refuses_runs_without_a_defined_energy(self, options, message):
    self.record(**options)
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      self.add_energies()

  def test_single_pulses_are_counted(self):
    self.record(device='ecram', pulse_scheme='single')
    (pulses,) = self.add_energies()['update_pulses']
    self.assertEqual(pulses, 480)

  def test_command_prints_table_and_writes_figure(self):
    self.record_sweep()
    path = self.workdir / 'r.jsonl'
    record.write(path, {}, self.lines)
    output = call_main(plot, f'--record={path}', f'--energies={self.table}')
    table = energy.table(self.add_energies())
    self.assertIn(grid_table.lay_out(table), output)
    self.assertTrue(path.with_suffix('.png').exists())

  def test_real_time_has_no_pipeline(self):
    self.record(num_steps=8, timing='realtime')
    runs = self.add_energies()
    self.assertEqual([*runs['latency'], *runs['learning_latency']], [8, 8])
    # The second layer starts one tick later, and errors another tick later.
    self.assertEqual(list(runs['crossbar_reads']), [8 + 7])
    self.assertEqual(list(runs['learning_crossbar_reads']), [8 + 7 + 6])

  def test_feedback_alignment_has_the_same_energy(self):
    self.record(method='feedback_alignment')
    self.record()
    runs = self.add_energies()
    self.assertGreater(runs['learning_nj'][0], runs['nj'][0])
    own = runs.drop(columns=['method', *titles.READOUTS, 'curves'])
    first, second = own.to_dict('records')
    self.assertEqual(repr(first), repr(second))

  def test_layer_sizes_are_those_of_the_final_line(self):
    self.record(sizes=(5, 3, 2), layer_sizes=None)
    runs = self.add_energies()
    self.assertEqual(runs['bp_macs'][0], 5 * 3 + 3 * 2)
    self.assertEqual(runs['learning_bp_macs'][0], 2 * 5 * 3 + 3 * 3 * 2)


class MemoryTest(parameterized.TestCase):
  def test_compares_ways_of_learning(self):
    compared = energy.compare_memory(SIZES, 64).set_index('learning')
    state = 266 + 256  # membranes and error currents
    kbit = {
      'real time, n = 1': 32 * state / 1e3,
      'buffered, n = 32': (32 * state + 83_968) / 1e3,
      'backpropagation': 33.28,
      'feedback alignment': 33.28,
      'surrogate gradient, T = 64': 64 * (1040 + 32 * 256) / 1e3 + 0.32,
    }
    self.assertEqual(list(compared.index), list(kbit))
    words = {
      'real time, n = 1': 2 * 64 * state,
      'buffered, n = 32': 2 * 2 * state + 2 * (1040 * 64 + 256 * 2) / 32,
      'backpropagation': 2 * 1040,
      'feedback alignment': 2 * 1040,
      'surrogate gradient, T = 64': 2 * (64 * (1040 / 32 + 256) + 10),
    }
    for name, row in compared.iterrows():
      self.assertAlmostEqual(row[energy.TOTAL], kbit[name])
      kinds = [x for x in row.index if x.endswith('kbit')]
      kinds = set(kinds) - {energy.TOTAL, energy.FEEDBACK}
      self.assertAlmostEqual(row[list(kinds)].sum(), kbit[name])
      for table in cost.TABLES:
        access = cost.load_table(table).memory_access
        nanojoules = words[name] * access / 1e3
        self.assertAlmostEqual(row[f'{table}, nJ'], nanojoules)
    feedback = compared[energy.FEEDBACK]
    self.assertEqual(feedback.pop('feedback alignment'), 2560 * 32 / 1e3)
    self.assertFalse(feedback.any())

  def test_writes_a_table(self):
    written = energy.write_memory(energy.compare_memory(SIZES, 64))
    self.assertNotIn('inhibition, kbit', written)
    row = written.set_index('learning').loc['backpropagation']
    self.assertEqual(row['activations, kbit'], '33.28')
    self.assertEqual(row['spikes, kbit'], '')

  def test_buffered_windows_are_no_longer_than_the_presentation(self):
    compared = energy.compare_memory(SIZES, 16)
    self.assertIn('buffered, n = 16', list(compared['learning']))
