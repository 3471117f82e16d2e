"""Estimates of the time of training, before it starts."""

from collections.abc import Iterable

from experiments.config import experiment
from experiments.config import methods
import ssnn_jax
from ssnn_jax import spikes

# Products of a signal and a weight, a window or word each; the median of
# recorded runs on two CPU cores, whose rates are within a factor of 5 or so.
_PRODUCTS_PER_SECOND = 1e10
_LONG = 3600  # seconds
_UNITS = {'years': 365 * 86400, 'days': 86400, 'hours': 3600}


def describe(
  configs: Iterable[experiment.ExperimentConfig],
  dataset: ssnn_jax.datasets.Dataset,
) -> str:
  """Describes the time of training if it is long; empty below an hour.

  Args:
    configs: the configurations of all runs.
    dataset: the data set of most runs.

  Returns:
    A line, or nothing.
  """
  seconds = sum(_estimate(config, dataset) for config in configs)
  if seconds < _LONG:
    return ''
  unit = next(name for name, size in _UNITS.items() if seconds >= size)
  return (
    f'training takes about {seconds / _UNITS[unit]:,.0f} {unit} on two CPU '
    'cores, estimated from the numbers of weights, samples and ticks.\n'
  )


def _estimate(config, dataset):
  """Estimates the seconds of a run; 0 if it is of another data set."""
  try:
    network = experiment.network_config(config, dataset)
  except ssnn_jax.UserError:  # the run itself reports what is wrong
    return 0.0
  products = sum(wiring.num_products for wiring in network.wirings)
  samples = config.num_epochs * len(dataset.train.labels)
  return products * samples * _reads(config, network) / _PRODUCTS_PER_SECOND


def _reads(config, network):
  """Returns the reads of a presentation, of a window or of a word."""
  if not methods.concerns(config.method, 'num_steps'):
    return 1
  if not methods.METHODS[config.method].has_pulses:
    return network.num_steps  # neurons advance tick by tick
  words = spikes.count_words(network.num_steps)
  has_windows = methods.concerns(config.method, 'window')
  return max(words, network.schedule.num_windows if has_windows else 1)
