"""The numbers in the prose of the README are those of the results."""

import re

from absl.testing import absltest

from experiments.studies import comparisons
from experiments.studies import frames
from experiments.studies import studies

README = re.sub(r'\s+', ' ', frames.path(frames.README, 'md').read_text())


class ReadmeTest(absltest.TestCase):
  def test_costs(self):
    rows = frames.read_csv('benchmark').query(
      'method == "ssnn" and layers == "256,10" and sampler == "regular"'
    )
    rows = rows.set_index(['name', 'num_steps'])['ratio_to_bp']
    self.assertIn(
      f'takes {rows["learn", "4"]:.1f} times that of backpropagation '
      f'with 4 steps of a rate, and at most {max(rows["learn"]):.1f} times '
      'with more',
      README,
    )
    costs = frames.read_csv('economy').query('tick == "" and wires == ""')
    played = costs.query('method == "ssnn" and neuron == "bipolar"')
    images = played.query('dataset == "fashion_mnist" and num_steps == "16"')
    images = images.groupby('layers')['learning_ratio'].min()
    ratios = played.groupby('dataset')['learning_ratio'].min()
    self.assertIn(
      f'take {min(images):.2f} to {max(images):.2f} additions for a product, '
      f'of color images {ratios["cifar10"]:.1f}, of recordings '
      f'{ratios["n_mnist"]:.1f}, a transformer {ratios["shakespeare"]:.1f}',
      README,
    )
    rows = costs.query(
      'layers == "256,10" and neuron != "stochastic" and '
      'dataset == "fashion_mnist"'
    )
    rows = rows.set_index('num_steps')
    events = ['forward_events', 'error_events', 'coincidences']
    ann, few, many = (rows.loc[n] for n in ('', '16', '256'))
    thousands = lambda *numbers: f'{sum(numbers) / 1000:.0f},000'
    self.assertIn(
      f'takes {thousands(*few[events])} additions to learn with 16 steps, '
      f'where backpropagation makes {thousands(*ann[events])} products, of '
      f'which {thousands(few["nonzero_products"])} have no factor 0; forward '
      f'it takes {thousands(few[events[0]])}, with 256 steps '
      f'{thousands(many[events[0]])}, for {thousands(ann[events[0]])} products',
      README,
    )
    self.assertEqual((few['answer'], few['median_silence']), (3, 7))
    expected = (
      'after three ticks, and half of the images are silent after seven'
    )
    self.assertIn(expected, README)

  def test_paper(self):
    page = (frames.FOLDER.parent.parent / 'docs/paper_neuron.md').read_text()
    find = lambda name, cells: (
      comparisons.compare(frames.read_csv(name), studies.load(name))
      .query(f'metric == "test_accuracy" and {cells}')
      .set_index('dataset')
    )
    drawn = 'neuron == "stochastic" and num_steps'
    long = find('parity', f'{drawn} == "64"')['text']
    events = find('events', f'{drawn} == "16"')['text']['n_mnist']
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
