"""Spike trains: encoding, thresholds, sampling and counting."""

from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes import sobol
from ssnn_jax.spikes.encoding import rate_encode
from ssnn_jax.spikes.thresholds import Role
from ssnn_jax.spikes.thresholds import Sampler
from ssnn_jax.spikes.thresholds import Source
from ssnn_jax.spikes.trains import count
from ssnn_jax.spikes.trains import pack
from ssnn_jax.spikes.trains import unpack
from ssnn_jax.spikes.windows import TICKS_PER_WORD
from ssnn_jax.spikes.windows import Block
from ssnn_jax.spikes.windows import Schedule
from ssnn_jax.spikes.windows import Window
from ssnn_jax.spikes.windows import block
from ssnn_jax.spikes.windows import count_words
from ssnn_jax.spikes.windows import mask_before
from ssnn_jax.spikes.windows import num_valid_ticks

SAMPLERS = {'sobol': sobol.SAMPLER, 'bernoulli': bernoulli.SAMPLER}

__all__ = (
  'SAMPLERS',
  'TICKS_PER_WORD',
  'Block',
  'Role',
  'Sampler',
  'Schedule',
  'Source',
  'Window',
  'block',
  'count',
  'count_words',
  'mask_before',
  'num_valid_ticks',
  'pack',
  'rate_encode',
  'unpack',
)
