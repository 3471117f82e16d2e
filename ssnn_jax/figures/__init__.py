"""Figures of spikes: rasters of layers, samples, signals, and explanations.

They require the package matplotlib and are imported by themselves.
"""

from ssnn_jax import checks

with checks.extra('experiments'):
  from ssnn_jax.figures import explained as explained
  from ssnn_jax.figures import raster as raster
  from ssnn_jax.figures import sample as sample
  from ssnn_jax.figures import signal as signal
