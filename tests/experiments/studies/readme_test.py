"""The numbers in the prose of the README are those of the results."""

import re

from absl.testing import absltest

from experiments.studies import comparisons
from experiments.studies import frames
from experiments.studies import studies

README = re.sub(r'\s+', ' ', frames.path(frames.README, 'md').read_text())


def find(name, metric='test_accuracy'):
  """Returns comparisons of a study, of one measure."""
  compared = comparisons.compare(frames.read_csv(name), studies.load(name))
  return compared[compared['metric'] == metric]


class ReadmeTest(absltest.TestCase):
  def test_paper(self):
    page = (frames.FOLDER.parent.parent / 'docs/paper_neuron.md').read_text()
    is_long = 'sampler == "sobol" and num_steps == "64"'
    parity = find('parity').query(is_long).set_index('dataset')['text']
    events = find('events').query('num_steps == "16"')['text'].item()
    leaky = find('simultaneous').query('timing == "leaky"')
    leaky = leaky.set_index(['layers', 'num_steps', 'dataset', 'sampler'])
    once = lambda layers, num_steps, dataset: leaky['text'][
      layers, num_steps, dataset, 'sobol'
    ]
    sets = [
      f'{name} {once(layers, "64", dataset)}'
      for name, layers, dataset in (
        ('MNIST', '256,10', 'mnist'),
        ('Fashion-MNIST', '256,10', 'fashion_mnist'),
        ('EMNIST-47', '256,47', 'emnist47'),
      )
    ]
    deep, deeper = (
      once('159,159,159,159,10', own, 'fashion_mnist') for own in ('64', '128')
    )
    error = find('parity', 'quantisation_error').query(
      'dataset == "fashion_mnist" and sampler == "sobol"'
    )
    error = error.set_index('num_steps')['text']
    far = find('fidelity', 'update_error').query('layers == "256,10"')
    far = far.set_index(['sampler', 'num_steps'])['text']['sobol']
    race = find('parity').query('winner == "race"')['text'].item()
    self.assertIn(
      f'| Fashion-MNIST, 64 ticks for both: {sets[1][14:]} |', README
    )
    self.assertIn(
      f'MNIST {parity["mnist"]}, Fashion-MNIST {parity["fashion_mnist"]}, '
      f'EMNIST {parity["emnist47"]} |',
      README,
    )
    self.assertIn(f'T = 16: {events}, on 1,100', README)
    self.assertIn(f'digits, T = 64: {race} |', README)
    self.assertIn(
      f'{error["4"]}, {error["16"]} and {error["64"]} of the gradient', README
    )
    limit = f'error {far["64"]} with T = 64, {far["1024"]} with T = 1,024'
    self.assertIn(limit, README)
    self.assertIn(
      f'{", ".join(sets)}; four hidden layers {deep}, T = 128 {deeper} |', page
    )
    for own in (*parity[['mnist', 'fashion_mnist', 'emnist47']], events, race):
      self.assertIn(own, page)

  def test_chip(self):
    study, runs = studies.load('chip'), frames.read_csv('chip')
    cells = 'layers == "256,10" and weight_bits == "12"'
    rows = comparisons.compare(runs, study).query(
      f'{cells} and num_steps == "8" and digits == ""'
    )
    rows = rows.set_index('metric')
    difference = rows.loc['test_accuracy']
    self.assertIn(
      f'8 ticks, differs from its ANN of clipped units by '
      f'{difference["text"]} points on Fashion-MNIST, {difference["verdict"]}',
      README,
    )
    board = runs.query(f'{cells} and num_steps == "8" and seed != seed')
    (board,) = board.to_dict('records')
    self.assertIn(
      f'its core learns {board["samples_per_second"]:,.0f} images a second at '
      f'{board["clock_mhz"]:.0f} MHz',
      README,
    )
