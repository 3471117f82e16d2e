"""Noise of the input spikes of image data sets, relative to their signal.

  python -m experiments.measurements.pixel_noise > pixel_noise.jsonl

prints one JSON line per data set, over all pixels of its training images.
"""

from typing import Any

from absl import flags
import numpy as np

from experiments.config import command
from experiments.config import experiment
from experiments.measurements import json_lines
from experiments.training import data
import ssnn_jax
from ssnn_jax.runs import provenance


def statistics(rates: np.ndarray) -> dict[str, Any]:
  """Computes the mean and the mean square of rates in spikes per tick."""
  rates = np.asarray(rates, float)
  mean, square = rates.mean(), np.square(rates).mean()
  return {'mean': float(mean), 'mean_square': float(square)}


def _measure(names, options):
  """Yields the line of each data set."""
  for name in names:
    dataset = data.load_images(name, options)
    rates = ssnn_jax.rate_encode(dataset.train.inputs)
    yield {'dataset': experiment.slug(name), **statistics(rates)}


def main() -> None:
  """Prints the statistics of all data sets."""
  options = command.make(experiment.DataOptions)
  measured = _measure(flags.FLAGS['datasets'].value, options)
  json_lines.write(__spec__.name, provenance.environment(), measured)


if __name__ == '__main__':
  flags.DEFINE_list(
    'datasets',
    'digits,mnist,fashion_mnist',
    'sets of images, or .npz files.',
  )
  command.define_data_dir()
  command.launch(main)
