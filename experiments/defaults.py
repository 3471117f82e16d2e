"""The configurations that experiments start from, by data set and method."""

import dataclasses
from typing import Any

from experiments import configs
from experiments import methods
from experiments import synapses
import ssnn_jax

_MNIST = {'batch_size': 128, 'num_epochs': 10, 'learning_rate': 0.5}
_EVENTS = {
  'batch_size': 16,
  'num_epochs': 40,
  'learning_rate': 0.1,
  'input_gain': None,  # in proportion to T
}
CONFIGS = {
  'digits': configs.ExperimentConfig(),
  **{
    name: configs.ExperimentConfig(dataset=name, **_MNIST)
    for name in ssnn_jax.datasets.IMAGES
    if name != 'digits'
  },
  **{
    name: configs.ExperimentConfig(dataset=name, **_EVENTS)
    for name in ssnn_jax.datasets.RECORDINGS
  },
}


def learning_rate(dataset: str, method: str) -> float:
  """Tells the default learning rate of a method on a data set."""
  own = methods.METHODS[method].learning_rate
  return own or CONFIGS[dataset].learning_rate


def with_method(
  base: configs.ExperimentConfig, method: str, **changes: Any
) -> configs.ExperimentConfig:
  """Makes a configuration one of another method.

  Args:
    base: the configuration.
    method: the method.
    **changes: values of other fields.

  Returns:
    The configuration. Methods without pulses have ideal synapses; a learning
    rate that is the default of the base's method becomes that of the other.

  Raises:
    UserError: if a value is out of range.
  """
  if method not in methods.METHODS:
    return dataclasses.replace(base, method=method)  # it is refused there
  own = {}
  if base.learning_rate == learning_rate(base.dataset, base.method):
    own['learning_rate'] = learning_rate(base.dataset, method)
  if not methods.METHODS[method].has_pulses:
    own |= synapses.DEFAULTS
  return dataclasses.replace(base, method=method, **own | changes)
