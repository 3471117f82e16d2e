"""Spike trains: encoding, thresholds, samplers, words and coincidences."""

from ssnn_jax.trains import bernoulli
from ssnn_jax.trains import sobol
from ssnn_jax.trains.encoding import rate_encode
from ssnn_jax.trains.thresholds import Role
from ssnn_jax.trains.thresholds import Sampler
from ssnn_jax.trains.thresholds import Source
from ssnn_jax.trains.thresholds import draw
from ssnn_jax.trains.words import TICKS_PER_WORD
from ssnn_jax.trains.words import count
from ssnn_jax.trains.words import count_words
from ssnn_jax.trains.words import mask
from ssnn_jax.trains.words import pack
from ssnn_jax.trains.words import unpack

SAMPLERS = {'sobol': sobol.SAMPLER, 'bernoulli': bernoulli.SAMPLER}

__all__ = (
  'SAMPLERS',
  'TICKS_PER_WORD',
  'Role',
  'Sampler',
  'Source',
  'count',
  'count_words',
  'draw',
  'mask',
  'pack',
  'rate_encode',
  'unpack',
)
