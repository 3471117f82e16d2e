"""Tests of energies; those of tables are in `tests.experiments.energy_test`."""

from absl.testing import absltest

from ssnn_jax.hardware import cost
from ssnn_jax.hardware import energy


class EnergyTest(absltest.TestCase):
  def test_chip_energy_is_linear_in_events(self):
    table = energy.EnergyTable(*range(1, 9))
    first = cost.Events._make(range(10, 16))
    second = cost.Events._make(range(5, -1, -1))
    total = cost.Events._make(2 * a + b for a, b in zip(first, second))
    self.assertEqual(
      energy.chip_energy(total, table),
      2 * energy.chip_energy(first, table) + energy.chip_energy(second, table),
    )
