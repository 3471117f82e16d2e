"""Tests of fields that do not affect a run."""

from absl.testing import parameterized

from experiments.config import experiment
from experiments.config import unused


class UnusedTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'timing': 'realtime', 'settle': 4, 'window': 8}, []),
    ({'tau': 3.0, 'method': 'surrogate_gradient'}, []),
    (
      {'method': 'rpu', 'gain': (2.0,), 'window': 8},
      ['--window: not used with --method=rpu'],
    ),
    (
      {'method': 'bp_stdp', 'update': 'rates', 'tau': 3.0, 'dropout': 0.1},
      ['--tau, --update: not used with --method=bp_stdp'],
    ),
    ({'settle': 4}, ['--settle: not used without --timing=realtime']),
    ({'tau': 3.0}, ['--tau: not used without --integration=leaky']),
    (
      {'transfer_lines': 2, 'transfer_rate': 0.1},
      [
        '--transfer_lines, --transfer_rate: not used without '
        '--update_rule=tiki_taka',
      ],
    ),
    (
      {'winner': 'race', 'race_rate': 2.0, 'inhibition': 'adaptive'},
      ['--race_rate: not used without --winner=race and --inhibition=ideal'],
    ),
    (
      {'inhibition': 'adaptive', 'inhibition_step': 0.5},
      [
        '--inhibition: not used without --winner=race',
        '--inhibition_step: not used without --winner=race and '
        '--inhibition=adaptive',
      ],
    ),
  )
  def test_describes_flags_that_do_not_affect_the_run(self, given, expected):
    config = experiment.ExperimentConfig(**given)
    self.assertEqual(unused.describe(config, given), expected)
