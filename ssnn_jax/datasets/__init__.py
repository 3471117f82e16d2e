"""Datasets: images, event-camera recordings and user-provided arrays."""

from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets.arrays import from_arrays
from ssnn_jax.datasets.catalog import IMAGES
from ssnn_jax.datasets.catalog import NAMES
from ssnn_jax.datasets.catalog import RECORDINGS
from ssnn_jax.datasets.files import DatasetError
from ssnn_jax.datasets.images import read_idx
from ssnn_jax.datasets.loading import load
from ssnn_jax.datasets.recordings import Binning
from ssnn_jax.datasets.splits import fold
from ssnn_jax.datasets.splits import hold_out
from ssnn_jax.datasets.types import Dataset
from ssnn_jax.datasets.types import Split

__all__ = (
  'IMAGES',
  'NAMES',
  'RECORDINGS',
  'Binning',
  'Dataset',
  'DatasetError',
  'Split',
  'event_camera',
  'fold',
  'from_arrays',
  'hold_out',
  'load',
  'read_idx',
)
