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
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.runs import provenance


def statistics(rates: np.ndarray) -> dict[str, Any]:
  """Computes the mean and the mean square of rates in spikes per tick."""
  rates = np.asarray(rates, float)
  mean, square = rates.mean(), np.square(rates).mean()
  return {'mean': float(mean), 'mean_square': float(square)}


def _measure(values):
  """Yields the line of each data set."""
  listed = values['datasets']
  own = [name for name in listed if arrays.is_npz_path(name)]
  command.choices(values, 'datasets', (*catalog.IMAGES, *own))
  for name in listed:
    dataset = data.load_images({**values, 'dataset': name})
    rates = ssnn_jax.rate_encode(dataset.train.inputs)
    yield {'dataset': experiment.slug(name), **statistics(rates)}


def main() -> None:
  """Prints the statistics of all data sets."""
  measured = _measure(flags.FLAGS.flag_values_dict())
  json_lines.write(__spec__.name, provenance.environment(), measured)


if __name__ == '__main__':
  flags.DEFINE_list(
    'datasets',
    'digits,mnist,fashion_mnist',
    'sets of images, or .npz files.',
  )
  command.define_data_dir()
  command.launch(main)
