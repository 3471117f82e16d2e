"""Memory of a training step of signals, by the number of their moments.

  python -m experiments.measurements.memory

The model is that of `experiments.models.signals`. Errors that are local in time
need its traces alone (`streams.make_gradient`), backpropagation through time
the whole signal. The table has the bytes of temporary arrays of one compiled
step, without its arguments and results; with `--json` a line has one number.
"""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import pandas as pd

from experiments import command
from experiments.measurements import lines
from experiments.models import signals
import ssnn_jax
from ssnn_jax import streams

FLAGS = flags.FLAGS
ERRORS = 'local', 'through time'
_CHANNELS = 12


def count_bytes(errors: str, length: int, width: int, batch_size: int) -> int:
  """Counts the bytes of temporary arrays of a step.

  Args:
    errors: one of `ERRORS`.
    length: L, moments of a signal.
    width: neurons of each of two layers.
    batch_size: signals.
  """
  shape, is_local = (length, _CHANNELS), errors == 'local'
  model = signals.make(shape, width=width, bptt=not is_local)
  if is_local:
    learn = streams.make_gradient(model)
  else:
    learn = jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True)
  params = jax.eval_shape(model.init, jax.random.key(0))
  inputs = jax.ShapeDtypeStruct((batch_size, *shape), jnp.float32)
  labels = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
  lowered = jax.jit(learn).lower(params, jax.random.key(0), inputs, labels)
  return int(lowered.compile().memory_analysis().temp_size_in_bytes)


def measure(
  lengths: Sequence[int], width: int = 128, batch_size: int = 8
) -> Iterator[dict[str, Any]]:
  """Yields the line of each length, and of each of `ERRORS`."""
  for length in map(int, lengths):
    for errors in ERRORS:
      found = count_bytes(errors, length, width, batch_size)
      line = {'dataset': 'signals', 'method': 'ssnn', 'width': width}
      line |= {'batch_size': batch_size, 'length': length, 'errors': errors}
      yield line | {'temporary_bytes': found}


def _main():
  measured = measure(FLAGS.lengths, FLAGS.width, FLAGS.batch_size)
  if FLAGS.json:
    lines.write(__spec__.name, measured)
    return
  table = pd.DataFrame(measured)
  table = table.pivot(
    index='length', columns='errors', values=table.columns[-1]
  )
  print(table.map('{:,}'.format))


if __name__ == '__main__':
  flags.DEFINE_list('lengths', '100,1000,10000', 'moments of a signal.')
  flags.DEFINE_integer('width', 128, 'neurons of each of two layers.', 1)
  flags.DEFINE_integer('batch_size', 8, 'signals of a step.', 1)
  flags.DEFINE_boolean('json', False, 'print lines for a study.')
  command.launch(_main)
