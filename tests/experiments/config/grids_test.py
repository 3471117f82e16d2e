"""Tests of grids: how they are written, and the settings of a sweep."""

import dataclasses

from absl.testing import parameterized

from experiments.config import experiment
from experiments.config import grids
from experiments.config import methods
import ssnn_jax
from tests.testing.sweeps import BASE


def settings(grid, base=BASE):
  """Returns the configurations of a grid, by their names."""
  return dict([*grids.merge(base, [grids.Sweep(grids.parse(grid))])])


class ParseTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      'num_steps = 16 , 64 ; learning_rate = 0.1,3',
      {'num_steps': (16, 64), 'learning_rate': (0.1, 3.0)},
    ),
    ('layer_sizes=64-128-10,none', {'layer_sizes': ((64, 128, 10), None)}),
    ('gain=1-2,3,1e-3-2E-3', {'gain': ((1.0, 2.0), (3.0,), (0.001, 0.002))}),
    ('shuffle_ticks=true,False', {'shuffle_ticks': (True, False)}),
    ('method=ssnn;window=none,8', {'method': ('ssnn',), 'window': (None, 8)}),
    ('dataset=n_mnist,own.npz', {'dataset': ('n_mnist', 'own.npz')}),
  )
  def test_values_have_the_type_of_their_field(self, text, expected):
    self.assertEqual(repr(grids.parse(text)), repr(expected))  # 3.0 is not 3

  def test_written_values_are_parsed_back(self):
    for name, own in experiment.FIELDS.items():
      if name != 'seed':
        grid = grids.parse(f'{name}={grids.write(own.default)}')
        self.assertEqual(repr(grid), repr({name: (own.default,)}))

  @parameterized.parameters(
    ('lr=1', "field 'lr' does not exist; the closest field is learning_rate"),
    ('num_step=1', "field 'num_step' does not exist; the closest field is num"),
    ('seed=1', 'seed is set by --seed and --num_seeds'),
    ('num_steps=1.5', "num_steps is '1.5'"),
    ('update=dice', "update is 'dice' .*spikes"),
    ('gain=1-', "gain is '1-'"),
    ('num_steps=1,,2', "num_steps is ''"),
    ('tau=1;num_steps=1;tau=2', 'tau is repeated'),
    ('tau=1,2,1.0', 'tau has the value 1.0 twice'),
    ('tau=1;', "'' has no '='"),
  )
  def test_rejects_invalid_grids(self, text, problem):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^--grid: {problem}'):
      grids.parse(text)


class SettingsTest(parameterized.TestCase):
  def test_several_grids_have_each_setting_once_with_most_seeds(self):
    sweeps = (
      grids.Sweep({'num_steps': (1, 4)}, 2),
      grids.Sweep({'num_steps': (4,), 'method': ('ssnn',)}, 3),
    )
    found = {k.name: number for k, number in grids.merge(BASE, sweeps).items()}
    self.assertEqual(found, {'bp': 2, 'num_steps=1': 2, 'num_steps=4': 3})

  @parameterized.parameters(
    ('num_steps=1,4', ['bp', 'num_steps=1', 'num_steps=4']),
    (
      'num_steps=1;learning_rate=0.1,1',
      [
        'bp,learning_rate=0.1',
        'bp,learning_rate=1.0',
        'num_steps=1,learning_rate=0.1',
        'num_steps=1,learning_rate=1.0',
      ],
    ),
    ('method=ssnn', ['ssnn']),
    ('tau=4;method=ssnn', ['tau=4.0']),
    ('tau=4,8;method=bp', ['bp']),
    ('method=bp,rpu;gain=1', ['bp', 'method=rpu,gain=1.0']),
    (
      'method=ssnn,bp_stdp;tau=1,2',
      ['method=ssnn,tau=1.0', 'method=ssnn,tau=2.0', 'method=bp_stdp'],
    ),
    ('layer_sizes=64-9-10', ['bp,layer_sizes=64-9-10', 'layer_sizes=64-9-10']),
    (
      'dataset=emnist/balanced',
      ['bp,dataset=emnist-balanced', 'dataset=emnist-balanced'],
    ),
    ('window=none,1', ['bp', 'window=none', 'window=1']),
  )
  def test_names_have_the_varied_fields(self, text, expected):
    self.assertEqual([*settings(text)], expected)

  def test_ann_keeps_fields_of_spikes_of_the_base(self):
    base = dataclasses.replace(BASE, num_steps=7, method='ssnn')
    found = settings('num_steps=1,4;learning_rate=0.1', base)
    ann, *spiking = found.values()
    expected = dataclasses.replace(base, method='bp', learning_rate=0.1)
    self.assertEqual(ann, expected)
    self.assertEqual([c.num_steps for c in spiking], [1, 4])

  def test_methods_without_pulses_have_ideal_devices(self):
    resistive = {'device': 'reram', 'dw_min': 0.01, 'out_noise': 0.1}
    ideal = {'device': 'ideal', 'dw_min': None, 'out_noise': 0.0}
    base = dataclasses.replace(BASE, **resistive)
    every = settings(f'method={",".join(methods.METHODS)}', base)
    for config in every.values():
      has_pulses = methods.METHODS[config.method].has_pulses
      found = {name: getattr(config, name) for name in resistive}
      self.assertEqual(found, resistive if has_pulses else ideal)

  def test_rejects_invalid_or_endless_sweeps(self):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^--grid: --learning_rate is -1.0; expected'
    ):
      settings('learning_rate=-1')
    with self.assertRaisesRegex(ssnn_jax.UserError, '1,000,000 runs'):
      grids.merge(BASE, [grids.Sweep({'num_steps': (1,)}, 1_000_000)])
