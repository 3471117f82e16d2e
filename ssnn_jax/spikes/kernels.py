"""Compiled kernels for CPU: optional, and faster than the code XLA generates.

`compile_kernels` compiles them. Where no library exists for this processor,
jaxlib and version of the sources, the pure-JAX reference of each kernel runs
instead, with equal spikes and counts.
"""

from collections.abc import Callable
import ctypes
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import platform

import jax
import jax.numpy as jnp

from ssnn_jax.spikes import thresholds

_SOURCES = pathlib.Path(__file__).with_name('cpu')


def is_available(kernel: str | None) -> bool:
  """Returns whether a kernel is compiled for this process.

  Args:
    kernel: name of the kernel; None is never available.

  Returns:
    Whether it can be called.
  """
  return kernel in _register()


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
    reference: `(source, rates, mask) -> spikes`, used where the kernel is not
      compiled and on other platforms.

  Returns:
    `[N]` uint32 spikes, one bit per tick.
  """
  if not is_available(source.kernel):
    return reference(source, rates, mask)
  return jax.lax.platform_dependent(
    source, rates, mask, cpu=_fire, default=reference
  )


def _fire(source, rates, mask):
  call = jax.ffi.ffi_call(
    source.kernel,
    jax.ShapeDtypeStruct(rates.shape, jnp.uint32),
    vmap_method='expand_dims',
  )
  return call(source.shared, source.own, rates, mask[None])


def counter(
  reference: Callable[..., jax.Array], use_kernels: bool
) -> Callable[..., jax.Array]:
  """Returns the fastest function that counts packed coincidences on CPU.

  Args:
    reference: `(counts, presynaptic, positive, negative) -> counts`; adds
      coincidences, positive minus negative, to `[I, J]` int32 counts. Spikes
      are `[R, I]` and `[R, J]` uint32 words; a neuron spikes in at most one of
      its two streams at a tick.
    use_kernels: whether the compiled kernel may be used.

  Returns:
    The compiled kernel if there is one, otherwise the reference.
  """
  return _count if use_kernels and is_available('ssnn_count') else reference


def _count(counts, presynaptic, positive, negative):
  call = jax.ffi.ffi_call(
    'ssnn_count',
    jax.ShapeDtypeStruct(counts.shape, jnp.int32),
    vmap_method='broadcast_all',
    input_output_aliases={0: 0},
  )
  return call(counts, presynaptic, positive, negative)


@functools.cache
def _register() -> frozenset[str]:
  """Registers the kernels of the compiled library and returns their names."""
  if not compiled_library().exists():
    return frozenset()
  compiled = ctypes.CDLL(str(compiled_library()))
  names = ('ssnn_sample_hashed', 'ssnn_sample_shifted', 'ssnn_count')
  # Some kernels are compiled only for processors on which they are faster.
  names = frozenset(name for name in names if hasattr(compiled, name))
  for name in names:
    capsule = jax.ffi.pycapsule(getattr(compiled, name))
    jax.ffi.register_ffi_target(name, capsule, platform='cpu')
  return names


def sources() -> list[pathlib.Path]:
  """Lists the C++ source files of the kernels."""
  return sorted(_SOURCES.glob('*.cc'))


def compiled_library() -> pathlib.Path:
  """Returns the path of the compiled library, whether it exists or not.

  The name of the file depends on the sources, jaxlib and the processor.
  """
  files = sorted([*_SOURCES.glob('*.h'), *sources()])
  parts = [file.read_text() for file in files]
  parts += [importlib.metadata.version('jaxlib'), processor()]
  digest = hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]
  return _SOURCES / f'kernels-{digest}.so'


def processor() -> str:
  """Returns the system, architecture and instruction sets of the processor."""
  features = []
  if os.path.exists('/proc/cpuinfo'):
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    features = [s for s in lines if s.startswith(('flags', 'Features'))][:1]
  return ' '.join([platform.system(), platform.machine(), *features])
