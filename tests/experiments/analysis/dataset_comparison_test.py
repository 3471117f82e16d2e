"""Tests of the table and the figure of several data sets."""

from absl.testing import absltest
import numpy as np

from experiments.analysis import dataset_comparison
from tests.testing import sweeps
from tests.testing.figures import assert_readable

MARGINS = {'digits': 1.0, 'emnist47': 0.05}


class DatasetComparisonTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.records = {
      'digits': sweeps.make_comparison(),
      'emnist47': sweeps.make_comparison(dataset='/home/me/emnist47.npz'),
    }

  def test_networks_are_named_by_what_differs_from_the_default(self):
    leaky = 'num_steps=16;integration=leaky;window=4;shuffle_ticks=False,True'
    grids = ['num_steps=4,16;sampler=sobol', 'num_steps=16;window=4,16', leaky]
    grids += ['num_steps=16;layer_sizes=64-9-10']
    named = dataset_comparison.describe(sweeps.make_comparison(grids))
    is_ann = named['method'] == 'bp'
    self.assertEqual(set(named['form'][is_ann]), {'', 'wide_'})
    self.assertEqual(
      named['form'][~is_ann].value_counts().to_dict(),
      {'': 6, 'n4_': 2, 'wide_': 2}
      | {'leaky_n4_ordered_': 2, 'leaky_n4_shuffled_': 2},
    )
    self.assertEqual(set(named['trains']), {'random', 'sobol'})

  def test_table_has_a_row_for_each_data_set_and_kind_of_trains(self):
    table = dataset_comparison.table(self.records, MARGINS)
    self.assertEqual(
      table['data set'].tolist(),
      ['digits'] * 2
      + ['EMNIST, 47 classes (own split of official images)'] * 2,
    )
    self.assertEqual(set(table['ANN, %']), {'90.50 ± 0.71'})
    self.assertEqual(
      table['T = 4'].tolist(), ['-10.00 ± 0.00', '-6.00 ± 0.00'] * 2
    )
    self.assertEqual(set(table['T = 64']), {''})
    self.assertEqual(set(table['seeds']), {'2'})
    self.assertEqual(
      table['trains'].tolist(), ['random', 'low-discrepancy'] * 2
    )
    near = 'within 1 point of the ANN at T = 16'
    self.assertEqual(
      table['verdict'].tolist(),
      [near, near]
      + ['not within 0.05 points of the ANN up to T = 16']
      + ['within 0.05 points of the ANN at T = 16'],
    )

  def test_figure_has_a_panel_for_each_data_set(self):
    drawn = dataset_comparison.draw(self.records, MARGINS)
    assert_readable(drawn)
    titles = [axes.get_title() for axes in drawn.axes]
    self.assertEqual(titles[0], 'digits')
    self.assertStartsWith(titles[1], 'EMNIST, 47 classes')
    for axes, margin in zip(drawn.axes, MARGINS.values()):
      means = [bars.lines[0].get_ydata().tolist() for bars in axes.containers]
      np.testing.assert_allclose(means, [[-10, -0.1], [-6, 0]], atol=1e-9)
      self.assertEqual(axes.get_yscale(), 'symlog')
      (band,) = axes.patches
      self.assertEqual(band.get_height(), 2 * margin)


if __name__ == '__main__':
  absltest.main()
