"""Tests of configurations and their flags."""

import dataclasses
import math

from absl import flags
from absl.testing import parameterized
import jax

from experiments.config import experiment
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import datasets
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import parse_flags

# Parameters of networks with 256 hidden neurons.
NUM_PARAMS = {
  'digits': 64 * 256 + 256 + 256 * 10 + 10,
  'fashion_mnist': 784 * 256 + 256 + 256 * 10 + 10,
  'emnist/byclass': 784 * 256 + 256 + 256 * 62 + 62,
  'n_mnist': 2312 * 256 + 256 + 256 * 10 + 10,
  'synthetic_events/emnist/letters': 2312 * 256 + 256 + 256 * 26 + 26,
}
# Flags, and what their sentence says.
REFUSED = (
  *(
    (f'--{own.name}=nope', f'--{own.name}=nope: .*(one|list) of')
    for own in experiment.FIELDS.values()
    if own.metadata['choices']
  ),
  ('--layer_sizes=784,abc', '--layer_sizes=784,abc: expected whole numbers'),
  ('--layer_sizes=', '--layer_sizes=: expected whole numbers'),
  ('--gain=1,x', '--gain=1,x: expected numbers'),
  ('--batch_size=0', '--batch_size is 0; expected'),
  ('--eval_every=-1', '--eval_every is -1; expected'),
  ('--weight_decay=nan', '--weight_decay is NaN; expected'),
  ('--learning_rate=0', '--learning_rate is 0.0; expected'),
  ('--hold_out=1', '--hold_out is 1.0; expected'),
  ('--folds=1', '--folds is 1; expected'),
  ('--seed=2147483648', '--seed is 2147483648; expected'),
  ('--pixel_range=0.7,0.3', '--pixel_range is 0.7,0.3; expected'),
  # Fields without effect, which would otherwise be silently ignored.
  ('--dw_min=0.1', '--dw_min is 0.1; expected none, as --device is ideal'),
  ('--update_rule=tiki_taka', '--update_rule is tiki_taka; expected sgd'),
  ('--method=bp --device=ecram', '--device is ecram; expected ideal'),
  ('--device=custom --weight_decay=0.1', '--weight_decay is 0.1; expected 0'),
  ('--device=custom --dw_min=-1', '--dw_min is -1.0; expected'),
  ('--device=reram --w_min=2', '--w_min is 2.0; expected'),
  ('--device=custom --update_rule=tiki_taka', '--dw_min is 0.0; expected'),
  ('--update_every=window', '--update_every is window; expected'),
  (
    '--update_every=window --timing=realtime --device=custom '
    '--update_rule=tiki_taka',
    '--update_rule is tiki_taka; expected sgd',
  ),
  ('--timing=realtime --window=32', '--window is 32; expected at most 21'),
  ('--layer_sizes=784,10', '--layer_sizes=784,10 does not fit digits; it must'),
)


class ConfigsTest(parameterized.TestCase):
  def test_each_dataset_has_a_config_that_fits(self):
    self.assertEqual(set(experiment.CONFIGS), set(datasets.NAMES))
    for name, config in experiment.CONFIGS.items():
      self.assertEqual(config.dataset, name)
      network = experiment.network_config(config, blank_dataset(name))
      is_events = name in datasets.RECORDINGS
      self.assertEqual(network.input_gain, 64 / 8 if is_events else 1.0)

  @parameterized.parameters(
    ('cifar10', 'mnist'), ('tonic:SHD', 'n_mnist'), ('own.npz', 'digits')
  )
  def test_other_data_sets_have_the_defaults_of_similar_ones(self, name, known):
    config, _ = parse_flags(f'--dataset={name}')
    expected = dataclasses.replace(
      experiment.CONFIGS[known], dataset=config.dataset
    )
    self.assertEqual(config, expected)
    self.assertRegex(experiment.slug(config.dataset), r'^[\w-]+$')

  @parameterized.parameters(*NUM_PARAMS.items())
  def test_networks_have_the_expected_number_of_parameters(self, name, number):
    config = experiment.CONFIGS[name]
    network = experiment.network_config(config, blank_dataset(name))
    params = ssnn_jax.ssnn(network).init(jax.random.key(0))
    sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(params)]
    self.assertEqual(sum(sizes), number)

  def test_flags_override_the_defaults_of_the_data_set(self):
    for dataset in ('digits', 'fashion_mnist'):
      default = experiment.CONFIGS[dataset]
      config, _ = parse_flags(f'--dataset={dataset}')
      self.assertEqual(config, default)
      # Also by the default of digits.
      config, _ = parse_flags(f'--dataset={dataset}', '--num_epochs=20')
      self.assertEqual(config, dataclasses.replace(default, num_epochs=20))
      for method in methods.METHODS:
        config, _ = parse_flags(f'--dataset={dataset}', f'--method={method}')
        self.assertEqual(config, dataclasses.replace(default, method=method))

  def test_flags_reach_the_network(self):
    config, _ = parse_flags(
      '--layer_sizes=64,20,30,10',
      '--gain=0.5,2',
      '--winner=race',
      '--inhibition=adaptive',
      '--inhibition_latency=0.1',
    )
    network = experiment.network_config(config, blank_dataset('digits'))
    self.assertEqual(network.layer_sizes, (64, 20, 30, 10))
    self.assertEqual(network.gains, (0.5, 2.0, 1.0))
    self.assertEqual(network.winner, 'race')
    expected = ssnn_jax.RaceConfig('adaptive', inhibition_latency=0.1)
    self.assertEqual(network.race, expected)

  def test_flags_without_a_value_switch_on_and_off(self):
    config, _ = parse_flags(
      '--device=reram', '--noshuffle_ticks', '--mult_noise'
    )
    self.assertEqual((config.shuffle_ticks, config.mult_noise), (False, True))

  @parameterized.parameters(*REFUSED)
  def test_wrong_flags_are_refused_in_a_sentence(self, line, sentence):
    errors = flags.IllegalFlagValueError, ssnn_jax.UserError
    with self.assertRaisesRegex(errors, f'^(flag )?{sentence}') as caught:
      config, _ = parse_flags(*line.split())
      experiment.network_config(config, blank_dataset('digits'))
      synapses.make_device(config, 1.0, lambda step: 1.0)
    self.assertNotIn('\n', str(caught.exception))

  def test_restores_recorded_configurations(self):
    config = experiment.ExperimentConfig(layer_sizes=(64, 10), gain=(0.5,))
    recorded = experiment.to_json(config)
    self.assertEqual(experiment.from_json(recorded), config)
    del recorded['probe_every']  # older records lack it
    self.assertEqual(experiment.from_json(recorded | {'delay': 0}), config)
    realtime = recorded | {'timing': 'realtime'}
    del realtime['settle']  # once 0, now half of the presentation by default
    self.assertEqual(experiment.from_json(realtime).settle, 0)
    for change, sentence in (
      ({'shape': 3}, 'the unknown field shape'),
      ({'delay': 1}, 'the field delay of an earlier version'),
      ({'num_epochs': 'x'}, '--num_epochs is "x"; expected'),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, sentence):
        experiment.from_json(recorded | change)
