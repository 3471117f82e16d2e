"""Spike trains: encoding, thresholds, samplers, words and coincidences."""

from ssnn_jax.trains import bernoulli
from ssnn_jax.trains import sobol
from ssnn_jax.trains.encoding import rate_encode as rate_encode
from ssnn_jax.trains.thresholds import Role as Role
from ssnn_jax.trains.thresholds import Sampler as Sampler
from ssnn_jax.trains.thresholds import Source as Source
from ssnn_jax.trains.thresholds import draw as draw
from ssnn_jax.trains.words import TICKS_PER_WORD as TICKS_PER_WORD
from ssnn_jax.trains.words import count as count
from ssnn_jax.trains.words import count_words as count_words
from ssnn_jax.trains.words import mask as mask
from ssnn_jax.trains.words import pack as pack
from ssnn_jax.trains.words import unpack as unpack

SAMPLERS = {'sobol': sobol.SAMPLER, 'bernoulli': bernoulli.SAMPLER}
