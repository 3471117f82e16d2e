"""Rules of one neuron, for one sample and one window."""

from ssnn_jax.neuron.coincidence import as_gradient
from ssnn_jax.neuron.coincidence import count_coincidences
from ssnn_jax.neuron.firing import FIRING_FUNCTIONS
from ssnn_jax.neuron.firing import FiringFunction

__all__ = (
  'FIRING_FUNCTIONS',
  'FiringFunction',
  'as_gradient',
  'count_coincidences',
)
