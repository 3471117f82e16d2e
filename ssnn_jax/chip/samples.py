"""Samples presented one after another, by the rules or by a compiled kernel."""

import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.chip import kernel
from ssnn_jax.chip import rules
from ssnn_jax.chip.config import ChipConfig


class Presented(NamedTuple):
  """State of the chip after several samples, and what each of them gave."""

  weights: rules.Weights
  generators: rules.Generators
  response: rules.Response  #: of each sample, [B, C]
  spikes: tuple[jax.Array, ...]  #: [B, N_l] int32, of inputs and hidden layers
  errors: tuple[jax.Array, ...]  #: [B, N_{l+1}] int32, of both signs


def present(
  config: ChipConfig,
  weights: rules.Weights,
  generators: rules.Generators,
  pixels: jax.Array,
  labels: jax.Array,
  enable: jax.Array,
  *,
  use_kernel: bool = True,
) -> Presented:
  """Presents samples one after another; the weights change all the time.

  The arguments are those of `rules.present`, with an axis [B] of the samples.
  The compiled kernel, which `use_kernel` allows on CPU, is equal, bit for bit,
  and many times faster.
  """
  present = by_rules = functools.partial(_by_rules, config)
  if use_kernel and kernel.is_available():
    by_kernel = functools.partial(_by_kernel, config)
    present = kernel.by_platform(by_kernel, by_rules)
  return present(weights, generators, pixels, labels, enable)


def _by_rules(config, weights, generators, pixels, labels, enable):
  def advance(state, sample):
    after = rules.present(config, *state, *sample)
    count = lambda x: jnp.sum(jnp.abs(jnp.int32(x)), axis=0)
    spikes, errors = (tuple(map(count, own)) for own in after.trace.spikes[:2])
    state = after.weights, after.generators
    return state, (after.response, spikes, errors)

  state, each = jax.lax.scan(
    advance, (weights, generators), (pixels, labels, enable)
  )
  return Presented(*state, *each)


def _by_kernel(config, weights, generators, pixels, labels, enable):
  state = [*weights, *generators]
  num_samples, classes = len(labels), config.layer_sizes[-1]
  sizes = [*config.layer_sizes[:-1], *config.layer_sizes[1:]]
  counts = jax.ShapeDtypeStruct((num_samples, sum(sizes)), jnp.int32)
  output = jax.ShapeDtypeStruct((num_samples, classes), jnp.int32)
  call = jax.ffi.ffi_call(
    kernel.NAME,
    [output, output, counts]
    + [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in state],
    vmap_method='broadcast_all',
    input_output_aliases={3 + index: 3 + index for index in range(len(state))},
  )
  votes, drive, counts, *state = call(
    pixels, labels, enable, *state, **_attributes(config)
  )
  counts = jnp.split(counts, np.cumsum(sizes)[:-1], axis=1)
  return Presented(
    weights=tuple(state[: config.num_layers]),
    generators=rules.Generators(*state[config.num_layers :]),
    response=rules.Response(votes, drive),
    spikes=tuple(counts[: config.num_layers]),
    errors=tuple(counts[config.num_layers :]),
  )


def _attributes(config: ChipConfig) -> dict[str, Any]:
  """Returns the configuration in numbers, as the kernel reads it."""
  numbers = config.num_steps, config.weight_bits, config.first_vote
  arrays = {
    'sizes': config.layer_sizes,
    'fractions': config.fractions,
    'worths': config.worths,
    'gumbel': config.gumbel_table,
    'sobol': rules.sobol_rows(),
    'numbers': numbers,
  }
  return {name: np.array(own, np.int32) for name, own in arrays.items()}
