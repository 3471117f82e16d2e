"""Tests of a run with convolutions: trained, stopped, resumed and exported."""

import pathlib

from absl.testing import absltest
import numpy as np

from experiments import export
from experiments.analysis import energy
from experiments.analysis import frames
from experiments.training import trainer
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from tests.testing import experiments

LAYERS = 'conv4k3s2', '10'
FIELDS = {
  'layers': LAYERS,
  'layer_sizes': None,
  'num_epochs': 2,
  'method': 'ssnn',
}
OFTEN = trainer.Options(checkpoint_every=0.0)


def train(run):
  trainer.train([run], experiments.small_digits(), OFTEN)
  return records.read(run.folder)


class LayersRunTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    experiments.share_programs(cls)

  def test_stopped_run_ends_the_same_and_has_energies(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (whole,), (stopped,) = (
      experiments.make_runs(folder / name, 0, **FIELDS)
      for name in ('whole', 'stopped')
    )
    expected = train(whole)
    with experiments.stop_at_call(self, 2, checkpoints, 'save'):
      train(stopped)
    with self.assertRaisesRegex(Exception, 'finish it with --resume'):
      export.load(stopped.folder)
    found = train(stopped)
    digest = 'params_sha256'
    self.assertEqual(found.final[digest], expected.final[digest])
    self.assertEqual(found.final['layer_sizes'], [64, 36, 10])
    self.assertEqual(found.final['input_shape'], [8, 8])
    config, params = export.load(stopped.folder)
    self.assertEqual(config.layer_sizes, (64, 36, 10))
    self.assertEqual(params[0].weights.shape, (9, 4))
    row = energy.add_energies(frames.from_runs([found]), 'crossbar').iloc[0]
    self.assertEqual(row['bp_macs'], 9 * 9 * 4 + 36 * 10)
    # Spikes that reach rows, of 4 and 10 columns, and always-on inputs.
    (*_, rows) = frames.curves(found.events)['row_spikes']
    arrivals = np.dot(rows, [4, 10]) + (36 + 10) * experiments.CONFIG.num_steps
    self.assertAlmostEqual(row['synaptic_events'] / arrivals, 1, places=5)
