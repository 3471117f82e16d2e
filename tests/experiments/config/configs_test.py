"""Tests of configurations and their flags."""

import dataclasses
import math

from absl import flags
from absl.testing import parameterized
import jax

from experiments.config import experiment
from experiments.config import methods
from experiments.config import serialization
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import datasets
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import parse_flags

FIELDS = dataclasses.fields(experiment.ExperimentConfig)
# Parameters of networks with 256 hidden neurons.
NUM_PARAMS = {
  'digits': 64 * 256 + 256 + 256 * 10 + 10,
  'fashion_mnist': 784 * 256 + 256 + 256 * 10 + 10,
  'emnist/byclass': 784 * 256 + 256 + 256 * 62 + 62,
  'n_mnist': 2312 * 256 + 256 + 256 * 10 + 10,
  'synthetic_events/emnist/letters': 2312 * 256 + 256 + 256 * 26 + 26,
}


class ConfigsTest(parameterized.TestCase):
  def test_each_dataset_has_a_config(self):
    self.assertEqual(set(experiment.CONFIGS), set(datasets.NAMES))

  @parameterized.parameters(*datasets.NAMES)
  def test_configs_fit_their_dataset(self, name):
    config = experiment.CONFIGS[name]
    self.assertEqual(config.dataset, name)
    network = experiment.network_config(config, blank_dataset(name))
    is_events = name in datasets.RECORDINGS
    self.assertEqual(network.input_gain, 64 / 8 if is_events else 1.0)

  @parameterized.parameters(*NUM_PARAMS.items())
  def test_networks_have_the_expected_number_of_parameters(
    self, name, num_params
  ):
    network = experiment.network_config(
      experiment.CONFIGS[name], blank_dataset(name)
    )
    params = ssnn_jax.ssnn(network).init(jax.random.key(0))
    sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(params)]
    self.assertEqual(sum(sizes), num_params)

  def test_each_field_is_a_flag_with_help(self):
    _, values = parse_flags()
    for field in FIELDS:
      flag, metadata = values[field.name], field.metadata
      self.assertIn(f'{metadata["help"]}.', flag.help)
      choices = getattr(flag.parser, 'enum_values', None)
      listed = metadata['choices'] if metadata['lists_choices'] else None
      self.assertEqual(choices, listed and list(listed))
      self.assertIsNone(flag.value)
    self.assertEqual(parse_flags()[0], experiment.CONFIGS['digits'])

  def test_flags_override_configs(self):
    config, _ = parse_flags('--dataset=fashion_mnist', '--num_steps=7')
    expected = experiment.CONFIGS['fashion_mnist']
    self.assertEqual(config, dataclasses.replace(expected, num_steps=7))
    config, _ = parse_flags('--config=mnist', '--dataset=digits')
    expected = experiment.CONFIGS['mnist']
    self.assertEqual(config, dataclasses.replace(expected, dataset='digits'))

  def test_parses_lists_of_numbers(self):
    config, _ = parse_flags('--layer_sizes=64,20,30,10', '--gain=0.5,2')
    self.assertEqual(config.layer_sizes, (64, 20, 30, 10))
    network = experiment.network_config(config, blank_dataset('digits'))
    self.assertEqual(network.gains, (0.5, 2.0, 1.0))
    for argument in ('--layer_sizes=784,abc', '--layer_sizes=', '--gain=1,x'):
      with self.assertRaisesRegex(
        flags.IllegalFlagValueError,
        f'{argument}: .*numbers separated by commas',
      ):
        parse_flags(argument)

  def test_rejects_unknown_choices(self):
    for field in FIELDS:
      if field.metadata['choices']:
        with self.assertRaisesRegex(
          (flags.IllegalFlagValueError, ssnn_jax.UserError),
          f'^(flag )?--{field.name}.* one of ',
        ):
          parse_flags(f'--{field.name}=nope')
        with self.assertRaisesRegex(
          ssnn_jax.UserError, f'^--{field.name} is nope; expected one of '
        ):
          experiment.ExperimentConfig(**{field.name: 'nope'})

  def test_rejects_values_out_of_range(self):
    invalid = {
      'batch_size': ('0',),
      'eval_every': ('-1',),
      'weight_decay': ('-1', 'nan', 'inf'),
      'learning_rate': ('0', 'nan'),
      'hold_out': ('1', '-0.1', 'nan'),
      'folds': ('1',),
      'seed': ('-1', '2147483648'),
      'dw_min': ('0.1',),  # without a device
      'update_rule': ('tiki_taka',),
      'inp_bits': ('8', '0'),
      'pixel_range': ('0.3', '0.7,0.3', '-0.1,1', '0,2', '0,0.5,1', 'nan,1'),
    }
    for name, values in invalid.items():
      for value in values:
        with self.assertRaisesRegex(
          ssnn_jax.UserError, rf'\A--{name} is \S+; expected [^\n]+\.\Z'
        ):
          parse_flags(f'--{name}={value}')

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
  def test_rejects_inconsistent_devices(self, *arguments):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'\A--\w+ is \S+; expected [^\n]+\.\Z'
    ):
      config, _ = parse_flags(*arguments)
      synapses.make_device(config, 1.0, lambda step: 1.0)

  def test_rejects_layers_that_do_not_fit_the_data(self):
    for sizes in ((784, 10), (64, 20, 11), (63, 10), (64,)):
      config = experiment.ExperimentConfig(layer_sizes=sizes)
      given = ','.join(map(str, sizes))
      with self.assertRaisesRegex(
        ssnn_jax.UserError,
        f'^--layer_sizes={given} does not fit digits; it must start with 64 '
        r'inputs and end with 10 classes\.$',
      ):
        experiment.network_config(config, blank_dataset('digits'))

  def test_input_gain_of_recordings_is_proportional_to_ticks(self):
    for num_steps, given, expected in ((16, None, 2.0), (16, 3.0, 3.0)):
      config = dataclasses.replace(
        experiment.CONFIGS['n_mnist'], num_steps=num_steps, input_gain=given
      )
      network = experiment.network_config(config, blank_dataset('n_mnist'))
      self.assertEqual(network.input_gain, expected)

  def test_race_flags_reach_the_network(self):
    config, _ = parse_flags(
      '--winner=race', '--inhibition=adaptive', '--inhibition_latency=0.1'
    )
    network = experiment.network_config(config, blank_dataset('digits'))
    self.assertEqual(network.winner, 'race')
    expected = ssnn_jax.RaceConfig('adaptive', inhibition_latency=0.1)
    self.assertEqual(network.race, expected)

  @parameterized.parameters(
    (
      ('--update_every=window', '--timing=realtime', '--device=custom')
      + ('--update_rule=tiki_taka',),
      '^--update_rule is tiki_taka; expected sgd',
    ),
    (('--update_every=window',), '^--update_every is window; expected '),
    (('--timing=realtime', '--window=32'), '^--window is 32; expected less '),
    (('--inhibition_latency=0.1',), '^--inhibition_latency is 0.1; .*=race'),
    (
      ('--inhibition_latency=2', '--winner=race'),
      '^--inhibition_latency is 2.0; expected ticks',
    ),
  )
  def test_wrong_real_time_flags_are_refused(self, flags, sentence):
    with self.assertRaisesRegex(ssnn_jax.UserError, sentence):
      config, _ = parse_flags(*flags)
      experiment.network_config(config, blank_dataset('digits'))

  def test_method_flag_changes_no_other_field(self):
    for method in methods.METHODS:
      config, _ = parse_flags('--dataset=mnist', f'--method={method}')
      expected = dataclasses.replace(experiment.CONFIGS['mnist'], method=method)
      self.assertEqual(config, expected)

  def test_restores_recorded_configurations(self):
    config = experiment.ExperimentConfig(layer_sizes=(64, 10), gain=(0.5,))
    recorded = serialization.as_record(config)
    self.assertEqual(serialization.from_record(recorded, 'here'), config)
    del recorded['probe_every']  # older records lack it
    self.assertEqual(serialization.from_record(recorded, 'here'), config)
    with_delay = recorded | {'delay': 0}  # as in older records
    self.assertEqual(serialization.from_record(with_delay, 'here'), config)
    for change, sentence in (
      ({'shape': 3}, '^here holds a run with the unknown field shape; resume'),
      ({'delay': 1}, '^here holds a run with the unknown field delay; resume'),
      ({'num_epochs': 'x'}, '^here holds a run with an invalid value'),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, sentence):
        serialization.from_record(recorded | change, 'here')
