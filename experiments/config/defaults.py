"""Default configurations of experiments, by data set."""

import dataclasses

from experiments.config import experiment
import ssnn_jax
from ssnn_jax.datasets import arrays


class _Configs(dict[str, experiment.ExperimentConfig]):
  """Configurations by name; a file of own arrays has the one of digits."""

  def __contains__(self, name):
    return super().__contains__(name) or arrays.is_npz_path(name)

  def __missing__(self, name):
    if not arrays.is_npz_path(name):
      raise KeyError(name)
    return dataclasses.replace(self['digits'], dataset=name)


_MNIST = {'batch_size': 128, 'num_epochs': 10, 'learning_rate': 0.5}
_EVENTS = {
  'batch_size': 16,
  'num_epochs': 40,
  'learning_rate': 0.1,
  'input_gain': None,  # in proportion to T
}
CONFIGS = _Configs(
  digits=experiment.ExperimentConfig(),
  **{
    name: experiment.ExperimentConfig(dataset=name, **_MNIST)
    for name in ssnn_jax.datasets.IMAGES
    if name != 'digits'
  },
  **{
    name: experiment.ExperimentConfig(dataset=name, **_EVENTS)
    for name in ssnn_jax.datasets.RECORDINGS
  },
)
