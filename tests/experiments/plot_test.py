"""Tests of figures of runs: learning curves, samples, and ticks."""

import contextlib
import functools
import io
import json
import tempfile

import jax
import numpy as np
import pandas as pd

from experiments import plot
from experiments.runs import config as config_lib
from experiments.runs import records
import ssnn_jax
from ssnn_jax import datasets
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import make_task
from tests.testing.experiments import record_run
from tests.testing.experiments import small_digits


@functools.cache  # programs are cached by their functions
def read_untrained(method='ssnn', neuron='stochastic'):
  """Reads the run of a network as it was initialized."""
  with tempfile.TemporaryDirectory() as folder:
    changes = {'sampler': None, 'method': method, 'neuron': neuron}
    task = make_task(folder, layers='10', **changes)
    network = config_lib.network_config(task.config, small_digits())
    params = ssnn_jax.ann(network).init(jax.random.key(0))
    ssnn_jax.save(folder, network, params)
    record_run(task)
    return plot.read_trained(task.folder, seed=None)


def call(function, *args, **kwargs):
  """Returns the result of a function, and what it prints."""
  with contextlib.redirect_stdout(io.StringIO()) as output:
    result = function(*args, **kwargs)
  return result, output.getvalue()


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
    (self.folder / records.METRICS).write_text(text)
    fig = plot.draw(pd.DataFrame(lines).drop(columns='event'))
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

  def test_wrong_is_the_first_misclassified_sample(self):
    trained = read_untrained('bp')
    inputs, labels = trained.dataset.test
    infer = jax.jit(trained.network.infer)
    inference = infer(trained.params, trained.key, inputs)
    predicted = np.argmax(inference.potential, axis=1).astype(np.int32)
    first = int(np.argmax(predicted != labels))
    right = trained.dataset._replace(test=datasets.Split(inputs, predicted))
    choose = functools.partial(plot.choose_sample, trained)
    self.assertEqual(choose('wrong'), first)
    self.assertEqual(choose('359'), 359)
    for text, own, words in (
      ('wrong', trained._replace(dataset=right), 'no sample .* misclassified'),
      ('360', trained, 'test split has 360: give a number from 0 to 359'),
      ('-1', trained, 'has 360'),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, words):
        plot.choose_sample(own, text)

  def test_samples_of_any_network_and_rasters_of_stochastic_ones(self):
    show = functools.partial(plot.show_sample, self.folder)
    trained = read_untrained(neuron='bipolar')
    label = trained.dataset.test.labels[3]
    title = f'^sample 3 of the test split: class {label}, classified as .*\n'
    _, words = call(show, trained, '3')
    self.assertRegex(words, title + r'  \d: 0.\d+\n')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'whose spikes are not'):
      show(trained, '3', is_raster=True)
    trained = read_untrained()
    _, words = call(show, trained, '3', is_raster=True)
    self.assertRegex(words, title + r'  \d: 0.\d+, \d+ of 10 winners\n')
    names = sorted(path.name for path in self.folder.glob('*-*.png'))
    expected = 'raster-3-0', 'raster-3-1', 'raster-3', 'sample-3'
    self.assertEqual(names, [f'{name}.png' for name in expected])

  def test_signals_are_drawn_and_wrong_by_their_last_label(self):
    rng = np.random.default_rng(0)
    inputs = rng.random((9, 6, 4), np.float32)
    apply = lambda weights, x: ssnn_jax.trace(x, (0, 0.5)) @ weights
    pair = lambda key: jax.random.normal(key, (8, 3)), apply
    labels = np.where(np.arange(6) < 4, rng.integers(3, size=(9, 1)), -1)
    split = datasets.Split(inputs, labels)
    data = datasets.Dataset('own', split, split, tuple('abc'))
    network = ssnn_jax.ssnn(ssnn_jax.as_function(pair, inputs))
    key = jax.random.key(0)
    params = network.init(jax.random.key(1))
    trained = plot.Trained(network, params, key, data, 'test')
    potential = jax.jit(network.infer)(params, key, inputs).potential
    is_wrong = np.argmax(potential[:, 3], axis=1) != labels[:, 3]
    first = int(np.argmax(is_wrong))
    self.assertBetween(is_wrong.sum(), 1, 8)
    args = self.folder, trained, 'wrong'
    _, words = call(plot.show_sample, *args)
    title = f'sample {first} of the test split: class '
    title += f'{"abc"[labels[first, 0]]}, classified as'
    self.assertStartsWith(words, title)
    self.assertTrue((self.folder / f'signal-{first}.png').exists())
    with self.assertRaisesRegex(ssnn_jax.UserError, '--raster is of images'):
      plot.show_sample(*args, is_raster=True)
