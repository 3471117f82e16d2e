"""Counts what a network of `spike` adds: the interpreter below `explain`.

It interprets as `spike`, with zeros that are added to all potentials and to
what neurons send: derivatives by these probes are the errors that arrive there.
Additions are counted by the operations themselves: a dense layer of numbers of
digits, with weights of 1, is how many digits arrive.
"""

import functools
import pathlib
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import powers
from ssnn_jax.spiking import transform

SUMS = 'forward', 'back', 'synapses', 'products', 'learning_products'
_MOST_DIGITS = 24  # of float32


class Known(NamedTuple):
  """What is known of an array that depends on signals, by its id.

  Attributes:
    array: kept, so that its id stays its own.
    counts: of the digits that its elements bring; None if by their values.
    learns: whether weights, and so errors, come before.
  """

  array: jax.Array
  counts: jax.Array | None
  learns: bool


class Observer(transform.Interpreter):
  """Notes what each operation becomes, and what it adds."""

  def __init__(self, codes: transform.Codes, batch: int, probes: Any = None):
    """Adds probes, in order; of None it notes their shapes alone."""
    super().__init__(codes)
    self.batch, self.probes, self.shapes = batch, probes, []
    self.known, self.weights, self.results = {}, {}, []
    # Of neurons and of results of operations: names, probes; and arrays.
    self.layers, self.measures, self.notes = [], [], {}

  def probe(self, array):
    """Returns an array with a probe, and the number of the probe."""
    number = len(self.shapes)
    self.shapes.append(jax.ShapeDtypeStruct(array.shape, array.dtype))
    return array if self.probes is None else array + self.probes[number], number

  def add(self, where, kind, shape, code, probes, arrays):
    """Adds neurons, or a result of an operation, to be measured."""
    self.layers.append([where, kind, shape, code, probes])
    self.measures.append(arrays)

  def send(self, potential, cell):
    """Sends; notes digits and slopes."""
    if cell.kind == 'bits':
      sent = super().send(potential, cell)
      is_one = sent.astype(bool)
      arrays = {'spikes': is_one, 'silent': ~is_one}
      self.add(cell.where, 'bits', sent.shape, '1 bit', (), arrays)
      return sent
    learns = id(potential) in self.known and self.known[id(potential)].learns
    probed, back = self.probe(potential)
    sent = super().send(probed, cell)
    value, pull = jax.vjp(lambda v: cell.function(v, cell.constants), potential)
    (slope,) = pull(jnp.ones_like(value))
    is_open = transform.encode_error(slope, value, cell, self.codes) != 0
    code, steps = f'digits {self.codes.digits}', cell.steps
    if cell.has_own_code:
      code, steps = 'fire', _find_steps(cell, potential)
    elif steps is not None:
      code = f'N={self.codes.num_steps}' + f', {code}' * bool(np.ndim(steps))
    counts = sent
    if steps is not None:
      counts = jnp.asarray(steps, sent.dtype)
      counts = jnp.where(counts > 0, jnp.round(counts * sent), sent)
    counts = powers.count_digits(counts)
    # What `fire` would send without steps is not known, but that it is not 0.
    is_rounded = (is_open if cell.has_own_code else value != 0) & (sent == 0)
    arrays = {'spikes': counts, 'silent': sent == 0, 'closed': ~is_open,
              'rounded': is_rounded}  # fmt: skip
    arrays |= {'steps': steps} if cell.has_own_code else {}
    sent, arrived = self.probe(sent)
    self.known[id(sent)] = Known(sent, counts, learns)
    probes = (back, arrived) if learns else ()
    self.add(cell.where, cell.kind, sent.shape, code, probes, arrays)
    return sent

  def output(self, value):
    """Returns an output; notes its errors."""
    value, number = self.probe(value)
    code = f'digits {self.codes.output_digits}'
    self.add('', 'outputs', value.shape, code, (number, number), {})
    return super().output(value)

  def watch(self, what, eqn, operate, operands):
    """Notes an operation, whose results are given to `base` next."""
    where, name = self.find_line(eqn), eqn.primitive.name
    self.note(what, where, operate, operands)
    is_sum = name.startswith('reduce') and 0 in eqn.params.get('axes', ())
    if is_sum and operands[0].shape[0] == self.batch > 1:
      where = pathlib.Path(where).name
      self.notes[f'{where}: {name} of different samples, which are no longer '
                 'independent.'] = None  # fmt: skip

  def note(self, what, where, operate, operands):
    """Counts additions to each result; back and in synapses, of one error."""
    ids, operands = list(map(id, operands)), list(map(jnp.asarray, operands))
    floats = [n for n, own in enumerate(operands) if is_float(own)]
    known = {n: self.known[ids[n]] for n in floats if ids[n] in self.known}
    weights = [n for n in floats if ids[n] in self.weights]
    learning = [n for n, own in known.items() if own.learns]
    # Of weights that are 0 there are synapses, of constants no wires.
    ones = list(map(_mark, operands))
    for n in (*known, *weights):
      ones[n] = jnp.ones_like(ones[n])
    results = jax.tree.leaves(jax.eval_shape(operate, *operands))
    if not all(map(is_float, results)):
      return
    none = [jnp.zeros(own.shape, own.dtype) for own in results]
    total = lambda parts: [sum(own) for own in zip(none, *parts)]
    flow = functools.partial(_flow, operate, ones)
    compute = lambda values: jax.tree.leaves(
      operate(*(values.get(n, own) for n, own in enumerate(ones)))
    )
    products, counts, factors = none, [None] * len(none), 0
    if what in ('synapses', 'product'):
      digits = {n: _find_counts(own) for n, own in known.items()}
      forward = compute(digits)
      back = total(compute({**digits, n: ones[n]}) for n in learning)
      if len(operands) == 1 and learning:  # a square
        back = [digits[0]]
      synapses = total(forward for _ in weights)
      if known:  # a token selects, without a product
        products, factors = compute({}), 1 + len(learning) + len(weights)
    elif what == 'winner':
      forward = back = [jnp.ones_like(own) for own in none]
      synapses = none
    else:
      forward = total(flow(n, _mark(operands[n])) for n in known)
      back = total(flow(n, ones[n]) for n in learning)
      synapses = total(flow(n, ones[n]) for n in weights)
      is_sent = all(own.counts is not None for own in known.values())
      if is_sent and known and not weights:
        counts = total(flow(n, own.counts) for n, own in known.items())
    learns = bool(learning or weights)
    for *sums, counted in zip(forward, back, synapses, products, counts):
      self.results.append((len(self.layers), counted, learns))
      arrays = dict(zip(SUMS, (*sums, factors * sums[-1])))
      self.add(where, what, sums[0].shape, '', (), arrays)

  def keep(self, kept, now, stopped):
    """Knows what is carried on by its value; notes where errors stop."""
    for own in stopped:
      where = pathlib.Path(own).name
      self.notes[f'{where} passes errors of the moment alone, and no '
                 'eligibilities.'] = None  # fmt: skip
    for own, value in zip(kept, now):
      if id(value) in self.known:
        self.known[id(own)] = self.known[id(value)]._replace(array=own)
    return kept

  def base(self, value, is_sent, where):
    """Makes a result of the last operation, with a probe, a signal."""
    if self.results:
      layer, counts, learns = self.results.pop(0)
      value, number = self.probe(value)
      self.layers[layer][-1] = (number,)
      self.known[id(value)] = Known(value, counts if is_sent else None, learns)
    return super().base(value, is_sent, where)

  def hear(self, value):
    """Hears; a square is a product."""
    is_signal = isinstance(value, transform.Signal)
    if is_signal and value.kind == 'square' and value.heard is None:
      asked, operate = list(map(self.ask, value.operands)), value.operate
      if len(asked) == 2 and asked[0] is asked[1]:
        asked, operate = asked[:1], lambda own: value.operate(own, own)
      self.note('product', value.where, operate, asked)
      value.heard = self.base(operate(*asked), False, value.where).heard
    heard = super().hear(value)
    self.follow(value, heard.value, heard.is_sent, lambda own: own.heard.value)
    return heard

  def ask(self, value):
    """Asks."""
    asked = super().ask(value)
    self.follow(value, asked, True, lambda own: own.asked)
    return asked

  def follow(self, value, array, is_sent, read):
    """Notes what is known of an array, by its operands."""
    if isinstance(value, transform.Weight):
      self.weights[id(array)] = array
    if not isinstance(value, transform.Signal) or id(array) in self.known:
      return
    operands = [
      read(own) if isinstance(own, transform.Signal) else own
      for own in value.operands
    ]
    known = {n: self.known[id(own)] for n, own in enumerate(operands)
             if id(own) in self.known}  # fmt: skip
    counts = [own.counts for own in known.values()]
    if is_sent and counts and not any(own is None for own in counts):
      ones = [_mark(jnp.asarray(own)) for own in operands]
      counts = sum(_flow(value.operate, ones, *own)[0]
                   for own in zip(known, counts))  # fmt: skip
    else:
      counts = None
    learns = not known or any(own.learns for own in known.values())
    self.known[id(array)] = Known(array, counts, learns)

  def loop(self, step, carry, xs, length, reverse):
    """Unrolls a scan, as `play`; all moments are rows of the same lines."""
    ys = []

    def follow_step(carry, now):
      t = length - 1 - len(ys) if reverse else len(ys)
      for whole, own in zip(xs, now):
        if id(whole) in self.weights:
          self.weights[id(own)] = own
        if id(whole) in self.known:
          _, counts, learns = self.known[id(whole)]
          counts = None if counts is None else counts[t]
          self.known[id(own)] = Known(own, counts, learns)
      carry, y = step(carry, now)
      ys.append(y)
      return carry, y

    carry, stacked = transform.unroll(follow_step, carry, xs, length, reverse)
    ys = list(zip(*(ys[::-1] if reverse else ys)))
    for whole, parts in zip(stacked, ys):
      if all(id(own) in self.known for own in parts):
        _, counts, learns = zip(*(self.known[id(own)] for own in parts))
        is_sent = all(own is not None for own in counts)
        counts = jnp.stack(counts) if is_sent else None
        self.known[id(whole)] = Known(whole, counts, any(learns))
    return carry, stacked


def is_float(array: Any) -> bool:
  """Returns whether an array has errors."""
  return jnp.issubdtype(array.dtype, jnp.inexact)


def _mark(array):
  """Returns 1 for what is not 0; integers, which select, stay."""
  return (array != 0).astype(array.dtype) if is_float(array) else array


def _flow(operate, ones, number, counts):
  """Returns how much of an operand arrives at each result, of any sign.

  The operation is linear in it, if a custom_vjp without forward derivatives.
  """

  def call(own):
    return jax.tree.leaves(operate(*ones[:number], own, *ones[number + 1 :]))

  rest = call(jnp.zeros_like(ones[number]))
  return [jnp.abs(own - other) for own, other in zip(call(counts), rest)]


def _find_counts(known):
  is_sent = known.counts is not None
  return known.counts if is_sent else powers.count_digits(known.array)


def _find_steps(cell, potential):
  """Returns N of `fire`: the least of its rates above 0 is 1 / N."""
  rates = jax.lax.map(
    lambda power: jnp.max(cell.function(jnp.full_like(potential, power), ())),
    2.0 ** -jnp.arange(_MOST_DIGITS + 1.0),
  )
  return jnp.round(1 / jnp.min(jnp.where(rates > 0, rates, jnp.inf)))
