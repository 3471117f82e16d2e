"""The numbers in the prose of the README are those of the results."""

import re

from absl.testing import absltest

from experiments.studies import comparisons
from experiments.studies import frames
from experiments.studies import studies

README = re.sub(r'\s+', ' ', frames.path(frames.README, 'md').read_text())


class ReadmeTest(absltest.TestCase):
  def test_paper(self):
    page = (frames.FOLDER.parent.parent / 'docs/paper_neuron.md').read_text()
    find = lambda name, cells: (
      comparisons.compare(frames.read_csv(name), studies.load(name))
      .query(f'metric == "test_accuracy" and {cells}')
      .set_index('dataset')
    )
    long = find('parity', 'num_steps == "64"')['text']
    events = find('events', 'num_steps == "16"')['text']['n_mnist']
    leaky, longer = (
      find('simultaneous', f'timing == "leaky" and num_steps == "{num_steps}"')
      for num_steps in (64, 128)
    )
    deep, deeper = (
      own.query('layers == "159,159,159,159,10"')['text']['fashion_mnist']
      for own in (leaky, longer)
    )
    once = leaky.query('layers in ["256,10", "256,47"]')['text']
    self.assertIn(
      f'T = 64: MNIST {long["mnist"]}, Fashion-MNIST {long["fashion_mnist"]}, '
      f'EMNIST-47 {long["emnist47"]}; T = 16: N-MNIST {events} |',
      README,
    )
    sets = {'MNIST': 'mnist', 'Fashion-MNIST': 'fashion_mnist'}
    sets['EMNIST-47'] = 'emnist47'
    numbers = ', '.join(f'{name} {once[own]}' for name, own in sets.items())
    link = '64 ticks in all](experiments/results/simultaneous.md)'
    self.assertIn(f'{link}: {numbers} |', README)
    self.assertIn(
      f'{numbers}; four hidden layers {deep}, T = 128 {deeper} |', page
    )
    for own in (*long[['mnist', 'fashion_mnist', 'emnist47']], events):
      self.assertIn(f'| {own} |', page)

  def test_chip(self):
    study, runs = studies.load('chip'), frames.read_csv('chip')
    cells = 'layers == "256,10" and weight_bits == "12"'
    rows = comparisons.compare(runs, study).query(
      f'{cells} and num_steps == "8" and digits == ""'
    )
    rows = rows.set_index('metric')
    difference = rows.loc['test_accuracy']
    self.assertIn(
      f'8 ticks differs from its ANN by {difference["text"]} points on '
      f'Fashion-MNIST, {difference["verdict"]}',
      README,
    )
    board = runs.query(f'{cells} and num_steps == "8" and seed != seed')
    (board,) = board.to_dict('records')
    clock = board['clock_mhz']
    speeds = board['samples_per_second'], board['memory_samples_per_second']
    first = 1e6 * clock / board['clocks_at_first']
    self.assertIn(
      f'at {clock:.0f} MHz its core learns {speeds[0]:,.0f} images a second '
      f'after an epoch, {first:,.0f} from the first one on, and '
      f'{speeds[1]:,.0f} from the SDRAM',
      README,
    )
