"""Explains what `spike` makes of a function, line by line: `explain`."""

from collections.abc import Callable
import math
import pathlib
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import powers
from ssnn_jax import types
from ssnn_jax.spiking import additions
from ssnn_jax.spiking import stream
from ssnn_jax.spiking import transform


class Row(NamedTuple):
  """What a line of the user's code became; numbers are those of a sample."""

  where: str  #: path and line; '' of outputs
  #: 'wiring', 'synapses', 'product', 'winner'; or of neurons 'inputs',
  #: 'neurons', 'relay', 'bits' and 'outputs'
  kind: str
  shape: tuple[int, ...]  #: the largest one, of all samples
  code: str  #: of neurons
  spikes: float  #: signed powers of two that are sent, or bits
  error_spikes: float  #: that are sent back
  forward: float  #: additions of values
  back: float  #: additions of errors
  synapses: float  #: additions to what synapses collect
  products: float  #: multiply-accumulates of the ANN, forward
  learning_products: float  #: forward, back and of the gradient
  silent: float = np.nan  #: share of neurons that send 0
  closed: float = np.nan  #: share that no error passes, as f' is 0
  rounded: float = np.nan  #: share that sends 0 though f(v) is not 0
  error: float = np.nan  #: root mean square of the errors that arrive


_SUMS, _SHARES = Row._fields[4:11], Row._fields[11:14]


class Explanation(NamedTuple):
  """Rows in the order of the computation, and notes; prints as a table."""

  rows: tuple[Row, ...]
  notes: tuple[str, ...]

  @property
  def total(self) -> Row:
    """The sums of all rows."""
    sums = (sum(getattr(row, name) for row in self.rows) for name in _SUMS)
    return Row('', 'total', (), '', *sums)

  @property
  def ratios(self) -> tuple[float, float]:
    """Additions for a product of the ANN: forward, and with learning."""
    own = self.total
    learning = own.forward + own.back + own.synapses
    return (
      own.forward / max(own.products, 1),
      learning / max(own.learning_products, 1),
    )

  def __repr__(self):
    titles = 'line kind shape code sent back forward back synapses ANN'.split()
    lines = [
      [*[''] * 4, 'spikes', '', 'additions', '', '', 'products', *[''] * 4],
      [*titles, *_SHARES, 'error'],
    ]
    for row in (*self.rows, self.total):
      lines.append([
        pathlib.Path(row.where).name[-20:], row.kind,
        'x'.join(map(str, row.shape)), row.code, *map(_shorten, row[4:10]),
        *(f'{own:.0%}' for own in row[11:14]), f'{row.error:.1e}',
      ])  # fmt: skip
    lines = [[own.replace('nan%', '').replace('nan', '') for own in line]
             for line in lines]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
      line[:4] = map(str.ljust, line[:4], widths)
      line[4:] = map(str.rjust, line[4:], widths[4:])
    forward, learning = self.ratios
    return '\n'.join([
      *(' '.join(line).rstrip() for line in lines),
      f'Additions for a product of the ANN: {forward:.2f} forward, '
      f'{learning:.2f} with learning. All numbers are those of a sample.',
      *self.notes,
    ])  # fmt: skip


def _shorten(number):
  for unit in ('', 'k', 'M'):
    if number < 9999.5:
      return f'{number:.4g}{unit}' if number else ''
    number /= 1000
  return f'{number:.4g}G'


def explain(
  function: Callable,
  params: Any,
  signals: Any,
  *,
  loss: Callable[[Any], jax.Array] | None = None,
  num_steps: int | None = None,
  digits: int = 3,
  error_digits: int = 2,
  output_digits: int = 3,
  bptt: bool = True,
) -> Explanation:
  """Explains what `spike` makes of a function, line by line, and what it costs.

  Synapses, and products of what two neurons have sent, add for each digit that
  arrives: of a value, of an error, and in a synapse of their products. Wires
  add numbers; of a sum that they bring to synapses its own digits arrive. A
  spike is a signed power of two, of a staircase that of a count. Errors that
  only inputs would hear are not sent. What functions of neurons cost is not
  counted, of neither network.

  Args:
    function: `function(params, signals)`, as of `spike`; others of its
      arguments by `functools.partial`.
    params: its parameters.
    signals: its signals, the leading axis of whose first array has samples.
    loss: of the outputs, a number; None draws standard normal output errors.
    num_steps: N of staircases, as of `spike`; None: digits alone.
    digits: of values, as of `spike`.
    error_digits: of errors.
    output_digits: of the errors of outputs.
    bptt: as of `spike`. Without it notes name the operations of scans that have
      errors of the moment alone, and what synapses store of a sample of signals
      `[B, L, ...]` in a `stream`.

  Returns:
    Rows of each line, kind and code, which print as a table. Steps of a scan,
    and calls of a line, are added up.

  Raises:
    UserError: as `spike`.

  Example:
    >>> import ssnn_jax
    >>> def model(params, x):
    ...   return jax.nn.relu(x @ params)
    >>> x, params = jnp.array([[0.5, -1.0]]), jnp.array([[3.0], [1.0]])
    >>> own = ssnn_jax.explain(model, params, x).rows[1]
    >>> own.kind, own.forward, own.products  # two digits, two products
    ('synapses', 2.0, 2.0)
  """
  spiking = transform.spike(
    function, num_steps=num_steps, digits=digits, error_digits=error_digits,
    output_digits=output_digits, bptt=bptt,
  )  # fmt: skip
  codes = spiking.codes
  traced = transform.trace(function, params, signals)
  shape = next(map(np.shape, jax.tree.leaves(signals)), ())
  batch = max(1, shape[0]) if shape else 1
  observers = []

  def run(arrays, probes=None):
    observers.append(additions.Observer(codes, batch, probes))
    outputs = observers[-1].run(traced, *arrays)
    return outputs, observers[-1].measures

  def find_loss(outputs):
    if loss is not None:
      return loss(jax.tree.unflatten(traced.structure, outputs))
    keys = jax.random.split(jax.random.key(0), len(outputs))
    parts = [
      jnp.vdot(own, jax.random.normal(key, own.shape, own.dtype))
      for key, own in zip(keys, outputs) if additions.is_float(own)
    ]  # fmt: skip
    return sum(own.astype(jnp.float32) for own in [jnp.zeros(()), *parts])

  @jax.jit
  def measure(arrays):
    jax.eval_shape(run, arrays)
    probes = [jnp.zeros(own.shape, own.dtype) for own in observers[-1].shapes]
    outputs, pull, measures = jax.vjp(
      lambda probes: run(arrays, probes), probes, has_aux=True
    )
    (errors,) = pull(jax.grad(find_loss, allow_int=True)(outputs))
    flat = [own.astype(jnp.float32).ravel() for own in errors]
    flat = jnp.concatenate([*flat, jnp.zeros(0)])
    return measures, errors, powers.count_digits(flat)

  measures, errors, counts = jax.device_get(measure(traced.arrays))
  counts = np.split(counts, np.cumsum([own.size for own in errors])[:-1])
  counts = [own.reshape(error.shape) for own, error in zip(counts, errors)]
  found = {}
  for layer, arrays in zip(observers[-1].layers, measures):
    where, kind, shape, code, probes = layer
    if 'steps' in arrays:
      code = f'fire N={arrays["steps"]:.0f}'
    row = found.setdefault((where, kind, code), {'shape': shape})
    row['shape'] = max(row['shape'], shape, key=np.prod)
    sums = dict(arrays)
    if len(probes) == 1:
      own = counts[probes[0]]
      own = own if kind in ('synapses', 'product') else own != 0
      sums |= {name: own * arrays[name] for name in ('back', 'synapses')}
    if len(probes) == 2:
      error = np.float64(errors[probes[1]])
      sums |= {'error_spikes': counts[probes[0]], 'error': error**2}
      sums['num_errors'] = error.size
    sums['num_neurons'] = np.prod(shape)
    for name, own in sums.items():
      row[name] = row.get(name, 0.0) + np.sum(own, dtype=np.float64)
  rows = []
  for (where, kind, code), row in found.items():
    sums = [row.get(name, 0.0) / batch for name in _SUMS]
    sums += [row.get(name, np.nan) / row['num_neurons'] for name in _SHARES]
    sums.append(np.sqrt(row.get('error', np.nan) / row.get('num_errors', 1)))
    rows.append(Row(where, kind, row['shape'], code, *map(float, sums)))
  notes = [*observers[-1].notes]
  if not bptt:
    notes.append(_count_eligibilities(spiking, params, signals))
  return Explanation(tuple(rows), tuple(notes))


def _count_eligibilities(spiking, params, signals):
  """Says what a stream of the signals stores, or why there is none."""
  try:
    moments = stream.Moments(spiking, params, 1)
    memory = moments.start(jax.tree.map(lambda own: own[:1, 0], signals))
  except (types.UserError, IndexError) as error:
    return f'There is no stream: {error}'
  stored = [own.shape[1:] for own in jax.tree.leaves(memory.eligibilities)]
  weights = sum(math.prod(own[1:]) for own in stored)
  eligibilities = sum(map(math.prod, stored))
  return (
    f'A stream stores {eligibilities:,} eligibilities of {weights:,} weights.'
  )
