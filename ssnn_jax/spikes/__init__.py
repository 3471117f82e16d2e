"""Spike trains: encoding, thresholds, sampling and counting."""

from ssnn_jax.spikes.encoding import rate_encode
from ssnn_jax.spikes.thresholds import SAMPLERS
from ssnn_jax.spikes.thresholds import Address
from ssnn_jax.spikes.thresholds import Role
from ssnn_jax.spikes.thresholds import Thresholds
from ssnn_jax.spikes.trains import compare
from ssnn_jax.spikes.trains import count
from ssnn_jax.spikes.trains import fire
from ssnn_jax.spikes.trains import join
from ssnn_jax.spikes.trains import mean_rates
from ssnn_jax.spikes.trains import pack
from ssnn_jax.spikes.trains import sample
from ssnn_jax.spikes.trains import unpack
from ssnn_jax.spikes.windows import TICKS_PER_WORD
from ssnn_jax.spikes.windows import Block
from ssnn_jax.spikes.windows import Schedule
from ssnn_jax.spikes.windows import Window
from ssnn_jax.spikes.windows import block
from ssnn_jax.spikes.windows import count_words
from ssnn_jax.spikes.windows import mask_before
from ssnn_jax.spikes.windows import mask_first_window
from ssnn_jax.spikes.windows import num_valid_ticks

__all__ = (
  'SAMPLERS',
  'TICKS_PER_WORD',
  'Address',
  'Block',
  'Role',
  'Schedule',
  'Thresholds',
  'Window',
  'block',
  'compare',
  'count',
  'count_words',
  'fire',
  'join',
  'mask_before',
  'mask_first_window',
  'mean_rates',
  'num_valid_ticks',
  'pack',
  'rate_encode',
  'sample',
  'unpack',
)
