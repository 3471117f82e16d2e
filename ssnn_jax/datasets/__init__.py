"""Datasets: images, recordings of events, signals in time, and own arrays."""

from ssnn_jax.datasets.arrays import Dataset as Dataset
from ssnn_jax.datasets.arrays import Split as Split
from ssnn_jax.datasets.arrays import fold as fold
from ssnn_jax.datasets.arrays import from_arrays as from_arrays
from ssnn_jax.datasets.arrays import hold_out as hold_out
from ssnn_jax.datasets.catalog import NAMES as NAMES
from ssnn_jax.datasets.catalog import load as load
from ssnn_jax.datasets.events import Binning as Binning
from ssnn_jax.datasets.events import bin_events as bin_events
from ssnn_jax.datasets.signals import from_text as from_text
