"""Compiled kernels for CPU: optional, and faster than the code XLA generates.

They are compiled when they are first needed (`kernel_library`). Where that is
not possible, the pure-JAX reference of each kernel runs instead, with equal
spikes and counts.
"""

from collections.abc import Callable
import functools
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp

from ssnn_jax.spikes import kernel_library


def is_available(kernel: str) -> bool:
  """Returns whether a kernel is compiled for this process."""
  return kernel in _register()


@functools.cache
def is_only_platform() -> bool:
  """Returns whether this process has no other platform than CPU.

  Programs need not be traced for others, which takes as long again.
  """
  return set(jax.extend.backend.backends()) == {'cpu'}


def by_platform(
  on_cpu: Callable[..., Any], elsewhere: Callable[..., Any], use_kernels: bool
) -> Callable[..., Any]:
  """Returns the function of the platform on which a program runs.

  Args:
    on_cpu: the function on CPU, which may call a kernel.
    elsewhere: the function on other platforms.
    use_kernels: whether kernels may be used; without, a program can be exported
      to platforms that this process does not have.

  Returns:
    The function.
  """
  if on_cpu is elsewhere or (use_kernels and is_only_platform()):
    return on_cpu
  return functools.partial(
    jax.lax.platform_dependent, cpu=on_cpu, default=elsewhere
  )


def sample(
  kernel: str,
  reference: Callable[..., jax.Array],
  use_kernel: bool,
  operands: tuple[jax.Array, ...],
  fused: Callable[..., jax.Array] | None = None,
) -> jax.Array:
  """Samples the spikes of one sample in the windows of one word.

  Args:
    kernel: name of the compiled kernel.
    reference: `(*operands) -> spikes`, where the kernel is not used.
    use_kernel: whether the kernel may be used, on CPU.
    operands: `[S]` uint32 state of the word, `[O]` uint32 state of the sample
      and its neurons, `[W, N]` spikes per tick in [0, 1], and the `[W]` uint32
      masks of the ticks of the windows.
    fused: the reference as a single loop over neurons, as accelerators need it;
      None if it is one anyway.

  Returns:
    `[N]` uint32 spikes of all windows, one bit per tick.
  """
  on_cpu = reference
  if use_kernel and is_available(kernel):
    on_cpu = functools.partial(_sample, kernel)
  return by_platform(on_cpu, fused or reference, use_kernel)(*operands)


def _sample(kernel, state, own, rates, masks):
  call = jax.ffi.ffi_call(
    kernel,
    jax.ShapeDtypeStruct(rates.shape[1:], jnp.uint32),
    vmap_method='expand_dims',
  )
  return call(state, own, rates, masks)


def sum_rows(
  reference: Callable[..., jax.Array],
  use_kernels: bool,
  weights: jax.Array,
  words: jax.Array,
  ticks: jax.Array,
) -> jax.Array:
  """Sums the weights of the rows that spike, tick by tick, for one sample.

  Args:
    reference: `(weights, words, ticks) -> sums`, where the kernel is not used.
    use_kernels: whether the kernel may be used, on CPU.
    weights: `[I, J]` int32.
    words: `[I]` uint32 spikes of the rows.
    ticks: `[W]` uint32; each has the bit of one tick, or of none.

  Returns:
    `[W, J]` int32 sums.
  """
  operands = weights, words, ticks
  if not (use_kernels and is_available('ssnn_sum_rows')):
    return reference(*operands)
  on_cpu = jax.ffi.ffi_call(
    'ssnn_sum_rows',
    jax.ShapeDtypeStruct((len(ticks), weights.shape[1]), jnp.int32),
    vmap_method='expand_dims',
  )
  return by_platform(on_cpu, reference, use_kernels)(*operands)


def counter(
  reference: Callable[..., jax.Array], use_kernels: bool
) -> Callable[..., jax.Array]:
  """Returns the fastest function that counts packed coincidences on CPU.

  Args:
    reference: `(counts, presynaptic, positive, negative) -> (counts, errors)`;
      adds coincidences, positive minus negative, to `[I, J]` int32 counts, and
      counts the error spikes, `[J]` int32. Spikes are `[R, I]` and `[R, J]`
      uint32 words; a neuron spikes in at most one of its two streams at a tick.
    use_kernels: whether the compiled kernel may be used.

  Returns:
    The compiled kernel if there is one, otherwise the reference.
  """
  return _count if use_kernels and is_available('ssnn_count') else reference


def _count(counts, presynaptic, positive, negative):
  call = jax.ffi.ffi_call(
    'ssnn_count',
    (
      jax.ShapeDtypeStruct(counts.shape, jnp.int32),
      jax.ShapeDtypeStruct(counts.shape[1:], jnp.int32),
    ),
    vmap_method='broadcast_all',
    input_output_aliases={0: 0},
  )
  return call(counts, presynaptic, positive, negative)


@functools.cache
def _register() -> frozenset[str]:
  """Registers the kernels of the compiled library and returns their names."""
  # Elsewhere they would be compiled for nothing.
  compiled = kernel_library.load() if jax.default_backend() == 'cpu' else None
  if compiled is None:
    return frozenset()
  names = 'sample_hashed', 'sample_sobol', 'sum_rows', 'count', 'chip'
  names = [f'ssnn_{name}' for name in names]
  # Some kernels are compiled only for processors on which they are faster.
  names = frozenset(name for name in names if hasattr(compiled, name))
  for name in names:
    capsule = jax.ffi.pycapsule(getattr(compiled, name))
    jax.ffi.register_ffi_target(name, capsule, platform='cpu')
  return names
