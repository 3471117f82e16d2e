"""Numbers as sums of signed powers of two, which spikes carry."""

import jax
import jax.numpy as jnp


def count_digits(values: jax.Array) -> jax.Array:
  """Counts the signed binary digits of numbers, as of `leading_digits`.

  They are as many as in the non-adjacent form, which differ in m and 3 m.
  """
  bits = jax.lax.bitcast_convert_type(values.astype(jnp.float32), jnp.uint32)
  mantissa = (bits & 0x7FFFFF) | 0x800000
  counts = jax.lax.population_count(mantissa ^ (3 * mantissa))
  return jnp.where(values != 0, counts, 0).astype(values.dtype)


def nearest_power(values: jax.Array) -> jax.Array:
  """Returns the powers of two nearest to numbers, with their signs.

  With p the largest power that does not exceed a number, that is 2 p from 1.5 p
  on, and p below; 0 of 0, and of numbers below 2^-127.
  """
  bits = jax.lax.bitcast_convert_type(values.astype(jnp.float32), jnp.uint32)
  # From 1.5 p on, half of p carries into the exponent; the sign stays.
  bits = (bits + jnp.uint32(0x400000)) & jnp.uint32(0xFF800000)
  return jax.lax.bitcast_convert_type(bits, jnp.float32).astype(values.dtype)


def leading_digits(values: jax.Array, digits: int) -> jax.Array:
  """Rounds numbers to their leading signed binary digits.

  A digit is the nearest power of two, the next that of the rest. NaN stays.
  """
  rest = values
  for _ in range(digits):
    rest = rest - nearest_power(rest)
  return values - rest
