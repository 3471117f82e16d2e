"""Tests for configurations and their flags."""

import dataclasses
import math

from absl import flags
from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from experiments import cli
from experiments import config_records
from experiments import configs
from experiments import defaults
from experiments import methods
from experiments import synapses
import ssnn_jax
from ssnn_jax import datasets

FIELDS = dataclasses.fields(configs.ExperimentConfig)
NUM_CLASSES = {
  'emnist/balanced': 47,
  'emnist/bymerge': 47,
  'emnist/byclass': 62,
  'emnist/letters': 26,
}
# The parameters of a network of 256 hidden neurons.
NUM_PARAMS = {
  'digits': 64 * 256 + 256 + 256 * 10 + 10,
  'fashion_mnist': 784 * 256 + 256 + 256 * 10 + 10,
  'emnist/byclass': 784 * 256 + 256 + 256 * 62 + 62,
  'n_mnist': 2312 * 256 + 256 + 256 * 10 + 10,
  'synthetic_events/emnist/letters': 2312 * 256 + 256 + 256 * 26 + 26,
}


def blank(name):
  """Returns a data set of nothing, of the shapes that its name stands for."""
  shape, dtype = (500, 28, 28), np.uint8
  if name == 'digits':
    shape = 500, 8, 8
  elif name in datasets.RECORDINGS:
    shape, dtype = (500, 2, 34 * 34 * 2), np.uint32
  split = datasets.Split(np.zeros(shape, dtype), np.zeros(500, np.int32))
  num_classes = NUM_CLASSES.get(name.removeprefix('synthetic_events/'), 10)
  return datasets.Dataset(name, split, split, ('name',) * num_classes)


def parse(*arguments):
  """Parses arguments with fresh flags, into a configuration."""
  values = flags.FlagValues()
  defined = {
    name: getattr(flags, name)
    for name in dir(flags)
    if name.startswith('DEFINE')
  }
  own = {
    name: lambda *args, define=define, **kwargs: define(
      *args, flag_values=values, **kwargs
    )
    for name, define in defined.items()
  }
  with absltest.mock.patch.multiple(flags, **own):
    cli.define_config()
  values(['program', *arguments])
  return cli.config(values.flag_values_dict()), values


class ConfigsTest(parameterized.TestCase):
  def test_every_data_set_has_a_config(self):
    self.assertEqual(set(defaults.CONFIGS), set(datasets.NAMES))

  @parameterized.parameters(*datasets.NAMES)
  def test_configs_fit_their_data_set(self, name):
    config = defaults.CONFIGS[name]
    self.assertEqual(config.dataset, name)
    network = configs.network_config(config, blank(name))
    is_events = name in datasets.RECORDINGS
    self.assertEqual(network.input_gain, 64 / 8 if is_events else 1.0)

  @parameterized.parameters(*NUM_PARAMS.items())
  def test_networks_have_so_many_parameters(self, name, num_params):
    network = configs.network_config(defaults.CONFIGS[name], blank(name))
    params = ssnn_jax.ssnn(network).init(jax.random.key(0))
    sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(params)]
    self.assertEqual(sum(sizes), num_params)

  def test_every_field_is_a_flag_with_help(self):
    _, values = parse()
    for field in FIELDS:
      flag, told = values[field.name], field.metadata
      self.assertIn(f'{told["help"]}.', flag.help)
      choices = getattr(flag.parser, 'enum_values', None)
      listed = told['choices'] if told['lists_choices'] else None
      self.assertEqual(choices, listed and list(listed))
      self.assertIsNone(flag.value)
    self.assertEqual(parse()[0], defaults.CONFIGS['digits'])

  def test_flags_stand_over_configs(self):
    config, _ = parse('--dataset=fashion_mnist', '--num_steps=7')
    expected = defaults.CONFIGS['fashion_mnist']
    self.assertEqual(config, dataclasses.replace(expected, num_steps=7))
    config, _ = parse('--config=mnist', '--dataset=digits')
    expected = defaults.CONFIGS['mnist']
    self.assertEqual(config, dataclasses.replace(expected, dataset='digits'))

  def test_lists_of_numbers(self):
    config, _ = parse('--layer_sizes=64,20,30,10', '--gain=0.5,2')
    self.assertEqual(config.layer_sizes, (64, 20, 30, 10))
    network = configs.network_config(config, blank('digits'))
    self.assertEqual(network.gains, (0.5, 2.0, 1.0))
    for argument in ('--layer_sizes=784,abc', '--layer_sizes=', '--gain=1,x'):
      with self.assertRaisesRegex(
        flags.IllegalFlagValueError,
        f'{argument}: .*numbers separated by commas',
      ):
        parse(argument)

  def test_all_choices_are_those_of_the_flags(self):
    for field in FIELDS:
      if field.metadata['choices']:
        with self.assertRaisesRegex(
          (flags.IllegalFlagValueError, ssnn_jax.UserError),
          f'^(flag )?--{field.name}.* one of ',
        ):
          parse(f'--{field.name}=nope')
        with self.assertRaisesRegex(
          ssnn_jax.UserError, f'^--{field.name} is nope; expected one of '
        ):
          configs.ExperimentConfig(**{field.name: 'nope'})

  @parameterized.parameters(
    '--batch_size=0',
    '--num_epochs=0',
    '--probe_size=0',
    '--probe_draws=0',
    '--weight_decay=-1',
    '--eval_every=-1',
    '--weight_decay=nan',
    '--weight_decay=inf',
    '--learning_rate=0',
    '--learning_rate=nan',
    '--learning_rate=inf',
    '--hold_out=1',
    '--hold_out=-0.1',
    '--hold_out=nan',
    '--seed=-1',
    '--seed=2147483648',
    '--dw_min=0.1',
    '--update_rule=tiki_taka',
    '--transfer_lines=0',
    '--inp_bits=8',
    '--inp_bits=0',
    '--out_noise=-1',
    '--pixel_range=0.3',
    '--pixel_range=0.7,0.3',
    '--pixel_range=0.5,0.5',
    '--pixel_range=-0.1,1',
    '--pixel_range=0,2',
    '--pixel_range=0,0.5,1',
    '--pixel_range=nan,1',
  )
  def test_impossible_values_are_refused(self, argument):
    name = argument.partition('=')[0]
    with self.assertRaisesRegex(
      ssnn_jax.UserError, rf'\A{name} is \S+; expected [^\n]+\.\Z'
    ):
      parse(argument)

  @parameterized.parameters(
    ('--method=bp', '--device=ecram'),
    ('--method=surrogate_gradient', '--device=ecram'),
    ('--method=bp_stdp', '--device=ecram'),
    ('--device=custom', '--dw_min=-1'),
    ('--device=custom', '--weight_decay=0.1'),
    ('--device=custom', '--pulse_scheme=single'),
    ('--device=custom', '--update_rule=tiki_taka'),
    ('--device=reram', '--w_min=2'),
  )
  def test_impossible_devices_are_refused(self, *arguments):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'\A--\w+ is \S+; expected [^\n]+\.\Z'
    ):
      config, _ = parse(*arguments)
      synapses.make_device(config, 1.0, lambda step: 1.0)

  @parameterized.parameters(
    '--num_steps=0',
    '--window=0',
    '--window=65',
    '--gain=0',
    '--gain=1,2',
    '--tau=0',
    '--tau=inf',
    '--input_gain=0',
    '--dropout=1',
    '--dropout=nan',
    '--layer_sizes=64,0,10',
    '--delay=2',
    '--delay=-1',
    ('--delay=1', '--num_steps=32'),
    ('--delay=1', '--num_steps=48', '--window=48'),
  )
  def test_impossible_networks_are_refused(self, *arguments):
    config, _ = parse(*arguments)
    name = arguments[0].partition('=')[0]
    with self.assertRaisesRegex(
      ssnn_jax.UserError, rf'\A{name} is .+; expected [^\n]+\.\Z'
    ):
      configs.network_config(config, blank('digits'))

  def test_layers_must_fit_the_data(self):
    for sizes in ((784, 10), (64, 20, 11), (63, 10), (64,)):
      config = configs.ExperimentConfig(layer_sizes=sizes)
      given = ','.join(map(str, sizes))
      with self.assertRaisesRegex(
        ssnn_jax.UserError,
        f'^--layer_sizes={given} does not fit digits; it must start with 64 '
        r'inputs and end with 10 classes\.$',
      ):
        configs.network_config(config, blank('digits'))

  def test_what_a_record_does_not_know_had_its_default(self):
    config = defaults.CONFIGS['mnist']
    recorded = config_records.as_record(config)
    del recorded['shuffle_ticks'], recorded['test_dataset']
    self.assertEqual(
      config_records.complete(recorded), config_records.as_record(config)
    )

  def test_input_gain_follows_the_ticks_of_recordings_unless_given(self):
    for num_steps, given, expected in ((16, None, 2.0), (16, 3.0, 3.0)):
      config = dataclasses.replace(
        defaults.CONFIGS['n_mnist'], num_steps=num_steps, input_gain=given
      )
      network = configs.network_config(config, blank('n_mnist'))
      self.assertEqual(network.input_gain, expected)

  @parameterized.parameters(
    ('cosine', 0.5, (1 + math.cos(math.pi * 11 / 12)) / 2),
    ('linear', 0.5, 1 / 12),
    ('constant', 1.0, 1.0),
  )
  def test_schedules(self, name, half_way, last):
    config = configs.ExperimentConfig(
      schedule=name, num_epochs=3, batch_size=10
    )
    factor = configs.schedule(config, num_samples=45)  # 12 steps
    self.assertAlmostEqual(float(factor(0)), 1.0, places=6)
    self.assertAlmostEqual(float(factor(6)), half_way, places=6)
    self.assertAlmostEqual(float(factor(11)), last, places=6)
    end = 1.0 if name == 'constant' else 0.0
    self.assertAlmostEqual(float(factor(12)), end, places=6)

  def test_an_error_may_lag_behind_by_a_window(self):
    config, _ = parse('--delay=1', '--num_steps=48')  # of 32 and 16 ticks
    network = configs.network_config(config, blank('digits'))
    self.assertEqual((network.delay, network.error_steps), (1, 16))

  def test_a_method_changes_nothing_else(self):
    for method in methods.METHODS:
      config, _ = parse('--dataset=mnist', f'--method={method}')
      expected = dataclasses.replace(defaults.CONFIGS['mnist'], method=method)
      self.assertEqual(config, expected)

  def test_a_recorded_configuration_comes_back(self):
    config = configs.ExperimentConfig(layer_sizes=(64, 10), gain=(0.5,))
    recorded = config_records.as_record(config)
    self.assertEqual(config_records.from_record(recorded, 'here'), config)
    del recorded['probe_every']  # as records have it that are older
    self.assertEqual(config_records.from_record(recorded, 'here'), config)
    for change, sentence in (
      ({'shape': 3}, '^here holds a run with shape, which this version does'),
      ({'num_epochs': 'x'}, '^here holds a run with a value of the wrong kind'),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, sentence):
        config_records.from_record(recorded | change, 'here')


if __name__ == '__main__':
  absltest.main()
