"""Rules of one neuron, for one sample and one window."""

from ssnn_jax.neuron.coincidence import as_gradient
from ssnn_jax.neuron.coincidence import count_coincidences
from ssnn_jax.neuron.firing import FIRING_FUNCTIONS
from ssnn_jax.neuron.firing import FiringFunction
from ssnn_jax.neuron.membrane import MEMBRANES
from ssnn_jax.neuron.membrane import Membrane
from ssnn_jax.neuron.membrane import leaky

__all__ = (
  'FIRING_FUNCTIONS',
  'MEMBRANES',
  'FiringFunction',
  'Membrane',
  'as_gradient',
  'count_coincidences',
  'leaky',
)
