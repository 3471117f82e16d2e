"""The numbers in the prose of the README are those of the results."""

import re

from absl.testing import absltest

from experiments import results

README = re.sub(r'\s+', ' ', results.path(results.README, 'md').read_text())


def find(study, column, **cells):
  """Returns the number of the one row of a CSV file that has these cells."""
  rows = results.read_csv(study)
  for name, value in cells.items():
    rows = rows[rows[name] == value]
  (number,) = rows[column].dropna()
  return number


def steps(name, num_steps):
  cells = {'method': 'ssnn', 'device': 'ideal', 'batch_size': '128'}
  cells |= {'layer_sizes': '784-256-10', 'num_seeds': '1', 'sampler': 'regular'}
  cells |= {'name': name, 'num_steps': num_steps, 'dataset': 'random'}
  return find('benchmark', 'ratio_to_bp', **cells)


def spikes(column):
  cells = {'layer_sizes': '784-256-10', 'num_steps': '8', 'neuron': 'bipolar'}
  return find('spikes', column, **cells)


class ReadmeTest(absltest.TestCase):
  def test_costs(self):
    learn = [steps('learn', t) for t in ('8', '64', '256')]
    infer = [steps('infer', t) for t in ('8', '64', '256')]
    self.assertIn(
      f'takes {learn[0]:.1f} times that of backpropagation with 8 ticks, '
      f'{learn[1]:.1f} times with 64, {learn[2]:.1f} times with 256; an '
      f'inference at most {max(infer):.1f} passes of the ANN',
      README,
    )
    self.assertIn(
      f'in 8 ticks takes {spikes("forward_spikes"):,.0f} forward spikes and '
      f'{spikes("error_spikes"):.0f} error spikes, those that are taken back '
      'as well',
      README,
    )

  def test_board(self):
    chip = results.studies.load('chip')
    found = results.compare(results.read_csv('chip'), chip)
    cells = {'layer_sizes': '784-256-10', 'weight_bits': '12'}
    cells |= {'num_steps': '64'}
    found = results._restrict(found, cells).set_index('metric')
    difference, number = found.loc['test_accuracy'], found['value']
    rate = 100 * (number['samples_per_second'] // 100)
    self.assertIn(
      f'64 ticks differs from its ANN by {difference["text"]} points on '
      f'Fashion-MNIST, {difference["verdict"]}, takes '
      f'{number["block_rams"]:.0f} of 208 block RAMs of an ECP5-85F, is routed '
      f'at {number["max_mhz"]:.0f} MHz, and at {number["clock_mhz"]:.0f} MHz '
      f'learns {rate:,.0f} samples a second',
      README,
    )


if __name__ == '__main__':
  absltest.main()
