"""Compiled kernels for CPU: optional, and faster than the code XLA generates.

They are compiled when they are first needed (`kernel_library`). Where that is
not possible, the pure-JAX reference of each kernel runs instead, with equal
spikes and counts.
"""

from collections.abc import Callable
import functools

import jax
import jax.extend
import jax.numpy as jnp

from ssnn_jax.spikes import kernel_library
from ssnn_jax.spikes import thresholds


def is_available(kernel: str | None) -> bool:
  """Returns whether a kernel is compiled for this process.

  Args:
    kernel: name of the kernel; None is never available.

  Returns:
    Whether it can be called.
  """
  return kernel is not None and kernel in _register()


@functools.cache
def is_only_platform() -> bool:
  """Returns whether this process has no other platform than CPU.

  Programs need not be traced for others, which takes as long again.
  """
  return set(jax.extend.backend.backends()) == {'cpu'}


def fire(
  source: thresholds.Thresholds,
  rates: jax.Array,
  mask: jax.Array,
  *,
  reference: Callable[..., jax.Array],
) -> jax.Array:
  """Draws the thresholds of one sample in one word and fires below the rates.

  Args:
    source: thresholds of one sample in the word; it names the kernel.
    rates: `[N]` spikes per tick, in [0, 1].
    mask: uint32, ticks of the word that may hold spikes.
    reference: `(source, rates, mask, is_fused) -> spikes`, used where the
      kernel is not compiled and on other platforms; fused it is a single loop
      over neurons, as accelerators need it.

  Returns:
    `[N]` uint32 spikes, one bit per tick.
  """
  on_cpu = functools.partial(reference, is_fused=False)
  if is_available(source.kernel):
    on_cpu = _fire
  if source.kernel and is_only_platform():
    return on_cpu(source, rates, mask)
  elsewhere = functools.partial(reference, is_fused=True)
  return jax.lax.platform_dependent(
    source, rates, mask, cpu=on_cpu, default=elsewhere
  )


def _fire(source, rates, mask):
  call = jax.ffi.ffi_call(
    source.kernel,
    jax.ShapeDtypeStruct(rates.shape, jnp.uint32),
    vmap_method='expand_dims',
  )
  return call(source.state, source.own, rates, mask[None])


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
  names = 'ssnn_sample_hashed', 'ssnn_sample_sobol', 'ssnn_count'
  # Some kernels are compiled only for processors on which they are faster.
  names = frozenset(name for name in names if hasattr(compiled, name))
  for name in names:
    capsule = jax.ffi.pycapsule(getattr(compiled, name))
    jax.ffi.register_ffi_target(name, capsule, platform='cpu')
  return names
