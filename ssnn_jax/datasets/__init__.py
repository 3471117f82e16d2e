"""Datasets: images, event-camera recordings and user-provided arrays."""

from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets.arrays import Dataset
from ssnn_jax.datasets.arrays import Split
from ssnn_jax.datasets.arrays import fold
from ssnn_jax.datasets.arrays import from_arrays
from ssnn_jax.datasets.arrays import hold_out
from ssnn_jax.datasets.catalog import IMAGES
from ssnn_jax.datasets.catalog import NAMES
from ssnn_jax.datasets.catalog import RECORDINGS
from ssnn_jax.datasets.catalog import load
from ssnn_jax.datasets.events import Binning
from ssnn_jax.datasets.events import bin_events

__all__ = (
  'IMAGES',
  'NAMES',
  'RECORDINGS',
  'Binning',
  'Dataset',
  'Split',
  'bin_events',
  'event_camera',
  'fold',
  'from_arrays',
  'hold_out',
  'load',
)
