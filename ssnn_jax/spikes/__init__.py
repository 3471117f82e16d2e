"""Spike trains: encoding, thresholds, sampling and counting."""

from ssnn_jax.spikes.encoding import rate_encode
from ssnn_jax.spikes.thresholds import SAMPLERS
from ssnn_jax.spikes.thresholds import Role
from ssnn_jax.spikes.trains import TICKS_PER_WORD
from ssnn_jax.spikes.trains import Block
from ssnn_jax.spikes.trains import Schedule
from ssnn_jax.spikes.trains import Window
from ssnn_jax.spikes.trains import bits_before
from ssnn_jax.spikes.trains import block
from ssnn_jax.spikes.trains import compare
from ssnn_jax.spikes.trains import count
from ssnn_jax.spikes.trains import count_words
from ssnn_jax.spikes.trains import fire
from ssnn_jax.spikes.trains import join
from ssnn_jax.spikes.trains import pack
from ssnn_jax.spikes.trains import sample
from ssnn_jax.spikes.trains import ticks
from ssnn_jax.spikes.trains import unpack

__all__ = (
  'SAMPLERS',
  'TICKS_PER_WORD',
  'Block',
  'Role',
  'Schedule',
  'Window',
  'bits_before',
  'block',
  'compare',
  'count',
  'count_words',
  'fire',
  'join',
  'pack',
  'rate_encode',
  'sample',
  'ticks',
  'unpack',
)
