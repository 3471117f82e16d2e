"""Tests of figures of sweeps, and of compared settings."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from tests.testing import sweeps
from tests.testing.figures import assert_readable


def curves(axes):
  """Returns the points of the curves of a panel, by their labels."""
  return {
    bars.get_label(): bars.lines[0].get_xydata() for bars in axes.containers
  }


class ComparisonTest(absltest.TestCase):
  def test_figure_has_a_curve_for_each_value(self):
    metrics = {'minus ANN': comparisons.minus()}
    runs = sweeps.make_comparison()
    (axes,) = figures.draw(runs, 'num_steps', 'sampler', metrics).axes
    drawn = curves(axes)
    self.assertEqual(list(drawn), ['Bernoulli trains', 'Sobol trains'])
    points = [[4, -6], [16, 0]]
    np.testing.assert_allclose(drawn['Sobol trains'], points, atol=1e-9)
    self.assertIn('95 % confidence interval', axes.get_title())

  def test_loss_of_one_tick_is_in_words_only(self):
    def final(config):
      accuracy = sweeps.accuracies(90 if config.method == 'bp' else 80)
      return accuracy | dict.fromkeys(frames.ERRORS, config.num_steps)

    for lengths, drawn in (('1,4', [4]), ('1', [1])):
      runs = sweeps.make_frame(f'num_steps={lengths}', final, num_seeds=2)
      difference, error, _ = figures.draw_lengths(runs, margin=1).axes
      found = curves(difference)['Sobol trains']
      np.testing.assert_allclose(found, [[t, -10] for t in drawn], atol=1e-9)
      self.assertEqual('trains -10.0)' in difference.get_title(), drawn == [4])
      self.assertEqual(curves(error)['Sobol trains'][0, 0], 1)

  def test_title_describes_what_networks_share(self):
    runs = sweeps.make_comparison('num_steps=4;sampler=sobol')
    self.assertEqual(
      figures.describe(runs), 'digits, T = 4, Sobol trains, 2 seeds'
    )
    runs = runs.assign(num_eval_samples=50, folds=10)
    self.assertEndsWith(figures.describe(runs), ', 10 folds of 50 samples')


class GridTest(parameterized.TestCase):
  def draw(self, sweep, final=lambda config: {}):
    def finish(config):
      percent = 90 if config.method == 'bp' else 80 + config.num_steps / 10
      return sweeps.accuracies(percent + config.seed) | final(config)

    drawn = figures.draw_grid(sweeps.make_frame(sweep, finish, num_seeds=2))
    assert_readable(drawn)
    return drawn.axes

  def test_panels_are_accuracy_difference_and_error(self):
    def final(config):
      return {'update_error': config.num_steps * (config.method == 'ssnn')}

    accuracy, difference, error = self.draw(
      'num_steps=4,16;sampler=bernoulli,sobol', final
    )
    name = 'Sobol trains'
    for axes, values in (
      (accuracy, [80.9, 82.1]),
      (difference, [-9.6, -8.4]),
      (error, [4, 16]),
    ):
      points = np.stack([[4, 16], values], axis=1)
      np.testing.assert_allclose(curves(axes)[name], points, atol=1e-9)
    self.assertNotIn('ANN', curves(accuracy))  # a line across the panel

  def test_error_that_does_not_vary_has_no_panel(self):
    error = {'update_error': 0.5}
    self.assertLen(self.draw('num_steps=4,16', lambda config: error), 2)

  def test_ann_is_a_curve_of_the_fields_that_affect_it(self):
    accuracy, difference = self.draw('batch_size=1,8')
    self.assertLen(curves(accuracy)['ANN'], 2)
    self.assertNotIn('ANN', curves(difference))

  def test_setting_without_its_ann_has_no_difference(self):
    runs = sweeps.make_frame('batch_size=1,8', num_seeds=2)
    is_left_out = (runs['method'] == 'bp') & (runs['batch_size'] == 8)
    accuracy, difference = figures.draw_grid(runs[~is_left_out]).axes
    self.assertLen(curves(accuracy)['SSNN'], 2)
    self.assertLen(curves(difference)['SSNN'], 1)

  def test_settings_without_a_common_field_share_one_abscissa(self):
    axes = self.draw(
      [
        'num_steps=4;integration=mean',
        'num_steps=16;integration=leaky,memoryless',
      ]
    )[-1]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    self.assertEqual(labels, ['4 /\nmean', '16 /\nleaky', '16 /\nmemoryless'])

  @parameterized.parameters(
    ('num_steps=1,4,16;dropout=0.0,0.1', 'num_steps', [1, 4, 16], ()),
    ('sampler=bernoulli,sobol', 'sampler', ['bernoulli', 'sobol'], ()),
    ('method=ssnn,rpu', 'method', ['ssnn', 'rpu'], ()),
  )
  def test_abscissa_is_the_most_varied_number(self, sweep, field, values, rest):
    runs = frames.split_baseline(sweeps.make_frame(sweep))[1]
    axis = figures.choose_axis(frames.settings(runs))
    self.assertEqual(axis.field, field)
    self.assertCountEqual(axis.values, values)
    self.assertEqual(tuple(axis.followers), rest)

  def test_field_that_determines_others_is_the_abscissa(self):
    runs = sweeps.make_frame(
      [
        f'batch_size={size};learning_rate={rate};num_steps=4,16,64'
        for size, rate in ((1, 0.1), (8, 0.2))
      ]
    )
    axis = figures.choose_axis(frames.settings(runs))
    self.assertEqual(axis.field, 'batch_size')
    self.assertEqual(axis.followers, ['learning_rate'])


if __name__ == '__main__':
  absltest.main()
