"""Tests of numbers and tables of compared settings."""

from absl.testing import absltest
import numpy as np

from experiments.analysis import comparisons
from experiments.analysis import frames
import ssnn_jax
from tests.testing import sweeps


class ComparisonsTest(absltest.TestCase):
  def test_numbers_compare_with_the_ann(self):
    name = '{dataset}_{sampler}_{metric}_t{num_steps}'
    metrics = {'minus_ann': comparisons.minus(), 'by': comparisons.ACCURACY}
    found = comparisons.numbers(sweeps.make_comparison(), name, metrics)
    self.assertLen(found, 8)
    difference = found['digits_sobol_minus_ann_t4']
    np.testing.assert_allclose(difference[:3], (-6, 0, 2), atol=1e-9)
    self.assertAlmostEqual(found['digits_bernoulli_by_t16'].mean, 90.4)

  def test_numbers_compare_with_other_values(self):
    _, spiking = frames.split_baseline(sweeps.make_comparison())
    name = '{sampler}_minus_random_t{num_steps}'
    found = comparisons.numbers(spiking, name, sampler='bernoulli')
    means = {name: round(number.mean, 6) for name, number in found.items()}
    self.assertEqual(
      means,
      {
        'bernoulli_minus_random_t4': 0,
        'bernoulli_minus_random_t16': 0,
        'sobol_minus_random_t4': 4,
        'sobol_minus_random_t16': 0.1,
      },
    )

  def test_differences_need_the_ann(self):
    _, spiking = frames.split_baseline(sweeps.make_comparison())
    with self.assertRaisesRegex(ssnn_jax.UserError, 'no finished ANN'):
      comparisons.numbers(spiking, 't{num_steps}_{sampler}')

  def test_quantities_of_epochs_are_those_of_the_first_layer(self):
    runs = sweeps.make_comparison()
    epochs = {'bias': [[1.0, 9.0], [3.0, 9.0]], 'ratio': [5.0, 4.0]}
    runs = runs.assign(curves=[epochs] * len(runs))
    for quantity, choose, expected in (
      ('bias', comparisons.last, 3),
      ('ratio', comparisons.last, 4),
      ('ratio', max, 5),
    ):
      metric = comparisons.over_epochs(quantity, choose)
      self.assertEqual(metric(runs, None).mean, expected)


if __name__ == '__main__':
  absltest.main()
