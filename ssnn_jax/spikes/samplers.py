"""Samplers of the trains by name."""

from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes import sobol
from ssnn_jax.spikes import thresholds

SAMPLERS = {'sobol': sobol.SAMPLER, 'bernoulli': bernoulli.SAMPLER}


def find(
  sampler: str | thresholds.Sampler, role: thresholds.Role
) -> thresholds.Sampler:
  """Returns the sampler of a role; some are independent, whatever the trains.

  Args:
    sampler: of the trains: a key of `SAMPLERS`, or a sampler.
    role: the role.
  """
  if role in thresholds.INDEPENDENT_ROLES:
    return bernoulli.SAMPLER
  return SAMPLERS[sampler] if isinstance(sampler, str) else sampler
