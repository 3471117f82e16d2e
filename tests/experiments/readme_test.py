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


def steps(num_steps, timing, window):
  shared = {'method': 'ssnn', 'device': 'ideal', 'batch_size': '128'}
  shared |= {'dataset': 'random', 'sampler': 'sobol', 'kernels': 'True'}
  shared |= {'name': 'learn', 'layer_sizes': '784-256-10', 'window': window}
  return find(
    'benchmark', 'ratio_to_bp', num_steps=num_steps, timing=timing, **shared
  )


def spikes(column):
  cells = {'layer_sizes': '784-256-10', 'num_steps': '16', 'timing': 'realtime'}
  return find('spikes', column, neuron='integrate_and_fire', **cells)


class ReadmeTest(absltest.TestCase):
  def test_costs(self):
    real = [steps(t, 'realtime', window='1') for t in ('16', '64')]
    fast = [steps(t, 'buffered', window=t) for t in ('16', '64')]
    self.assertIn(
      f'of 16 ticks takes {real[0]:.1f} times that of backpropagation in real '
      f'time, {fast[0]:.1f} times in the fast simulation; of 64 ticks '
      f'{real[1]:.1f} and {fast[1]:.1f} times',
      README,
    )
    self.assertIn(
      f'real time takes {spikes("forward_spikes"):,.0f} forward spikes, '
      f'{spikes("error_spikes"):.0f} error spikes and '
      f'{spikes("coincidences"):,.0f} coincidences',
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
