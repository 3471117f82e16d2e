"""Tests of provenance."""

import subprocess
from unittest import mock

from absl.testing import parameterized
import numpy as np

from ssnn_jax import types
from ssnn_jax.runs import provenance


class ProvenanceTest(parameterized.TestCase):
  def test_environment_names_versions_and_devices(self):
    environment = provenance.environment()
    for name in ('jax', 'jaxlib', 'numpy', 'optax', 'flax'):
      self.assertRegex(environment['versions'][name], r'^\d+\.\d+')
    self.assertEqual(environment['num_devices'], 1)
    with mock.patch.object(subprocess, 'run', side_effect=OSError):
      environment = provenance.environment()
    self.assertIsNone(environment['commit'])
    self.assertIsNone(environment['dirty'])

  def test_digests_are_equal_if_and_only_if_bits_are_equal(self):
    def digest(*weights):
      layer = types.LayerParams(np.array(weights), np.zeros(1))
      return provenance.sha256((layer,))

    self.assertEqual(digest(0.0, 1.0), digest(0.0, 1.0))
    others = digest(1.0, 0.0), digest(-0.0, 1.0), digest(0.0, 1.0 + 2**-23)
    self.assertLen({digest(0.0, 1.0), *others}, 4)
