"""Rules of one neuron, for one sample and one window."""

from ssnn_jax.neuron.coincidence import as_gradient
from ssnn_jax.neuron.coincidence import count_coincidences

__all__ = ('as_gradient', 'count_coincidences')
