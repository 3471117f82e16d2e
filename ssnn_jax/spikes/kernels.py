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

from ssnn_jax.spikes import kernel_library


def find(
  kernel: str,
  result: Any,
  reference: Callable[..., Any],
  *,
  use_kernel: bool,
  elsewhere: Callable[..., Any] | None = None,
  vmap_method: str = 'expand_dims',
  **options: Any,
) -> Callable[..., Any]:
  """Returns a compiled kernel on CPU if there is one, otherwise its reference.

  Args:
    kernel: name of the kernel.
    result: shapes and dtypes of what it returns.
    reference: the function of equal operands and results in JAX.
    use_kernel: whether the kernel may be used.
    elsewhere: the reference on other platforms, if it is another one.
    vmap_method: operands of the kernel in `jax.vmap`, as of `jax.ffi.ffi_call`.
    **options: other options of `jax.ffi.ffi_call`.

  Returns:
    The function of the operands.
  """
  on_cpu = reference
  if use_kernel and is_available(kernel):
    on_cpu = jax.ffi.ffi_call(
      kernel, result, vmap_method=vmap_method, **options
    )
  return by_platform(on_cpu, elsewhere or reference, use_kernel)


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
  # To trace a program for other platforms takes as long again.
  is_cpu = use_kernels and set(jax.extend.backend.backends()) == {'cpu'}
  if on_cpu is elsewhere or is_cpu:
    return on_cpu
  return functools.partial(
    jax.lax.platform_dependent, cpu=on_cpu, default=elsewhere
  )


def is_available(kernel: str) -> bool:
  """Returns whether a kernel is compiled for this process."""
  return kernel in _register()


@functools.cache
def _register() -> frozenset[str]:
  """Registers the kernels of the compiled library and returns their names."""
  # Elsewhere they would be compiled for nothing.
  compiled = kernel_library.load() if jax.default_backend() == 'cpu' else None
  if compiled is None:
    return frozenset()
  names = 'sample_hashed', 'sample_sobol', 'count', 'chip'
  names = frozenset(f'ssnn_{name}' for name in names)
  for name in names:
    capsule = jax.ffi.pycapsule(getattr(compiled, name))
    jax.ffi.register_ffi_target(name, capsule, platform='cpu')
  return names
