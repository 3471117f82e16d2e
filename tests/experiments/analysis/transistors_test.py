"""Tests of the transistors of whole chips."""

import dataclasses

from absl.testing import absltest
from absl.testing import parameterized

from experiments.analysis import records
from experiments.analysis import transistors
from ssnn_jax import chip

CHIP = chip.ChipConfig((64, 32, 16, 10), weight_bits=10, fraction_bits=8)


def total(**changes):
  config = dataclasses.replace(CHIP, **changes)
  return sum(transistors.count(config).values())


class TransistorsTest(parameterized.TestCase):
  def test_terms_describe_recorded_syntheses(self):
    lines = records.read_study('chip_gates')['yosys'].runs
    lines = lines[(lines['technology'] == 'cmos') & (lines['part'] != 'chip')]
    for line in lines.to_dict('records'):
      predicted = transistors.predict(
        transistors.recorded(), line['part'], line
      )
      error = abs(predicted - line['transistors'])
      self.assertLessEqual(error, 0.05 * line['transistors'], line)

  def test_composed_chip_is_the_synthesized_chip(self):
    lines = records.read_study('chip_gates')['yosys'].runs
    (line,) = lines[lines['part'] == 'chip'].to_dict('records')
    config = chip.ChipConfig(
      tuple(line['layer_sizes']), weight_bits=8, fraction_bits=6
    )
    composed = sum(transistors.count(config).values())
    self.assertAlmostEqual(composed / line['transistors'], 1, delta=0.02)

  def test_synapses_scale_with_their_number(self):
    parts = transistors.count(CHIP)
    larger = dataclasses.replace(CHIP, layer_sizes=(128, 64, 32, 10))
    ratio = transistors.count(larger)['synapses'] / parts['synapses']
    self.assertBetween(ratio, 3.5, 4)

  @parameterized.parameters(
    {'sharing': 'neuron'},
    {'membrane': 'mean'},
    {'enable': 'synapse'},
    {'weight_bits': 11},
    {'fraction_bits': 9},
  )
  def test_costs_more(self, **changes):
    self.assertGreater(total(**changes), total())

  @parameterized.parameters({'generator': 'lfsr'}, {'enable': 'all'})
  def test_costs_less(self, **changes):
    self.assertLess(total(**changes), total())


if __name__ == '__main__':
  absltest.main()
