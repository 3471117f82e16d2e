"""Compiled kernels for CPU: optional, and faster than what XLA makes.

`compile_kernels` makes a library of them. Where there is none, or one made for
another processor, jaxlib or version of this package, the pure-JAX twin of each
kernel runs: the spikes and counts are the same.
"""

import ctypes
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import platform

import jax
import jax.numpy as jnp

_SOURCES = pathlib.Path(__file__).with_name('cpu')


def is_available(kernel: str | None) -> bool:
  """Tells whether a kernel has been compiled for this process.

  Args:
    kernel: its name; None is never there.

  Returns:
    Whether it can be called.
  """
  return kernel in _register()


def sample(
  kernel: str,
  shared: jax.Array,
  own: jax.Array,
  rates: jax.Array,
  mask: jax.Array,
) -> jax.Array:
  """Draws the thresholds of one sample in one word, and fires below the rates.

  Args:
    kernel: the sampler's kernel.
    shared: `[S]` uint32, what the neurons share in drawing thresholds.
    own: `[1]` or `[N]` uint32, what tells them apart.
    rates: `[N]` spikes per tick, in [0, 1].
    mask: uint32, the ticks of the word that may hold spikes.

  Returns:
    `[N]` uint32 spikes, one bit a tick.
  """
  call = jax.ffi.ffi_call(
    kernel,
    jax.ShapeDtypeStruct(rates.shape, jnp.uint32),
    vmap_method='expand_dims',
  )
  return call(shared, own, rates, mask[None])


def count(
  counts: jax.Array,
  presynaptic: jax.Array,
  positive: jax.Array,
  negative: jax.Array,
) -> jax.Array:
  """Adds signed coincidences, positive minus negative.

  Args:
    counts: `[I, J]` int32 counts so far.
    presynaptic: `[R, I]` uint32 spikes entering a layer, word after word.
    positive: `[R, J]` uint32 positive error spikes of its neurons.
    negative: `[R, J]` uint32 negative ones; none at a tick with a positive one.

  Returns:
    `[I, J]` int32 counts.
  """
  call = jax.ffi.ffi_call(
    'ssnn_count',
    jax.ShapeDtypeStruct(counts.shape, jnp.int32),
    vmap_method='broadcast_all',
    input_output_aliases={0: 0},
  )
  return call(counts, presynaptic, positive, negative)


@functools.cache
def _register() -> frozenset[str]:
  """Registers the kernels that the library holds, and names them."""
  if not compiled_library().exists():
    return frozenset()
  compiled = ctypes.CDLL(str(compiled_library()))
  names = ('ssnn_sample_hashed', 'ssnn_sample_shifted', 'ssnn_count')
  # Some are compiled only for processors on which they are worth it.
  names = frozenset(name for name in names if hasattr(compiled, name))
  for name in names:
    capsule = jax.ffi.pycapsule(getattr(compiled, name))
    jax.ffi.register_ffi_target(name, capsule, platform='cpu')
  return names


def sources() -> list[pathlib.Path]:
  """Lists the C++ files that the kernels are compiled from."""
  return sorted(_SOURCES.glob('*.cc'))


def compiled_library() -> pathlib.Path:
  """Names the library after all that it is made from and for.

  Returns:
    Its path, whether it is there or not.
  """
  files = sorted([*_SOURCES.glob('*.h'), *sources()])
  parts = [
    *(file.read_text() for file in files),
    importlib.metadata.version('jaxlib'),
    processor(),
  ]
  digest = hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]
  return _SOURCES / f'kernels-{digest}.so'


def processor() -> str:
  """Tells processors apart that may not run each other's instructions.

  Returns:
    The system, the architecture and, where they are known, its extensions.
  """
  features = []
  if os.path.exists('/proc/cpuinfo'):
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    features = [s for s in lines if s.startswith(('flags', 'Features'))][:1]
  return ' '.join([platform.system(), platform.machine(), *features])
