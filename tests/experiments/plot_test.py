"""Tests of learning curves and rasters of runs."""

import contextlib
import io
import json
from unittest import mock

import jax

from experiments import config as config_lib
from experiments import plot
from experiments import train
import ssnn_jax
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import make_task
from tests.testing.experiments import record_run
from tests.testing.experiments import small_digits


class PlotTest(FolderTestCase):
  def test_curves_are_means_over_seeds_of_each_layer(self):
    record_run(make_task(self.folder, num_seeds=2), 'epoch')
    lines = [
      {'event': 'epoch', 'seed': seed, 'epoch': epoch, 'loss': 1 / epoch + seed}
      | {'firing_rates_0': 0.1, 'firing_rates_1': 0.2 * epoch}
      | ({'test_accuracy': 0.25} if epoch == 2 else {})
      for epoch in (1, 2, 3)
      for seed in (0, 1)
    ]
    text = ''.join(f'{json.dumps(line)}\n' for line in lines)
    (self.folder / train.METRICS).write_text(text)
    fig = plot.draw(plot.read_epochs(self.folder))
    loss, rates, accuracy = [
      {line.get_label(): [*map(list, line.get_data())] for line in axes.lines}
      for axes in fig.axes
    ]
    self.assertEqual(fig.axes[0].get_title(), 'cross-entropy (nats)')
    ((epochs, losses),) = loss.values()
    self.assertEqual(epochs, [1, 2, 3])
    self.assertSequenceAlmostEqual(losses, [1.5, 1.0, 1 / 3 + 0.5])
    self.assertEqual(list(rates), ['firing rates 0', 'firing rates 1'])
    self.assertEqual(list(accuracy.values()), [[[2], [0.25]]])
    with contextlib.redirect_stdout(io.StringIO()) as output:
      plot.show(self.folder)
    self.assertRegex(output.getvalue(), r'loss +0\.3333 +1\.333\n')
    self.assertTrue((self.folder / 'curves.png').exists())

  def test_raster_has_a_figure_for_each_layer(self):
    task = make_task(self.folder, layer_sizes=(64, 10))
    network = config_lib.network_config(task.config, small_digits())
    params = ssnn_jax.ssnn(network).init(jax.random.key(0))
    ssnn_jax.save(self.folder, network, params)
    record_run(task)
    with (
      mock.patch.object(plot, 'FLAGS', mock.Mock(data_dir=None)),
      contextlib.redirect_stdout(io.StringIO()) as output,
    ):
      plot.show_raster(self.folder, sample=3, seed=None)
    label = ssnn_jax.datasets.load('digits').test.labels[3]
    words = (
      rf'^sample 3 of the test split, class {label}: class \d won \d+ of 10'
    )
    self.assertRegex(output.getvalue(), words)
    names = sorted(path.name for path in self.folder.glob('*.png'))
    self.assertEqual(names, ['raster-0.png', 'raster-1.png'])
