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
  'random_bit': 0.25,
  'true_random_bit': 3,
  'mac_fp32': 4,
  'mac_fp16': 2,
  'mac_int8': 1,
  'memory_bit': 0.125,
}
STEPS, SAMPLERS = (4, 16), ('bernoulli', 'sobol')
SIZES = 784, 256, 10


def random_bits(t, sampler):
  """Counts random bits of inference and learning."""
  if sampler == 'sobol':  # points of three trains, and shifts of four neurons
    return 16 * (3 * t + 4), 16 * (4 * t + 5)
  return 16 * 4 * t, 16 * 5 * t


def inference_nj(t, sampler, inputs=1):
  spikes, events, devices = (inputs + 2) * t, (inputs + 5) * t, (3 + 4) * t
  bits, _ = random_bits(t, sampler)
  reads = 0.5 * devices + 100 * 2 * t + 3000
  return (spikes + 10 * events + reads + 0.25 * bits) / 1000


def learning_nj(t, sampler, pulses, inputs):
  spikes, events, devices = 3 * t, 2 * t, 2 * t
  forward, bits = random_bits(t, sampler)
  reads = 0.5 * devices + 100 * t + 1000
  backward = spikes + 10 * events + reads + 0.25 * (bits - forward)
  return inference_nj(t, sampler, inputs) + backward / 1000 + 10 * pulses * t


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
      'window': 1 if config.timing == 'realtime' else config.num_steps,
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
      # 14 words of learning are the products, and 4 gradients.
      'BP fp32, nJ': f'{4 * (4 + 4) / 1000} / {(10 * 4 + 14 * 4) / 1000}',
      'BP fp16, nJ': f'{4 * (2 + 2) / 1000} / {(10 * 2 + 14 * 2) / 1000}',
      'BP int8, nJ': f'{4 * (1 + 1) / 1000} / {(10 * 1 + 14 * 1) / 1000}',
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
      t, sampler = int(row['num_steps']), row['sampler']
      # Pulses per tick of weights, 6 in the first epoch and 3 in the second,
      # and of biases, 3.
      learning = np.mean(
        [
          learning_nj(t, sampler, 6 + 3, 2),
          learning_nj(t, sampler, 3 + 3, 1),
        ]
      )
      bits = random_bits(t, sampler)
      digits = '.3g' if t == 4 else ',.0f'  # from 1000 on
      expected = bp | {
        'method': 'ssnn',
        'num_steps': row['num_steps'],
        'sampler': sampler,
        'spikes forward': f'{3 * t}',
        'spikes backward': f'{3 * t}',
        'synaptic events': f'{6 * t} / {8.5 * t:.0f}',
        'update pulses': f'{7.5 * t:.0f}',
        'crossbar reads': f'{2 * t} / {3 * t}',
        'random bits': f'{bits[0]:,} / {bits[1]:,}',
        'random bits, shared': f'{16 * 3 * t:,} / {16 * 4 * t:,}',
        'latency, ticks': f'{3 * t} / {4 * t}',  # a window has all ticks
        'energy, nJ': (f'{inference_nj(t, sampler):.3g} / {learning:{digits}}'),
      }
      self.assertEqual(row, expected)

  @parameterized.parameters(
    ({'device': 'ecram'}, '--device=ecram'),
    ({'without': 'firing_rates'}, 'firing_rates'),
    ({'num_epochs': 3}, 'firing_rates'),  # has the last epochs only
    ({'backward': 'rates'}, 'backward'),
    ({'method': 'bp_stdp'}, '--method=bp_stdp'),
    ({'method': 'bp'}, '--energies'),
  )
  def test_refuses_runs_without_a_defined_energy(self, options, message):
    self.record(**options)
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      self.add_energies()

  def test_last_epoch_needs_no_others(self):
    self.record(num_steps=4, sampler='sobol')
    runs = frames.from_lines(self.lines)
    runs['curves'] = [
      {name: values[-1:] for name, values in curves.items()}
      for curves in runs['curves']
    ]
    with self.assertRaisesRegex(ssnn_jax.UserError, 'firing_rates'):
      energy.add_energies(runs, self.table)
    (found,) = energy.add_energies(runs, self.table, last_epoch=True)[
      'learning_nj'
    ]
    self.assertAlmostEqual(found, learning_nj(4, 'sobol', 3 + 3, 1))

  def test_ratios_and_events_add_up(self):
    self.record()
    (run,) = self.add_energies().to_dict('records')
    each = [run[f'learning_{name}_nj'] for name in cost.Events._fields]
    self.assertAlmostEqual(sum(each), run['learning_nj'])
    ratio = run['learning_nj'] / ((10 * 2 + 14 * 2) / 1000)
    self.assertAlmostEqual(run['learning_over_fp16'], ratio)
    self.assertAlmostEqual(run['inference_over_int8'], run['nj'] / 0.008)

  def test_rpu_is_priced_on_crossbars(self):
    self.record(method='rpu', num_steps=4, sampler='bernoulli')
    (run,) = self.add_energies().to_dict('records')
    # Reads of three and four devices forward, and of two backward.
    reads = (0.5 * 7 + 100 * 2 + 1000 * 3) / 1000
    backward = (0.5 * 2 + 100 + 1000) / 1000
    # Pulses of an input, or half of it in the second epoch, and of neurons.
    spikes = 4 * np.mean([1 + 1 + 1 + 1 + 2, 0.5 + 0.5 + 1 + 1 + 2]) / 1000
    pulses = 10 * 4 * np.mean([6 + 3, 3 + 3])
    bits = 0.25 * 16 * 4 * (2 + 1 + 1 + 2) / 1000
    self.assertAlmostEqual(run['nj'], reads)
    total = reads + backward + spikes + pulses + bits
    self.assertAlmostEqual(run['learning_nj'], total)
    self.assertEqual(run['learning_random_bits'], 16 * 4 * 6)
    self.assertEqual(run['random_bits'], 0)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'device_read'):
      energy.add_energies(frames.from_lines(self.lines), 'loihi')

  def test_spikes_of_recordings_are_not_sampled(self):
    self.record(sampler='bernoulli')
    self.record(dataset='n_mnist', input_gain=1.0, sampler='bernoulli')
    images, recordings = self.add_energies()['random_bits']
    self.assertEqual(images - recordings, 16 * 64 * 2)

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
    waiting = (32 + 2) * 256  # spikes of a window, and gates of two windows
    synapses = 785 * 256 + 257 * 10
    kbit = {
      'real time, updates at once': 32 * state / 1e3,
      # Counters of at most 61 or 62 coincidences of either sign, or 64.
      'real time, update at the end': (32 * state + 7 * synapses) / 1e3,
      'buffered, n = 32': (32 * state + waiting + 8 * synapses) / 1e3,
      'backpropagation': 8.192,
      'feedback alignment': 8.192,
      'surrogate gradient, T = 64': 64 * 33 * 256 / 1e3 + 0.32,
    }
    self.assertEqual(list(compared.index), list(kbit))
    words = {
      'real time, updates at once': 2 * 64 * state,
      'real time, update at the end': 2 * 64 * state,
      'buffered, n = 32': 2 * 2 * state + 2 * (256 * 64 + 256 * 2) / 32,
      'backpropagation': 2 * 256,
      'feedback alignment': 2 * 256,
      'surrogate gradient, T = 64': 2 * (64 * 256 * 33 / 32 + 10),
    }
    inputs = dict.fromkeys(kbit, 784 * 32 / 1e3) | {
      'real time, updates at once': 0,
      'real time, update at the end': 0,
      'buffered, n = 32': 3 * 32 * 784 / 1e3,
      'surrogate gradient, T = 64': 64 * 784 / 1e3,
    }
    word = 32 * cost.load_table('crossbar').memory_bit
    outside = {energy.TOTAL, energy.FEEDBACK, energy.INPUTS}
    for name, row in compared.iterrows():
      self.assertAlmostEqual(row[energy.TOTAL], kbit[name])
      kinds = {x for x in row.index if x.endswith('kbit')} - outside
      self.assertAlmostEqual(row[list(kinds)].sum(), kbit[name])
      self.assertAlmostEqual(row[energy.INPUTS], inputs[name])
      self.assertAlmostEqual(row['accesses, nJ'], words[name] * word / 1e3)
    feedback = compared[energy.FEEDBACK]
    self.assertEqual(feedback.pop('feedback alignment'), 2560 * 32 / 1e3)
    self.assertFalse(feedback.any())

  def test_writes_a_table(self):
    written = energy.write_memory(energy.compare_memory(SIZES, 64))
    self.assertNotIn('inhibition, kbit', written)
    row = written.set_index('learning').loc['backpropagation']
    self.assertEqual(row['activations, kbit'], '8.192')
    self.assertEqual(row['spikes, kbit'], '')

  def test_buffered_windows_are_no_longer_than_the_presentation(self):
    compared = energy.compare_memory(SIZES, 16)
    self.assertIn('buffered, n = 16', list(compared['learning']))
