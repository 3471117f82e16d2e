"""Tests of grids: how they are written, and the settings of a sweep."""

import dataclasses

from absl.testing import parameterized

from experiments.config import experiment
from experiments.config import grids
from experiments.config import methods
import ssnn_jax
from tests.testing.sweeps import BASE

RPUS = 'method=rpu,gain=1.0', 'method=rpu,gain=2.0'


def names(grid, base=BASE):
  """Returns the names of the settings of a grid."""
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

  @parameterized.parameters(*dataclasses.fields(experiment.ExperimentConfig))
  def test_written_values_are_parsed_back(self, field):
    default = field.default
    if field.name != 'seed':
      grid = grids.parse(f'{field.name}={grids.write(default)}')
      self.assertEqual(repr(grid), repr({field.name: (default,)}))

  @parameterized.parameters(
    ('num_step=1', "field 'num_step' does not exist; the closest field is num"),
    ('seed=1', 'seed is set by --seed and --num_seeds'),
    ('num_steps=1.5', "num_steps is '1.5'; expected a whole number"),
    ('update=dice', "update is 'dice'; expected one of spikes, rates"),
    ('gain=1-', "gain is '1-'"),
    ('num_steps=1,,2', 'num_steps lacks a value'),
    ('tau=1;num_steps=1;tau=2', 'tau is repeated'),
    ('tau=1,2,1.0', 'tau has the value 1.0 twice'),
    ('tau=1;', "'' has no '='"),
  )
  def test_rejects_invalid_grids(self, text, problem):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^--grid: {problem}'):
      grids.parse(text)


class SettingsTest(parameterized.TestCase):
  def test_several_grids_have_each_setting_once(self):
    first, second = {'num_steps': (1, 4)}, {'num_steps': (4, 16)}
    listed = grids.settings(BASE, first, second)
    self.assertEqual(
      [name for name, _ in listed],
      ['bp', 'num_steps=1', 'num_steps=4', 'num_steps=16'],
    )

  @parameterized.parameters(
    ('num_steps=1,4', ['bp', 'num_steps=1', 'num_steps=4']),
    (
      'num_steps=1,4;learning_rate=0.1,1',
      [
        'bp,learning_rate=0.1',
        'bp,learning_rate=1.0',
        'num_steps=1,learning_rate=0.1',
        'num_steps=1,learning_rate=1.0',
        'num_steps=4,learning_rate=0.1',
        'num_steps=4,learning_rate=1.0',
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
  def test_names_have_the_varied_fields(self, text, expected):
    self.assertEqual(names(text), expected)

  def test_names_of_several_spiking_methods_have_the_method(self):
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
        ('method=bp_stdp', 'bp_stdp', 16.0),  # does not use tau
      ],
    )

  def test_ann_keeps_fields_of_spikes_of_the_base(self):
    base = dataclasses.replace(BASE, num_steps=7, method='ssnn')
    grid = {'num_steps': (1, 4), 'learning_rate': (0.1,)}
    ann, *spiking = [config for _, config in grids.settings(base, grid)]
    expected = dataclasses.replace(base, method='bp', learning_rate=0.1)
    self.assertEqual(ann, expected)
    self.assertEqual([c.num_steps for c in spiking], [1, 4])

  def test_methods_without_pulses_have_ideal_devices(self):
    resistive = {'device': 'reram', 'dw_min': 0.01, 'out_noise': 0.1}
    ideal = {'device': 'ideal', 'dw_min': None, 'out_noise': 0.0}
    base = dataclasses.replace(BASE, **resistive)
    for _, config in grids.settings(base, {'method': tuple(methods.METHODS)}):
      has_pulses = methods.METHODS[config.method].has_pulses
      found = {name: getattr(config, name) for name in resistive}
      self.assertEqual(found, resistive if has_pulses else ideal)

  def test_rejects_values_out_of_range(self):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'^--grid: --learning_rate is -1.0; expected a posi'
    ):
      names('learning_rate=-1')

  def test_groups_settings_that_differ_only_in_learning_rate(self):
    grid = grids.parse('learning_rate=0.1,1;num_steps=1,4;schedule=linear')
    listed = grids.settings(BASE, grid)
    groups = [[listed.index(s) for s in g] for g in grids.together(listed)]
    # The ANN, and each T.
    self.assertEqual(groups, [[0, 1], [2, 4], [3, 5]])
