"""Tests for what a sweep runs."""

import dataclasses
import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments import config_records
from experiments import configs
from experiments import defaults
from experiments import grids
from experiments import methods
from experiments import synapses
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing import statistics

RECORDS = pathlib.Path(grids.__file__).parent / 'records'
BASE = defaults.CONFIGS['digits']
SWEPT = [
  (sweep, folder)
  for sweep in grids.SWEEPS
  for folder in sorted(RECORDS.glob(f'{sweep}-*'))
]
RPUS = 'method=rpu,gain=1.0', 'method=rpu,gain=2.0'
FORM = "--grid='num_steps=16,64;learning_rate=0.1,0.3'"


def names(grid, base=BASE):
  """Names the settings of a grid."""
  return [name for name, _ in grids.settings(base, grids.parse(grid))]


class ParseTest(parameterized.TestCase):
  @parameterized.parameters(
    ('num_steps=16,64', {'num_steps': (16, 64)}),
    (
      'num_steps = 16 , 64 ; learning_rate = 0.1,3',
      {'num_steps': (16, 64), 'learning_rate': (0.1, 3.0)},
    ),
    (
      'layer_sizes=64-128-10,none',
      {'layer_sizes': ((64, 128, 10), None)},
    ),
    ('gain=1-2,3,1e-3-2E-3', {'gain': ((1.0, 2.0), (3.0,), (0.001, 0.002))}),
    ('window=none,8', {'window': (None, 8)}),
    ('shuffle_ticks=true,False', {'shuffle_ticks': (True, False)}),
    ('method=ssnn;sampler=sobol', {'method': ('ssnn',), 'sampler': ('sobol',)}),
    ('test_dataset=none,n_mnist', {'test_dataset': (None, 'n_mnist')}),
  )
  def test_values_have_the_type_of_their_field(self, text, expected):
    grid = grids.parse(text)
    self.assertEqual(repr(grid), repr(expected))  # 3.0 is not 3

  @parameterized.parameters(*dataclasses.fields(configs.ExperimentConfig))
  def test_what_is_written_is_what_is_parsed(self, field):
    default = field.default
    if field.name != 'seed':
      grid = grids.parse(f'{field.name}={grids.write(default)}')
      self.assertEqual(repr(grid), repr({field.name: (default,)}))

  @parameterized.parameters(
    ('num_step=1', "there is no field 'num_step', but there is num_steps"),
    ('entirely=1', "there is no field 'entirely'"),
    ('seed=1', 'seed is what --seed and --num_seeds say'),
    ('num_steps=1.5', "num_steps cannot be '1.5', but a whole number"),
    ('tau=long', "tau cannot be 'long', but a number"),
    ('window=x', "window cannot be 'x', but a whole number, or none"),
    ('shuffle_ticks=1', "shuffle_ticks cannot be '1', but true or false"),
    ('update=dice', "update cannot be 'dice', but one of spikes, rates"),
    ('gain=1-', "gain cannot be '1-', but a number or several with '-' betw"),
    ('num_steps=none', "num_steps cannot be 'none', but a whole number"),
    ('num_steps=', 'num_steps lacks a value'),
    ('num_steps=1,,2', 'num_steps lacks a value'),
    ('tau=1;num_steps=1;tau=2', 'tau is there twice'),
    ('tau=1,2,1.0', 'tau has the value 1.0 twice'),
    ('num_steps', "'num_steps' has no '='"),
    ('', "'' has no '='"),
    ('tau=1;', "'' has no '='"),
  )
  def test_mistakes_are_told(self, text, problem):
    with self.assertRaises(ssnn_jax.UserError) as caught:
      grids.parse(text)
    message = str(caught.exception)
    self.assertStartsWith(message, f'--grid: {problem}')
    self.assertEndsWith(message, f'; write it as in {FORM}.')


class SettingsTest(parameterized.TestCase):
  @parameterized.parameters(*SWEPT)
  def test_sweeps_are_those_that_are_recorded(self, sweep, folder):
    folders = {path.name: path for path in folder.iterdir() if path.is_dir()}
    recorded = {
      name: [run.config for run in records.find(path)]
      for name, path in folders.items()
    }
    ann = next(name for name in recorded if name.startswith('bp'))
    some = config_records.complete(recorded[ann][0])
    swept = {field for grid in grids.SWEEPS[sweep] for field in grid}
    given = {'num_steps', 'learning_rate'} - (swept - {'num_steps'})
    base = dataclasses.replace(
      defaults.CONFIGS[some['dataset']], **{name: some[name] for name in given}
    )
    settings = grids.settings(base, *grids.SWEEPS[sweep])
    self.assertCountEqual([name for name, _ in settings], folders)
    for name, config in settings:
      expected = [
        config_records.as_record(dataclasses.replace(config, seed=seed))
        for seed in range(len(recorded[name]))
      ]
      self.assertGreaterEqual(len(expected), 3)
      self.assertEqual(
        list(map(config_records.complete, recorded[name])), expected
      )

  def test_several_grids_have_each_setting_once(self):
    first, second = {'num_steps': (1, 4)}, {'num_steps': (4, 16)}
    listed = grids.settings(BASE, first, second)
    self.assertEqual(
      [name for name, _ in listed],
      ['bp', 'num_steps=1', 'num_steps=4', 'num_steps=16'],
    )

  def test_sweeps_have_records(self):
    self.assertEqual({sweep for sweep, _ in SWEPT}, set(grids.SWEEPS))

  @parameterized.parameters(
    ('num_steps=1,4', ['bp', 'num_steps=1', 'num_steps=4']),
    (
      'num_steps=1,4;learning_rate=0.1,1',
      [
        *('bp,learning_rate=0.1', 'bp,learning_rate=1.0'),
        *('num_steps=1,learning_rate=0.1', 'num_steps=1,learning_rate=1.0'),
        *('num_steps=4,learning_rate=0.1', 'num_steps=4,learning_rate=1.0'),
      ],
    ),
    ('tau=4;method=ssnn', ['tau=4.0']),
    ('method=ssnn', ['ssnn']),
    ('method=ssnn,bp', ['bp', 'ssnn']),
    ('method=rpu', ['method=rpu']),
    ('method=bp,rpu;gain=1,2', ['bp', *RPUS]),
    ('tau=4,8;method=bp', ['bp']),
    ('layer_sizes=64-9-10', ['bp,layer_sizes=64-9-10', 'layer_sizes=64-9-10']),
    (
      'dataset=emnist/balanced',
      ['bp,dataset=emnist-balanced', 'dataset=emnist-balanced'],
    ),
    ('window=none,1', ['bp', 'window=none', 'window=1']),
  )
  def test_settings_are_named_by_what_varies(self, text, expected):
    self.assertEqual(names(text), expected)

  def test_several_spiking_methods_are_told_apart(self):
    chosen = ('ssnn', 'bp', 'surrogate_gradient', 'bp_stdp')
    listed = grids.settings(BASE, {'tau': (1.0, 2.0), 'method': chosen})
    self.assertEqual(
      [(name, config.method, config.tau) for name, config in listed],
      [
        ('bp', 'bp', 16.0),
        ('method=ssnn,tau=1.0', 'ssnn', 1.0),
        ('method=ssnn,tau=2.0', 'ssnn', 2.0),
        ('method=surrogate_gradient,tau=1.0', 'surrogate_gradient', 1.0),
        ('method=surrogate_gradient,tau=2.0', 'surrogate_gradient', 2.0),
        ('method=bp_stdp', 'bp_stdp', 16.0),  # which has no leak
      ],
    )

  def test_the_ann_keeps_the_values_of_the_base(self):
    base = dataclasses.replace(BASE, num_steps=7, method='ssnn')
    grid = {'num_steps': (1, 4), 'learning_rate': (0.1,)}
    ann, *spiking = [config for _, config in grids.settings(base, grid)]
    expected = {'method': 'bp', 'learning_rate': 0.1}
    self.assertEqual(ann, dataclasses.replace(base, **expected))
    self.assertEqual([c.num_steps for c in spiking], [1, 4])

  def test_methods_without_pulses_have_ideal_synapses(self):
    held = {'device': 'reram', 'dw_min': 0.01, 'out_noise': 0.1}
    base = dataclasses.replace(BASE, **held)
    ideal = {'device': 'ideal', 'dw_min': None, 'out_noise': 0.0}
    for _, config in grids.settings(base, {'method': tuple(methods.METHODS)}):
      has_pulses = methods.METHODS[config.method].has_pulses
      kept = {name: getattr(config, name) for name in held}
      self.assertEqual(kept, held if has_pulses else ideal)

  def test_a_value_out_of_range_is_refused(self):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'^--grid: --learning_rate is -1.0; expected a number'
    ):
      names('learning_rate=-1')

  def test_learning_rates_alone_are_trained_together(self):
    grid = grids.parse('learning_rate=0.1,1;num_steps=1,4;schedule=linear')
    listed = grids.settings(BASE, grid)
    groups = [[listed.index(s) for s in g] for g in grids.together(listed)]
    # The ANN's two, then those of either T.
    self.assertEqual(groups, [[0, 1], [2, 4], [3, 5]])

  def test_fields_of_spikes_make_no_difference_to_the_ann(self):
    changed = {
      **{'num_steps': 9, 'window': 2, 'integration': 'leaky', 'tau': 3.0},
      **{'gain': 2.0, 'forward': 'rates', 'backward': 'rates', 'delay': 1},
      'output_errors': 'softmax',
      **{'update': 'rates', 'sampler': 'sobol', 'representation': 'dense'},
    }
    of_data = {'shuffle_ticks', 'probe_size', 'probe_draws', 'probe_every'}
    of_synapses = set(synapses.NAMES)
    self.assertEqual(
      methods.SPIKING_FIELDS, changed.keys() | of_data | of_synapses
    )
    labels = jnp.arange(3)
    images = jnp.linspace(0, 1, 12).reshape(3, 4)
    gradients = []
    for options in ({}, changed):
      ann = ssnn_jax.ann(ssnn_jax.NetworkConfig((4, 5, 3), **options))
      params = ann.init(jax.random.key(0))
      update, _ = ann.learn(params, jax.random.key(1), images, labels)
      gradients.append(statistics.flat(ssnn_jax.as_gradient(update)))
    np.testing.assert_array_equal(*gradients)
    self.assertTrue(np.any(gradients[0]))


if __name__ == '__main__':
  absltest.main()
