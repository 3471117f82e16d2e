"""Synapses: how many a spike reaches, of any model whose spikes add up.

A presynaptic end is a rate, or a trace of rates (`temporal`), and each weight
between it and a potential is a synapse: a neuron whose traces have D decays has
D synapses with each neuron that sees them. Fixed weights are synapses that do
not change, and so are the two factors of a product of rates, such as those of a
gate, while the other factor is not 0.

They are counted by the circuit itself, with a 1 for each spike, weight and
factor: its potentials are then numbers of synapses.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import intercept

_FLIPPED = {'sub': jax.lax.add, 'neg': lambda own: own}
_PRODUCTS = 'mul', 'dot_general', 'conv_general_dilated'
_RATES = 'input', 'rate'  # of the inputs, of neurons
_KINDS = '', 'weight', *_RATES  # of values, by what they depend on


class Synapses(NamedTuple):
  """Synapses of a circuit."""

  #: `(params, rates, remember) -> potentials` of hidden layers and the output,
  #: with traces that `remember` returns, as of `intercept`
  evaluate: Callable[..., Sequence[jax.Array]]
  recalls: tuple[intercept.Recall, ...]  #: its calls of `trace`, of one sample
  params: Any  #: weights of which none is 0


class Additions(NamedTuple):
  """Events `[n, B]` of ticks, into or from a layer of postsynaptic neurons."""

  forward: np.ndarray  #: spikes that reach a synapse
  backward: np.ndarray  #: error spikes that reach a synapse, for neurons below
  #: changes of a weight, by a spike at either end while the other end has
  #: spikes or a trace that is not 0; biases do not count
  changes: np.ndarray


def find(
  evaluate: Callable[..., Sequence[jax.Array]],
  recalls: tuple[intercept.Recall, ...],
  params: Any,
) -> Synapses:
  """Returns the synapses of a circuit; values of parameters do not matter."""
  draw = np.random.default_rng(0).uniform
  # Above 0, so that no sum of weights is 0.
  fill = lambda own: np.float32(draw(0.5, 1.5, np.shape(own)))
  return Synapses(evaluate, recalls, jax.tree.map(fill, params))


def count(
  synapses: Synapses,
  spikes: Sequence[np.ndarray],
  errors: Sequence[np.ndarray],
  standing: Sequence[np.ndarray] | None = None,
  errors_standing: Sequence[np.ndarray] | None = None,
  kept: Sequence[np.ndarray] | None = None,
) -> list[Additions]:
  """Counts the additions of a presentation, as if spikes arrived at once.

  Args:
    synapses: of the circuit.
    spikes: `[n, B, ...]` spikes of inputs and hidden layers.
    errors: `[n, B, ...]` error spikes of hidden layers and output.
    standing: `[B, ...]` what layers have sent before; None is nothing.
    errors_standing: errors that they have sent before.
    kept: `[B, ..., D I]` traces of one moment before the first tick, of each
      call of `trace`; None is rest.

  Returns:
    Those of each layer of postsynaptic neurons.
  """
  zeros = lambda layers: [np.zeros_like(own[0], np.float32) for own in layers]
  before = zeros(spikes) if standing is None else standing
  sent_errors = zeros(errors) if errors_standing is None else errors_standing
  if kept is None:
    kept = intercept.rest(synapses.recalls, len(spikes[0][0]))
  add = lambda layers, own: [old + new for old, new in zip(layers, own)]
  mark = lambda layers: [np.float32(np.asarray(own) != 0) for own in layers]
  kept, ticks = mark(kept), []
  for own, own_errors in zip(zip(*spikes), zip(*errors)):
    sent_errors = add(sent_errors, own_errors)
    ends = mark(own), mark(own_errors), mark(before), mark(sent_errors)
    found = jax.device_get(_count(*synapses, *ends, kept))
    # In 64 bits, as float32 does not hold such counts.
    total = lambda own: np.sum(own, axis=1, dtype=float)
    ticks.append([list(map(total, layer)) for layer in zip(*found)])
    before = add(before, own)
  stacked = np.moveaxis(np.array(ticks), 0, 2)  # layers, kinds, n, B
  return [Additions(*layer) for layer in stacked]


class Products(NamedTuple):
  """Products of backpropagation, of a sample."""

  forward: int  #: of a rate and a learned weight, or of two rates
  backward: int  #: of an error and such a factor, for a neuron below
  changes: int  #: of the rate and the error at a weight


def count_products(
  synapses: Synapses, shapes: Sequence[tuple[int, ...]]
) -> Products:
  """Counts the products of an ANN, in its layers, convolutions and gates.

  They are those of its operations: neurons that are added before a layer have
  one product together, where the spikes of each reach its synapses. Fixed
  weights, and the zeros around images, have none.

  Args:
    synapses: of the circuit.
    shapes: of inputs and hidden layers.
  """
  total = np.zeros(3, np.int64)

  def remember(number, own):
    num_traces = len(synapses.recalls[number].memory.decays)
    return jnp.concatenate([own] * num_traces, axis=-1)

  def note(kinds, products):
    if '' not in kinds:
      each = 1, kinds.count('rate'), kinds.count('weight')
      total[:] += np.array(each) * int(np.sum(products, dtype=float))

  ends = [np.ones((1, *own), np.float32) for own in shapes]
  find = lambda params, rates: synapses.evaluate(params, rates, remember)
  program = jax.make_jaxpr(find)(synapses.params, ends)
  kinds = ['weight'] * len(jax.tree.leaves(synapses.params))
  kinds += ['input', *['rate'] * (len(shapes) - 1)]
  leaves = jax.tree.leaves((synapses.params, ends))
  _mark(program.jaxpr, program.consts, leaves, kinds, 1.0, note)
  return Products(*total.tolist())


@functools.partial(jax.jit, static_argnums=(0, 1))
def _count(
  evaluate, recalls, params, spikes, errors, before, sent_errors, kept
):
  """Counts the events of a tick at each postsynaptic neuron, of marks."""

  def reach(rates, kept):
    """Returns the ends of each neuron that are active, and of its weights."""
    find = functools.partial(_reach, evaluate, recalls, params, rates, kept)
    return jax.jvp(find, (1.0,), (1.0,))

  of_kept = lambda rates: reach(rates, kept)
  none, *hidden = before
  hidden = [jnp.zeros_like(none), *map(jnp.ones_like, hidden)]
  (_, active), bring = jax.linearize(of_kept, before)
  arriving, (below, _) = bring(spikes), bring(hidden)
  zeros = lambda layers: list(map(jnp.zeros_like, layers))
  _, biases = reach(zeros(before), zeros(kept))
  multiply = lambda own, of: [x * y.reshape(x.shape) for x, y in zip(own, of)]
  active = [own - bias for own, bias in zip(active, biases)]
  changes = zip(multiply(arriving[1], sent_errors), multiply(active, errors))
  return arriving[0], multiply(below, errors), [x + y for x, y in changes]


def _reach(evaluate, recalls, params, rates, kept, weight):
  """Returns the potentials of marks, if learned weights are `weight`."""

  def run(params, rates, traces):
    received = []

    def remember(number, own):
      received.append(own)
      return traces[number].reshape(*own.shape[:-1], -1)

    potentials = evaluate(params, rates, remember)
    return received, list(potentials)

  traces = [
    own.reshape(len(own), -1, len(recall.memory.decays), recall.rates.shape[-1])
    for own, recall in zip(kept, recalls)
  ]
  program, shapes = jax.make_jaxpr(run, return_shape=True)(
    params, rates, traces
  )
  num_params = len(jax.tree.leaves(params))
  kinds = ['weight'] * num_params
  kinds += ['rate'] * (len(program.jaxpr.invars) - num_params)

  def find():
    leaves = jax.tree.leaves((params, rates, traces))
    found = _mark(program.jaxpr, program.consts, leaves, kinds, weight)[0]
    return jax.tree.unflatten(jax.tree.structure(shapes), found)

  for number, own in enumerate(traces):
    ends = find()[0][number].reshape(*own.shape[:2], 1, -1)
    ends = jnp.broadcast_to(ends, own.shape)
    active = jnp.float32(ends + own != 0)
    traces[number] = ends + jax.lax.stop_gradient(active - ends)
  return [own.reshape(len(own), -1) for own in find()[1]]


def _mark(program, consts, args, kinds, weight, note=None):
  """Computes operations with 1 for each factor of a rate that is not 0.

  Arguments have `_KINDS`; `note` receives those of the factors of products of
  rates, and the sums of products. Returns the results, and their kinds.
  """
  variables = *program.constvars, *program.invars
  values = dict(zip(variables, (*consts, *args)))
  kind = dict(zip(variables, ([''] * len(consts)) + kinds))
  is_literal = lambda x: hasattr(x, 'val')
  read = lambda x: x.val if is_literal(x) else values[x]
  read_kind = lambda x: '' if is_literal(x) else kind[x]
  for operation in program.eqns:
    inputs = list(map(read, operation.invars))
    own = list(map(read_kind, operation.invars))
    inner, name = intercept.inner(operation), operation.primitive.name
    found = max(own, key=_KINDS.index, default='')
    if inner is not None:
      outputs, found = _mark(
        inner.jaxpr, inner.consts, inputs, own, weight, note
      )
      values |= zip(operation.outvars, outputs)
      kind |= zip(operation.outvars, found)
      continue
    if found in _RATES:
      inputs = [
        x if k in _RATES else _mark_factor(x, k, weight)
        for x, k in zip(inputs, own)
      ]
      if note and name in _PRODUCTS:
        marks = [_mark_factor(x, '', weight) for x in inputs]
        note(own, intercept.bind(operation, marks)[0])
    if found in _RATES and name in _FLIPPED:
      outputs = [_FLIPPED[name](*inputs)]
    else:
      outputs = intercept.bind(operation, inputs)
    values |= zip(operation.outvars, outputs)
    kind |= dict.fromkeys(operation.outvars, found)
  return list(map(read, program.outvars)), list(map(read_kind, program.outvars))


def _mark_factor(factor, kind, weight):
  """Returns 1 where a factor of a rate is not 0, and `weight` if learned."""
  if not jnp.issubdtype(jnp.result_type(factor), jnp.floating):
    return factor
  marks = jnp.asarray(factor != 0, jnp.result_type(factor))
  return weight * marks if kind == 'weight' else marks
