"""Tests for what a sweep takes in energy, from records alone."""

import contextlib
import io
import itertools
import json
import pathlib
import types
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import config_records
from experiments import configs
from experiments import energy
from experiments import summary
import ssnn_jax
from ssnn_jax.hardware import cost
from ssnn_jax.hardware import energy as energy_lib
from ssnn_jax.runs import records
from tests.testing.experiments import rows

# Two inputs, the second one on in the first epoch only; a hidden neuron that
# fires and errs at every tick; class 0 always wins, and class 1 is right.
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

  def record(
    self, name, final=types.MappingProxyType({}), without=None, **options
  ):
    """Records a finished run of two epochs, which errs more in the first."""
    config = configs.ExperimentConfig(
      **{'layer_sizes': (2, 1, 2), 'batch_size': 4, 'num_epochs': 2} | options
    )
    folder, recorded = self.workdir / name, config_records.as_record(config)
    records.create(folder, recorded)
    for epoch, factor in ((1, 2), (2, 1)):
      counts = tuple(factor * n * config.num_steps for n in (1.0, 2.0))
      told = {'firing_rates': (factor / 2, 1.0), 'coincidences': counts}
      told = {k: v for k, v in (ACTIVITY | told).items() if k != without}
      records.append(folder, 'epoch', epoch=epoch, **told)
    accuracy = 0.9 + 0.02 * config.seed
    values = dict.fromkeys(summary.ACCURACIES + summary.ERRORS, accuracy)
    told = {'layer_sizes': config.layer_sizes, 'num_train_samples': 11, **final}
    told = {name: value for name, value in told.items() if name != without}
    records.append(folder, 'final', seed=config.seed, **values, **told)

  def record_sweep(self, **options):
    for seed in (0, 1):
      self.record(f'bp/{seed}', method='bp', seed=seed, **options)
    for steps, sampler, seed in itertools.product(
      (4, 16), ('bernoulli', 'sobol'), (0, 1)
    ):
      self.record(
        f'{steps}-{sampler}/{seed}',
        num_steps=steps,
        sampler=sampler,
        seed=seed,
        **options,
      )

  def test_the_table_is_what_hands_count(self):
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
      [*itertools.product(('4', '16'), ('bernoulli', 'sobol'))],
    )
    for row in spiking:
      t = int(row['num_steps'])
      # Of weights 3 a tick, in the first epoch 6; of biases 3.
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
        'latency, ticks': f'{3 * t} / {4 * t}',  # a window is all ticks
        'energy, nJ': f'{inference_nj(t):.4g} / {np.mean(learning):{digits}}',
        'training, mJ': f'{sum(learning) * 8 / 1e6:.4g}',
      }
      self.assertEqual(row, expected)

  @parameterized.parameters(
    ({'device': 'ecram'}, True),
    ({'device': 'ecram', 'update_rule': 'tiki_taka'}, True),
    ({'device': 'ecram', 'pulse_scheme': 'single'}, False),
  )
  def test_pulses_that_are_not_counted_are_refused(self, options, is_refused):
    self.record('run', **options)
    if not is_refused:
      self.assertIn('480', energy.table(self.workdir, self.table))
      return
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'run holds devices \(--device=ecram\) whose pulses'
    ):
      energy.table(self.workdir, self.table)

  def test_the_figure_has_a_curve_a_sampler(self):
    self.record_sweep()
    sheet = energy.draw(self.workdir, self.table)
    for axes, points, bp in zip(
      sheet.axes,
      (
        [inference_nj(t) for t in (4, 16)],
        [learning_nj(t, 7.5, 1.5) for t in (4, 16)],
      ),
      (0.036, 0.11),
    ):
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
      told = [text.get_text() for text in axes.texts]
      self.assertEqual(told, ['4', '16'] * 2)

  def test_the_command_prints_and_draws(self):
    self.record_sweep()
    printed = io.StringIO()
    with mock.patch.object(energy.flags, 'FLAGS') as given:
      given.flag_values_dict.return_value = {
        'workdir': str(self.workdir),
        'energies': 'crossbar',
      }
      with contextlib.redirect_stdout(printed):
        energy.main()
    self.assertIn(energy.table(self.workdir, 'crossbar'), printed.getvalue())
    for suffix in ('png', 'svg'):
      self.assertTrue((self.workdir / f'energy-crossbar.{suffix}').exists())

  @parameterized.parameters('positive_error_rates', 'firing_rates')
  def test_records_without_activity_are_refused(self, name):
    self.record('run', without=name)
    message = f'run does not tell the {name} of each epoch; train it anew'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      energy.table(self.workdir)

  def test_networks_on_rates_are_refused(self):
    self.record('run', backward='rates')
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'run: backward is rates, for which'
    ):
      energy.table(self.workdir)

  @parameterized.parameters('surrogate_gradient', 'bp_stdp', 'rpu')
  def test_neurons_of_other_kinds_are_refused(self, method):
    self.record('bp', method='bp')
    self.record('run', method=method)
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      rf'\A\S+/run holds a run of {method}, of which [^\n]+\Z',
    ):
      energy.table(self.workdir)

  def test_feedback_of_its_own_takes_as_much(self):
    self.record('aligned', method='feedback_alignment')
    self.record('ssnn')
    one, other = energy.read(self.workdir, self.table)
    self.assertNotEqual(one.config['method'], other.config['method'])
    self.assertGreater(one.mean('learning_nj'), one.mean('nj'))
    for name, values in one.values.items():
      np.testing.assert_array_equal(values, other.values[name])

  def test_a_folder_without_spiking_networks_is_refused(self):
    message = f'^--workdir={self.workdir} holds no finished'
    for run in range(2):
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        energy.table(self.workdir)
      self.record(f'run-{run}', method='bp')  # which is none, either

  def test_layers_are_those_of_the_final_line(self):
    self.record('run', final={'layer_sizes': [5, 3, 2]}, layer_sizes=None)
    (setting,) = energy.read(self.workdir)
    self.assertEqual(setting.mean('bp_macs'), 5 * 3 + 3 * 2)
    self.assertEqual(setting.mean('learning_bp_macs'), 2 * 5 * 3 + 3 * 3 * 2)

  @parameterized.parameters('layer_sizes', 'num_train_samples')
  def test_a_final_line_that_lacks_sizes_is_refused(self, name):
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
    """Writes a table; an entry that becomes 'none' is left out."""
    entries = make_table() | changes
    kept = {name: value for name, value in entries.items() if value != 'none'}
    self.path.write_text(json.dumps(kept))
    return self.path

  def test_each_event_is_priced_at_its_own_entry(self):
    energies = energy_lib.load_table(self.write())
    prices = list(PICOJOULES.values())
    for name, price in zip(cost.Events._fields, prices):
      events = cost.Events(*[0] * 6)._replace(**{name: 10})
      self.assertEqual(energy_lib.chip_energy(events, energies), 10 * price)
    self.assertEqual(energy_lib.backprop_energy(10, 0, energies), 40)
    self.assertEqual(energy_lib.backprop_energy(0, 10, energies), 50)

  @parameterized.parameters(*energy_lib.TABLES)
  def test_tables_of_the_library_name_their_sources(self, name):
    energies = energy_lib.load_table(name)
    self.assertAlmostEqual(energies.mac, 3.7 + 0.9)
    folder = pathlib.Path(energy_lib.__file__).with_name('energies')
    path = folder / f'{name}.json'
    for entry in json.loads(path.read_text()).values():
      year = r'\b20[0-2]\d\b' if entry['picojoules'] else '^None'
      self.assertRegex(entry['source'], year)

  @parameterized.parameters(
    ({'spikes': {'picojoules': 1, 'source': 'x'}}, 'spikes is unknown'),
    ({'spike': 'none'}, 'spike is missing'),
    ({'mac': {'picojoules': -1, 'source': 'x'}}, 'mac is -1; expected'),
    ({'mac': {'picojoules': float('nan'), 'source': 'x'}}, 'mac is nan;'),
    ({'mac': {'picojoules': True, 'source': 'x'}}, 'mac is True;'),
    ({'mac': {'source': 'x'}}, 'mac is None;'),
    ({'mac': 4.6}, 'mac has no source'),
    ({'mac': {'picojoules': 4.6, 'source': ' '}}, 'mac has no source'),
  )
  def test_entries_are_refused_by_name(self, changes, problem):
    path = self.write(**changes)
    with self.assertRaisesRegex(ssnn_jax.UserError, f'mine.json: {problem}'):
      energy_lib.load_table(path)

  def test_what_is_no_table_is_refused(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, 'mine.json cannot be read'):
      energy_lib.load_table(self.path)
    self.path.write_text('half {')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'mine.json cannot be read'):
      energy_lib.load_table(self.path)
    self.path.write_text('[]')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'spike is missing'):
      energy_lib.load_table(self.path)


if __name__ == '__main__':
  absltest.main()
