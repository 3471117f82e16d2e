"""Tests of synapses with the file of a device."""

import contextlib
import pathlib

from absl.testing import absltest

from experiments.config import experiment
from experiments.config import grids
from experiments.config import synapses
import ssnn_jax
from tests.testing.experiments import parse_flags

TEXT = '{"parameters": {"dw_min": 0.01, "w_max": 1, "w_min": -1}}'


class DeviceFileTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.file = self.folder / 'own.json'
    self.file.write_text(TEXT)

  def test_record_does_not_depend_on_the_file(self):
    config, _ = parse_flags(f'--device={self.file}', '--w_max=0.5')
    self.assertEqual((config.dw_min, config.w_max), (0.01, 0.5))
    recorded = experiment.to_json(config)
    self.file.unlink()
    found = experiment.from_json(recorded)
    self.assertEqual(found, config)
    device = ssnn_jax.DeviceConfig(dw_min=0.01, w_max=0.5, w_min=-1.0)
    self.assertEqual(synapses.resistive(found), device)

  def test_grids_have_files(self):
    self.enterContext(contextlib.chdir(self.folder))
    base = experiment.ExperimentConfig()
    grid = grids.parse('device=own.json,reram;dw_min=none,0.02')
    listed = {
      name: (config.device, synapses.resistive(config).dw_min)
      for name, config in grids.merge(base, [grids.Sweep(grid)])
      if config.method == 'ssnn'
    }
    own = str(self.file)
    self.assertEqual(
      listed,
      {
        'device=own.json,dw_min=none': (own, 0.01),
        'device=own.json,dw_min=0.02': (own, 0.02),
        'device=reram,dw_min=none': ('reram', 0.002),
        'device=reram,dw_min=0.02': ('reram', 0.02),
      },
    )

  def test_rejects_damaged_files(self):
    self.file.write_text(TEXT.replace('0.01', '2'))
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^--device: {self.file}: dw_min is 2; expected a s'
    ):
      parse_flags(f'--device={self.file}')
