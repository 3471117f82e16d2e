"""Spike trains: encoding, thresholds, sampling and counting."""

from ssnn_jax.spikes.deferred import Deferred
from ssnn_jax.spikes.deferred import DeferredTrain
from ssnn_jax.spikes.deferred import defer
from ssnn_jax.spikes.deferred import draw_all
from ssnn_jax.spikes.deferred import fold_words
from ssnn_jax.spikes.deferred import is_deferred
from ssnn_jax.spikes.deferred import join_windows
from ssnn_jax.spikes.encoding import rate_encode
from ssnn_jax.spikes.thresholds import SAMPLERS
from ssnn_jax.spikes.thresholds import Address
from ssnn_jax.spikes.thresholds import Role
from ssnn_jax.spikes.thresholds import Thresholds
from ssnn_jax.spikes.ticks import Ticks
from ssnn_jax.spikes.ticks import draw_thresholds
from ssnn_jax.spikes.ticks import draw_uniforms
from ssnn_jax.spikes.ticks import pack_ticks
from ssnn_jax.spikes.ticks import split_ticks
from ssnn_jax.spikes.trains import count
from ssnn_jax.spikes.trains import count_whole_words
from ssnn_jax.spikes.trains import fire
from ssnn_jax.spikes.trains import fire_words
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
from ssnn_jax.spikes.windows import num_valid_ticks
from ssnn_jax.spikes.windows import start_later
from ssnn_jax.spikes.windows import window_before

__all__ = (
  'SAMPLERS',
  'TICKS_PER_WORD',
  'Address',
  'Block',
  'Deferred',
  'DeferredTrain',
  'Role',
  'Schedule',
  'Thresholds',
  'Ticks',
  'Window',
  'block',
  'count',
  'count_whole_words',
  'count_words',
  'defer',
  'draw_all',
  'draw_thresholds',
  'draw_uniforms',
  'fire',
  'fire_words',
  'fold_words',
  'is_deferred',
  'join',
  'join_windows',
  'mask_before',
  'mean_rates',
  'num_valid_ticks',
  'pack',
  'pack_ticks',
  'rate_encode',
  'sample',
  'split_ticks',
  'start_later',
  'unpack',
  'window_before',
)
