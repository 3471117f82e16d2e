"""Noise of the input spikes of each set of images."""

import pandas as pd

from experiments.analysis import statistics
from experiments.analysis.study import Study
from experiments.config import titles


def _ratios(lines):
  """Divides the variance of a spike, x (1 - x), by the squared rate."""
  return lines['mean'] / lines['mean_square'] - 1


def _table(lines):
  cells = {
    'images': lines['dataset'].map(titles.title),
    'mean rate E[x]': lines['mean'].map('{:.3f}'.format),
    'signal E[x^2]': lines['mean_square'].map('{:.3f}'.format),
    'noise / signal': _ratios(lines).map('{:.2f}'.format),
  }
  return [pd.DataFrame(cells)]


def _numbers(records):
  (lines,) = records.values()
  return {
    name: statistics.Number(ratio)
    for name, ratio in zip(lines['dataset'], _ratios(lines))
  }


STUDY = Study(
  question='Which images have the noisiest spikes at equal spike-train length?',
  commands={
    'images': (
      'python -m experiments.measurements.pixel_noise '
      '--datasets=digits,mnist,fashion_mnist,emnist47.npz',
    )
  },
  table=_table,
  numbers=_numbers,
  text="""
A pixel of grey value x spikes with the rate x, so that the number of its spikes
in T random ticks has the variance T x (1 - x): black and white pixels are
exact, grey ones are not. The ratio of noise to signal, E[x (1 - x)] / E[x^2]
over all pixels of the training images, divided by T, is the squared relative
error of the input with random trains. [datasets](datasets.md) compares it with
the trains that each data set needs.
""",
)
