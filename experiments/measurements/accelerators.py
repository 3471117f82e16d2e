"""Operations and memory of a learning step on GPU and TPU, as JSON lines.

  python -m experiments.measurements.accelerators --num_steps=64,256

No accelerator is needed. The step is traced for the platform, and its loops,
matrix products and reductions are counted as often as they run; each product or
reduction is at least one launch. Temporaries are those that XLA's compiler for
CPU plans for the same network: coincidences as int8 matrix products, without
compiled kernels.
"""

import math
from typing import NamedTuple

from absl import flags
import jax
import jax.extend
import jax.numpy as jnp

from experiments.config import command
from experiments.measurements import json_lines
from experiments.measurements import steps
import ssnn_jax
from ssnn_jax.runs import provenance

PLATFORMS = ('cuda', 'tpu')
_REDUCTIONS = (
  *('reduce_sum', 'reduce_max', 'reduce_min', 'reduce_and', 'reduce_or'),
  *('cumsum', 'cummax', 'argmax', 'argmin', 'sort', 'scatter', 'scatter-add'),
)


class Work(NamedTuple):
  """Work of a program, with the number of times that each part runs."""

  loop_steps: int = 0  # one after another
  products: int = 0
  reductions: int = 0
  operations: float = 0  # multiplications and additions of the products

  def __add__(self, other: 'Work') -> 'Work':
    return Work(*map(sum, zip(self, other)))

  def repeat(self, length: int, is_loop: bool) -> 'Work':
    """Returns the work of several steps, in a loop or unrolled."""
    work = Work(*(length * own for own in self))
    return work._replace(loop_steps=max(work.loop_steps, length * is_loop))


def count(jaxpr: jax.extend.core.Jaxpr, platform: str) -> Work:
  """Counts the work of a traced program on one platform.

  Args:
    jaxpr: the program; its loops have a fixed length.
    platform: name of the platform.

  Returns:
    The work.
  """
  total, branches = Work(), {}
  for equation in jaxpr.eqns:
    name = equation.primitive.name
    if name == 'platform_index':
      branches[equation.outvars[0]] = _branch(equation, platform)
    elif name == 'cond':
      index = branches[equation.invars[0]]
      total += count(equation.params['branches'][index].jaxpr, platform)
    else:
      total += _count_equation(equation, platform)
  return total


def _count_equation(equation, platform):
  """Counts the work of an equation that is the same on all platforms."""
  name, parameters = equation.primitive.name, equation.params
  if name == 'while':
    raise ValueError('the length of a while loop is not known.')
  if name == 'scan':
    body, length = parameters['jaxpr'].jaxpr, parameters['length']
    is_loop = length > parameters['unroll']
    return count(body, platform).repeat(length, is_loop)
  if name == 'dot_general':
    return Work(products=1, operations=_operations(equation))
  if name in _REDUCTIONS:
    return Work(reductions=1)
  inner = jax.extend.core.jaxprs_in_params(parameters)
  return sum((count(own, platform) for own in inner), Work())


def _branch(equation, platform):
  """Returns the index of the branch that is for a platform."""
  listed = equation.params['platforms']
  return next(
    i for i, own in enumerate(listed) if own is None or platform in own
  )


def _operations(equation):
  (contracted, _), _ = equation.params['dimension_numbers']
  left = equation.invars[0].aval.shape
  summed = math.prod(left[axis] for axis in contracted)
  return 2.0 * summed * math.prod(equation.outvars[0].aval.shape)


def _measure(values):
  """Yields a line for each platform, sampler, T and window."""
  for sampler in ('bernoulli', 'sobol'):
    for num_steps in values['num_steps']:
      for window in sorted({32, num_steps}):
        config = ssnn_jax.NetworkConfig(
          tuple(values['layer_sizes']),
          num_steps=num_steps,
          window=min(window, num_steps),
          sampler=sampler,
          kernels=False,
          representation='dense',
        )
        yield from _describe(config, values['batch_size'])


def _describe(config, batch_size):
  """Yields the line of each platform for one network."""
  network = ssnn_jax.ssnn(config)
  step = jax.jit(steps.learn_step(network, is_spiking=True))
  key = jax.eval_shape(lambda: jax.random.key(0))
  arguments = (
    jax.eval_shape(network.init, key),
    key,
    jax.ShapeDtypeStruct((batch_size, config.layer_sizes[0]), jnp.uint8),
    jax.ShapeDtypeStruct((batch_size,), jnp.int32),
  )
  traced = step.trace(*arguments)
  memory = traced.lower().compile().memory_analysis()
  for platform in PLATFORMS:
    # An error where the platform lacks an operation.
    traced.lower(lowering_platforms=(platform,))
    work = count(traced.jaxpr.jaxpr, platform)
    yield {
      'platform': platform,
      'sampler': config.sampler,
      'window': config.schedule.window,
      'num_steps': config.num_steps,
      'layer_sizes': config.layer_sizes,
      'batch_size': batch_size,
      'loop_steps': work.loop_steps,
      'products': work.products,
      'reductions': work.reductions,
      'gigaoperations': round(work.operations / 1e9, 3),
      'temporaries_mib': round(memory.temp_size_in_bytes / 2**20, 2),
    }


def main() -> None:
  """Prints the work of a learning step on each platform."""
  values = flags.FLAGS.flag_values_dict()
  json_lines.write(__spec__.name, provenance.environment(), _measure(values))


if __name__ == '__main__':
  numbers = command.TupleParser(int)
  with command.group('Network'):
    flags.DEFINE(
      numbers, 'layer_sizes', (784, 256, 10), 'neurons of each layer.'
    )
    flags.DEFINE(numbers, 'num_steps', (64, 256), 'number of ticks T.')
    flags.DEFINE_integer('batch_size', 1024, 'size of a minibatch.', 1)
  command.launch(main)
