"""Test of the library where few other packages are installed."""

import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

ROOT = pathlib.Path(__file__).parent.parent.parent
# jax and optax, with the packages that they require.
INSTALLED = {'jax', 'jaxlib', 'ml_dtypes', 'numpy', 'opt_einsum', 'scipy'}
INSTALLED |= {'optax', 'absl', 'tqdm', 'ssnn_jax'}
PROGRAM = f"""
import sys
import sysconfig

sysconfig.get_config_vars()  # imports a module named by the platform


class Installed:
  finders = list(sys.meta_path)

  @classmethod
  def find_spec(cls, name, path=None, target=None):
    if name.partition('.')[0] not in {INSTALLED} | sys.stdlib_module_names:
      return None
    found = (own.find_spec(name, path, target) for own in cls.finders)
    return next(filter(None, found), None)


sys.meta_path[:] = [Installed]

import numpy as np
import ssnn_jax
from ssnn_jax import training

inputs, labels = (own[:256] for own in ssnn_jax.datasets.load('digits').train)
config = ssnn_jax.NetworkConfig((64, 16, 10), num_steps=8)
network = ssnn_jax.ssnn(config)
fitted = training.fit(network, 0.5, (inputs, labels), num_epochs=1)
compared = training.compare(
  config, (inputs, labels), 1, num_epochs=1, evaluate=(inputs, labels)
)
assert compared.ssnn.shape == compared.ann.shape == (1,)
ssnn_jax.save(sys.argv[1], config, fitted.state.params)
loaded = ssnn_jax.load(sys.argv[1])
predicted, again = (
  training.predict(own, params, inputs)
  for own, params in (
    (network, fitted.state.params),
    (ssnn_jax.ssnn(loaded.config), loaded.params),
  )
)
np.testing.assert_array_equal(predicted.classes, again.classes)
try:
  import flax
except ModuleNotFoundError:
  print('done')
"""


class InstallTest(absltest.TestCase):
  def test_training_needs_jax_and_optax_alone(self):
    # Compiled programs of other tests may need another package to be read.
    environment = {
      name: value
      for name, value in os.environ.items()
      if name != 'JAX_COMPILATION_CACHE_DIR'
    }
    done = subprocess.run(
      [sys.executable, '-c', PROGRAM, self.create_tempdir().full_path],
      capture_output=True,
      text=True,
      cwd=ROOT,
      env=environment,
    )
    self.assertEqual((done.stdout, done.returncode), ('done\n', 0), done.stderr)
