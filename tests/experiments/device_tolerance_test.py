"""Tests of the tolerable values of device non-idealities."""

from absl.testing import absltest

from experiments.studies import device_tolerance as study
from tests.testing import sweeps

# Losses in points. 95 % intervals are 4.303 * 0.2 / sqrt(3) = 0.497 points to
# either side.
DEVIATIONS = (-0.2, 0.0, 0.2)
LOSSES = {
  ('dw_min', 0.005): 0.2,
  ('dw_min', 0.01): 0.7,
  ('dw_min', 0.02): 1.4,
  # Values above one that loses too much do not count.
  ('up_down', 0.02): 2.0,
  ('dw_min_dtod', 0.1): 0.4,
  ('dw_min_dtod', 0.3): 0.6,
  ('dw_min_dtod', 1.0): 0.9,
}


def final(config):
  percent = 95 + 0.5 * config.seed
  if config.device == 'custom':
    percent -= DEVIATIONS[config.seed]
  losses = [
    loss
    for (name, value), loss in LOSSES.items()
    if getattr(config, name) == value
  ]
  return sweeps.accuracies(percent - sum(losses))


class DeviceToleranceTest(absltest.TestCase):
  def test_limits_are_the_largest_tolerable_values(self):
    grids = [sweep.grid for sweep in study.STUDY.sweeps['digits']]
    runs = sweeps.make_frame(grids, final, num_seeds=3)
    table, limits = study.table(runs)
    differences = dict(zip(table['device'], table['minus ideal (95 %)']))
    self.assertEqual(differences['200_states'], '-0.70 ± 0.50')
    self.assertEqual(differences['reram'], '+0.00 ± 0.00')
    found = {name: values for name, *values in limits.itertuples(index=False)}
    self.assertEqual(found['dw_min'], ['0.01', '0.005'])
    self.assertEqual(found['up_down'], ['none', 'none'])
    self.assertEqual(found['dw_min_dtod'], ['1', '0.1'])
    self.assertEqual(found['out_noise'], ['3', '3'])


if __name__ == '__main__':
  absltest.main()
