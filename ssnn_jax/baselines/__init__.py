"""Baselines: the ANN, and networks of equal layer sizes with other rules."""

from ssnn_jax.baselines import ann
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.baselines import feedback_alignment
from ssnn_jax.baselines import rpu
from ssnn_jax.baselines import surrogate_gradient

__all__ = ('ann', 'bp_stdp', 'feedback_alignment', 'rpu', 'surrogate_gradient')
