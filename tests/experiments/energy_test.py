"""Tests of the energy of training and inference, computed from records."""

import itertools
import json
import pathlib

from absl.testing import parameterized
import numpy as np

from experiments import energy
from experiments import summary
from experiments.config import experiment as configs
from experiments.config import serialization as config_records
import ssnn_jax
from ssnn_jax.hardware import cost
from ssnn_jax.hardware import energy as energy_lib
from ssnn_jax.runs import records
from tests.testing import sweeps
from tests.testing.experiments import call_main
from tests.testing.experiments import rows

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


def make_table():
  return {
    name: {'picojoules': value, 'source': 'a test'}
    for name, value in PICOJOULES.items()
  }


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
    self.table.write_text(json.dumps(make_table()))

  def record(self, name, without=None, sizes=(2, 1, 2), **options):
    """Records a run of two epochs, with twice as many errors in the first.

    Args:
      name: name of the folder.
      without: name of a field that no line has.
      sizes: layer sizes in the final line.
      **options: fields of the configuration.
    """
    options = {'layer_sizes': sizes, 'batch_size': 4, 'num_epochs': 2} | options
    config = configs.ExperimentConfig(**options)
    events = []
    for factor in (2, 1):
      counts = [factor * n * config.num_steps for n in (1.0, 2.0)]
      rates = {'firing_rates': (factor / 2, 1.0), 'coincidences': counts}
      events.append({'event': 'epoch', **ACTIVITY, **rates})
    accuracy = 90 + 2 * config.seed
    events.append(
      {
        'event': 'final',
        'seed': config.seed,
        **sweeps.accuracies(accuracy),
        **dict.fromkeys(summary.ERRORS, accuracy / 100),
        'layer_sizes': sizes,
        'num_train_samples': 11,
      }
    )
    for event in events:
      event.pop(without, None)
    recorded = config_records.as_record(config)
    sweeps.write_runs([records.Run(self.workdir / name, recorded, events)])

  def record_sweep(self):
    for seed in (0, 1):
      self.record(f'bp/{seed}', method='bp', seed=seed)
      for steps, sampler in itertools.product(STEPS, SAMPLERS):
        options = {'num_steps': steps, 'sampler': sampler, 'seed': seed}
        self.record(f'{steps}-{sampler}/{seed}', **options)

  def test_table_matches_hand_count(self):
    self.record_sweep()
    text = energy.table(self.workdir, self.table)
    self.assertNotIn('num_train_samples', text)
    ann, *spiking = rows(text)
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
        'backward': f'{3 * t}',
        'synaptic events': f'{6 * t} / {8.5 * t:.0f}',
        'update pulses': f'{7.5 * t:.0f}',
        'crossbar reads': f'{2 * t} / {3 * t}',
        'latency, ticks': f'{3 * t} / {4 * t}',  # a window has all ticks
        'energy, nJ': f'{inference_nj(t):.4g} / {np.mean(learning):{digits}}',
        'training, mJ': f'{sum(learning) * 8 / 1e6:.4g}',
      }
      self.assertEqual(row, expected)

  @parameterized.parameters(
    ({'device': 'ecram'}, True),
    ({'device': 'ecram', 'update_rule': 'tiki_taka'}, True),
    ({'device': 'ecram', 'pulse_scheme': 'single'}, False),
  )
  def test_rejects_devices_whose_pulses_are_not_counted(self, options, rejects):
    self.record('run', **options)
    if not rejects:
      self.assertIn('480', energy.table(self.workdir, self.table))
      return
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'run holds devices \(--device=ecram\) whose pulses'
    ):
      energy.table(self.workdir, self.table)

  def test_figure_has_a_curve_for_each_sampler(self):
    self.record_sweep()
    sheet = energy.draw(self.workdir, self.table)
    inference = [inference_nj(t) for t in STEPS], 0.036
    learning = [learning_nj(t, 7.5, 1.5) for t in STEPS], 0.11
    for axes, (points, bp) in zip(sheet.axes, (inference, learning)):
      self.assertEqual(axes.get_xscale(), 'log')
      drawn = {
        container.get_label(): container.lines[0]
        for container in axes.containers
      }
      for name in ('SSNN, bernoulli', 'SSNN, sobol'):
        line = drawn.pop(name)
        np.testing.assert_allclose(line.get_xdata(orig=False), points)
        np.testing.assert_allclose(line.get_ydata(orig=False), [91, 91])
      (ann,) = drawn.values()
      np.testing.assert_allclose(ann.get_xdata(orig=False), [bp])
      texts = [text.get_text() for text in axes.texts]
      self.assertEqual(texts, ['4', '16'] * 2)

  def test_command_prints_table_and_writes_figure(self):
    self.record_sweep()
    output = call_main(energy, workdir=str(self.workdir), energies='crossbar')
    self.assertIn(energy.table(self.workdir, 'crossbar'), output)
    for suffix in ('png', 'svg'):
      self.assertTrue((self.workdir / f'energy-crossbar.{suffix}').exists())

  @parameterized.parameters('positive_error_rates', 'firing_rates')
  def test_rejects_records_without_activity(self, name):
    self.record('run', without=name)
    message = f'run does not tell the {name} of each epoch; train it anew'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      energy.table(self.workdir)

  def test_rejects_networks_on_rates(self):
    self.record('run', backward='rates')
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'run: backward is rates, for which'
    ):
      energy.table(self.workdir)

  @parameterized.parameters('surrogate_gradient', 'bp_stdp', 'rpu')
  def test_rejects_other_methods(self, method):
    self.record('bp', method='bp')
    self.record('run', method=method)
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      rf'\A\S+/run holds a run of {method}, of which [^\n]+\Z',
    ):
      energy.table(self.workdir)

  def test_feedback_alignment_has_the_same_energy(self):
    self.record('aligned', method='feedback_alignment')
    self.record('ssnn')
    one, other = energy.read(self.workdir, self.table)
    self.assertNotEqual(one.config['method'], other.config['method'])
    self.assertGreater(one.mean('learning_nj'), one.mean('nj'))
    for name, values in one.values.items():
      np.testing.assert_array_equal(values, other.values[name])

  def test_rejects_folder_without_spiking_networks(self):
    message = f'^--workdir={self.workdir} holds no finished'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      energy.table(self.workdir)
    self.record('run', method='bp')
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      energy.table(self.workdir)

  def test_layer_sizes_are_those_of_the_final_line(self):
    self.record('run', sizes=(5, 3, 2), layer_sizes=None)
    (setting,) = energy.read(self.workdir)
    self.assertEqual(setting.mean('bp_macs'), 5 * 3 + 3 * 2)
    self.assertEqual(setting.mean('learning_bp_macs'), 2 * 5 * 3 + 3 * 3 * 2)

  @parameterized.parameters('layer_sizes', 'num_train_samples')
  def test_rejects_final_line_without_sizes(self, name):
    self.record('run', without=name)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'run does not tell the layer_sizes and num_train_s'
    ):
      energy.table(self.workdir)


class EnergiesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path, 'mine.json')

  def write(self, **changes):
    """Writes a table with changed entries, without those that are None."""
    entries = make_table() | changes
    entries = {name: x for name, x in entries.items() if x is not None}
    self.path.write_text(json.dumps(entries))
    return self.path

  def test_each_event_costs_its_own_entry(self):
    energies = energy_lib.load_table(self.write())
    prices = list(PICOJOULES.values())
    for name, price in zip(cost.Events._fields, prices):
      events = cost.Events(*[0] * 6)._replace(**{name: 10})
      self.assertEqual(energy_lib.chip_energy(events, energies), 10 * price)
    self.assertEqual(energy_lib.backprop_energy(10, 0, energies), 40)
    self.assertEqual(energy_lib.backprop_energy(0, 10, energies), 50)

  @parameterized.parameters(*energy_lib.TABLES)
  def test_tables_of_the_library_name_sources(self, name):
    energies = energy_lib.load_table(name)
    self.assertAlmostEqual(energies.mac, 3.7 + 0.9)
    folder = pathlib.Path(energy_lib.__file__).with_name('energies')
    path = folder / f'{name}.json'
    for entry in json.loads(path.read_text()).values():
      year = r'\b20[0-2]\d\b' if entry['picojoules'] else '^None'
      self.assertRegex(entry['source'], year)

  @parameterized.parameters(
    ({'spikes': {'picojoules': 1, 'source': 'x'}}, 'spikes is unknown'),
    ({'spike': None}, 'spike is missing'),
    ({'mac': {'picojoules': -1, 'source': 'x'}}, 'mac is -1; expected'),
    ({'mac': {'picojoules': float('nan'), 'source': 'x'}}, 'mac is nan;'),
    ({'mac': {'picojoules': True, 'source': 'x'}}, 'mac is True;'),
    ({'mac': {'source': 'x'}}, 'mac is None;'),
    ({'mac': 4.6}, 'mac has no source'),
    ({'mac': {'picojoules': 4.6, 'source': ' '}}, 'mac has no source'),
  )
  def test_rejects_invalid_entries_by_name(self, changes, problem):
    path = self.write(**changes)
    with self.assertRaisesRegex(ssnn_jax.UserError, f'mine.json: {problem}'):
      energy_lib.load_table(path)

  def test_rejects_files_without_a_table(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, 'mine.json cannot be read'):
      energy_lib.load_table(self.path)
    self.path.write_text('half {')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'mine.json cannot be read'):
      energy_lib.load_table(self.path)
    self.path.write_text('[]')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'spike is missing'):
      energy_lib.load_table(self.path)
