"""The numbers in the prose of the README are those of the results."""

import re

from absl.testing import absltest

from experiments import results

README = re.sub(r'\s+', ' ', results.path(results.README, 'md').read_text())


class ReadmeTest(absltest.TestCase):
  def test_costs(self):
    rows = results.read_csv('benchmark').query(
      'method == "ssnn" and layers == "784-256-10" and sampler == "regular"'
    )
    images = rows.query('dataset == "fashion_mnist" and name == "learn"')
    rows = rows.query('dataset == "random"')
    rows = rows.set_index(['name', 'num_steps'])['ratio_to_bp']
    lengths = '8', '64', '256'
    learn = [rows['learn', t] for t in lengths]
    infer = [rows['infer', t] for t in lengths]
    self.assertIn(
      f'takes {learn[0]:.1f} times that of backpropagation with 8 ticks, '
      f'{learn[1]:.1f} times with 64, {learn[2]:.1f} times with 256, and at '
      f'most {max(images["ratio_to_bp"]):.1f} times on Fashion-MNIST; an '
      f'inference at most {max(infer):.1f} passes of the ANN',
      README,
    )
    cells = 'layers == "784-256-10" and num_steps == "8" and tick == ""'
    rows = results.read_csv('settling').query(
      f'{cells} and neuron == "bipolar"'
    )
    (spikes,) = rows.to_dict('records')
    self.assertIn(
      f'in 8 ticks takes {spikes["forward_spikes"]:,.0f} forward spikes and '
      f'{spikes["error_spikes"]:.0f} error spikes, with those that are '
      f'taken back; half of the images are silent after '
      f'{spikes["median_silence"]:.0f} ticks',
      README,
    )

  def test_chip(self):
    study, runs = results.studies.load('chip'), results.read_csv('chip')
    cells = 'layer_sizes == "784-256-10" and weight_bits == "12"'
    rows = results.compare(runs, study).query(f'{cells} and num_steps == "8"')
    rows = rows.set_index('metric')
    difference = rows.loc['test_accuracy']
    self.assertIn(
      f'8 ticks differs from its ANN by {difference["text"]} points on '
      f'Fashion-MNIST, {difference["verdict"]}',
      README,
    )
    board = runs.query(f'{cells} and num_steps == "8" and seed != seed')
    (board,) = board.to_dict('records')
    speeds = 'samples', 'memory_samples', 'line_samples'
    core, memory, line = (board[f'{name}_per_second'] for name in speeds)
    self.assertIn(
      f'at {board["clock_mhz"]:.0f} MHz, where the core learns {core:,.0f} '
      f'images a second, also {memory:,.0f} from the SDRAM of the board, and '
      f'{line:,.0f} over its serial line',
      README,
    )
