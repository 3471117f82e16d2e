"""Tests for configurations and their flags."""

import dataclasses
import math

from absl import flags
from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from experiments import configs
import ssnn_jax
from ssnn_jax import datasets

FIELDS = dataclasses.fields(configs.ExperimentConfig)
# (inputs, parameters): 256 hidden neurons and 10 classes.
EXPECTED = {
  'digits': (8, 64 * 256 + 256 + 256 * 10 + 10),
  'mnist': (28, 784 * 256 + 256 + 256 * 10 + 10),
  'fashion_mnist': (28, 784 * 256 + 256 + 256 * 10 + 10),
}


def blank(name, side, num_images=500):
  """Returns a data set of black images."""
  split = datasets.Split(
    np.zeros((num_images, side, side), np.uint8),
    np.zeros(num_images, np.int32),
  )
  return datasets.Dataset(name, split, split, tuple('0123456789'))


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
    configs.define_flags()
  values(['program', *arguments])
  return configs.from_flags(values.flag_values_dict()), values


class ConfigsTest(parameterized.TestCase):
  def test_every_config_is_expected(self):
    self.assertEqual(set(configs.CONFIGS), set(EXPECTED))

  @parameterized.parameters(*EXPECTED)
  def test_named_configs_build_their_network(self, name):
    side, num_params = EXPECTED[name]
    config = configs.CONFIGS[name]
    self.assertEqual(config.dataset, name)
    network = configs.network_config(config, blank(name, side))
    params = ssnn_jax.ssnn(network).init(jax.random.key(0))
    sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(params)]
    self.assertEqual(sum(sizes), num_params)

  def test_every_field_is_a_flag_with_help(self):
    _, values = parse()
    for field in FIELDS:
      flag, told = values[field.name], field.metadata
      self.assertIn(f'{told["help"]}.', flag.help)
      choices = getattr(flag.parser, 'enum_values', None)
      self.assertEqual(choices, told['choices'] and list(told['choices']))
      self.assertIsNone(flag.value)
    self.assertEqual(parse()[0], configs.CONFIGS['digits'])

  def test_flags_stand_over_configs(self):
    config, _ = parse('--dataset=fashion_mnist', '--num_steps=7')
    expected = configs.CONFIGS['fashion_mnist']
    self.assertEqual(config, dataclasses.replace(expected, num_steps=7))
    config, _ = parse('--config=mnist', '--dataset=digits')
    expected = configs.CONFIGS['mnist']
    self.assertEqual(config, dataclasses.replace(expected, dataset='digits'))

  def test_lists_of_numbers(self):
    config, _ = parse('--layer_sizes=64,20,30,10', '--gain=0.5,2')
    self.assertEqual(config.layer_sizes, (64, 20, 30, 10))
    network = configs.network_config(config, blank('digits', 8))
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
          flags.IllegalFlagValueError, f'--{field.name}=nope: .* one of '
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
  )
  def test_impossible_values_are_refused(self, argument):
    name = argument.partition('=')[0]
    with self.assertRaisesRegex(
      ssnn_jax.UserError, rf'\A{name} is \S+; expected [^\n]+\.\Z'
    ):
      parse(argument)

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
  )
  def test_impossible_networks_are_refused(self, argument):
    config, _ = parse(argument)
    name = argument.partition('=')[0]
    with self.assertRaisesRegex(
      ssnn_jax.UserError, rf'\A{name} is .+; expected [^\n]+\.\Z'
    ):
      configs.network_config(config, blank('digits', 8))

  def test_layers_must_fit_the_data(self):
    for sizes in ((784, 10), (64, 20, 11), (63, 10), (64,)):
      config = configs.ExperimentConfig(layer_sizes=sizes)
      given = ','.join(map(str, sizes))
      with self.assertRaisesRegex(
        ssnn_jax.UserError,
        f'^--layer_sizes={given} does not fit digits; it must start with 64 '
        r'inputs and end with 10 classes\.$',
      ):
        configs.network_config(config, blank('digits', 8))

  def test_a_batch_larger_than_the_data_is_refused(self):
    config = configs.ExperimentConfig(batch_size=1438)
    with self.assertRaisesRegex(ssnn_jax.UserError, '1437 training images'):
      configs.load_dataset(config, None)

  @parameterized.parameters(1e-4, 0.9999)
  def test_what_is_held_out_leaves_images_on_either_side(self, hold_out):
    config = configs.ExperimentConfig(hold_out=hold_out)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^--hold_out: .*{hold_out} .*1437 images; choose'
    ):
      configs.load_dataset(config, None)

  def test_held_out_images_stand_for_the_test_images(self):
    config = configs.ExperimentConfig(hold_out=0.25)
    dataset = configs.load_dataset(config, None)
    self.assertLen(dataset.train.labels, 1078)
    self.assertLen(dataset.test.labels, 359)

  @parameterized.parameters(
    ('cosine', 0.5, (1 + math.cos(math.pi * 11 / 12)) / 2),
    ('linear', 0.5, 1 / 12),
    ('constant', 1.0, 1.0),
  )
  def test_schedules(self, name, half_way, last):
    config = configs.ExperimentConfig(
      schedule=name, learning_rate=0.8, num_epochs=3, batch_size=10
    )
    rate = configs.learning_rate(config, num_images=45)  # 12 steps
    value = rate if callable(rate) else lambda step: rate
    self.assertAlmostEqual(float(value(0)), 0.8, places=6)
    self.assertAlmostEqual(float(value(6)), 0.8 * half_way, places=6)
    self.assertAlmostEqual(float(value(11)), 0.8 * last, places=6)
    end = 0.8 if name == 'constant' else 0.0
    self.assertAlmostEqual(float(value(12)), end, places=6)


if __name__ == '__main__':
  absltest.main()
