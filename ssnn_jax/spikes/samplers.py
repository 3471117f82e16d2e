"""Samplers by name."""

from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes import shift_registers
from ssnn_jax.spikes import sobol
from ssnn_jax.spikes import thresholds

SAMPLERS = {
  'bernoulli': lambda: bernoulli.SAMPLER,
  'sobol': lambda: sobol.SAMPLER,
  'lfsr': shift_registers.lfsr,
  'lfsr_shared': lambda: shift_registers.lfsr(is_shared=True),
}


def find(
  sampler: str | thresholds.Sampler, role: thresholds.Role
) -> thresholds.Sampler:
  """Returns the sampler of a role.

  Args:
    sampler: of the trains: a key of `SAMPLERS`, or a sampler.
    role: the role; some are always independent.

  Returns:
    The sampler.
  """
  if role in thresholds.INDEPENDENT_ROLES:
    return bernoulli.SAMPLER
  if isinstance(sampler, thresholds.Sampler):
    return sampler
  return SAMPLERS[sampler]()
