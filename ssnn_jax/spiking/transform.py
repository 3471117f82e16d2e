"""Any JAX function as a network of spiking neurons: `spike`.

`spike` traces a function to a jaxpr, as `jax.grad` does, and interprets it. A
value that depends on the signals is a *potential*, what neurons have received,
or *pending*, a pointwise function of one potential that none has sent yet::

  linear (dense, convolution, sums, masks)  wiring: a potential
  product of two signals (gates, attention) a product of what both have sent
  pointwise, of one potential               pending, fused with what follows
  a sum or a product hears what is pending  the neuron sends code(f(v)), and
                                            back digits(f'(v) A)
  weights or a product ask for a potential  a relay sends it, f(v) = v
  max(a, b)                                 b + relu(a - b)
  a maximum of many                         the winner's potential passes
  a / b                                     a times a neuron 1 / b
  cond of no signal                         all branches, of which one passes
  scan                                      a scan, whose carries are sent; of
                                            `bptt=False` their errors are local
  a derivative of one's own (custom_vjp)    kept, of a function of elements
  while, sort, an index out of signals,     refused
  cond of a signal

All else are weights, what depends on the parameters, and constants. The network
settles to the values that are computed here, and what its synapses collect is
`jax.grad` (docs/method.md has the proof, `play` the spikes).
"""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.spiking import neuron
from ssnn_jax.spiking import tracing
from ssnn_jax.spiking.codes import EXACT as EXACT
from ssnn_jax.spiking.codes import LIMIT as LIMIT
from ssnn_jax.spiking.codes import Codes as Codes
from ssnn_jax.spiking.codes import Neuron as Neuron
from ssnn_jax.spiking.codes import encode_error as encode_error
from ssnn_jax.spiking.codes import encode_value as encode_value
from ssnn_jax.spiking.codes import send as send
from ssnn_jax.spiking.codes import send_back as send_back
from ssnn_jax.spiking.tracing import Traced as Traced
from ssnn_jax.spiking.tracing import find_line as find_line
from ssnn_jax.spiking.tracing import refusal as refusal
from ssnn_jax.spiking.tracing import trace as trace

# The rule of each primitive: a method of `Interpreter`.
RULES = {
  name: rule
  for rule, names in {
    # Functions of elements, of operands and results of one shape.
    'elements': """
      abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp
      convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc
      exp exp2 expm1 floor ge gt integer_pow is_finite le lgamma log log1p
      logistic lt max min mul name ne neg nextafter not or pow reduce_precision
      rem round rsqrt select_n sign sin sinh sqrt square stop_gradient sub tan
      tanh xor""",
    # Of the shape alone, in which nothing is lost.
    'move': 'broadcast_in_dim expand_dims reshape rev squeeze transpose',
    'wire': """
      concatenate dynamic_slice dynamic_update_slice gather pad scatter slice
      split""",
    'sum': """
      cumsum reduce_sum reduce_window_sum scatter-add
      cummax cummin reduce_max reduce_min reduce_window_max
      reduce_window_min""",
    'multiply': 'conv_general_dilated dot_general',
    'call': """
      checkpoint closed_call custom_jvp_call custom_vjp_call jit pjit remat2""",
    'choose': 'cond',
    'scan': 'scan',
  }.items()
  for name in names.split()
}
# Functions of the elements of several signals, by other functions.
REWRITES = {
  'clamp': lambda low, v, high: jax.lax.min(jax.lax.max(low, v), high),
  'div': lambda a, b: a * (1 / b),
  'eq': lambda a, b: a - b == 0,
  'ge': lambda a, b: a - b >= 0,
  'gt': lambda a, b: a - b > 0,
  'le': lambda a, b: a - b <= 0,
  'lt': lambda a, b: a - b < 0,
  'max': lambda a, b: b + jax.nn.relu(a - b),
  'min': lambda a, b: b - jax.nn.relu(b - a),
  'ne': lambda a, b: a - b != 0,
  'pow': lambda a, b: jnp.exp(b * jnp.log(a)),
}
SUMS = frozenset(
  'add add_any convert_element_type copy copy_p name neg reduce_precision '
  'stop_gradient sub'.split()
)


def spike(
  function: Callable,
  *,
  num_steps: int | None = None,
  digits: int = 3,
  error_digits: int = 2,
  output_digits: int = 3,
  bptt: bool = True,
) -> Callable:
  """Makes any JAX function a network of spiking neurons, unchanged.

  What the function computes between signals and outputs is done by neurons that
  send few binary digits, forward and back; `jax.grad` of any loss of the
  outputs is what their synapses collect when all spikes have arrived. Nothing
  is tuned: digits have the scale of what they are digits of. Below `jax.jit`,
  `jax.vmap` and `jax.checkpoint` it is a function like others.

  Args:
    function: `function(params, signals, *rest, **options)`, as `model.apply`
      of flax. Arrays of `params` are weights, and those of `signals` inputs:
      floats are sent as digits, integers select, as tokens of an embedding. All
      else are constants without a derivative, as keys of dropout.
    num_steps: N, of coarser, cheaper neurons: functions that pass 0 with a
      slope, as ReLU, GELU or tanh, are then staircases without a ceiling,
      `floor(N f(v) + 1/2) / N`. None: digits alone.
    digits: leading signed binary digits of values, inputs too.
    error_digits: of errors, f'(v) A of a neuron.
    output_digits: of the errors of the outputs, of a loss.
    bptt: whether errors go back through time. False: in each scan over signals,
      neurons send the errors of a moment in that moment alone, and a synapse
      remembers how its past inputs matter to its neuron now (`Eligibility`), so
      that one can learn while signals arrive (`stream`).

  Returns:
    A function of the same signature.

  Raises:
    UserError: of the returned function, with the file and line of an operation
      that no neuron does.

  Example:
    >>> import ssnn_jax
    >>> def model(params, x):
    ...   return jax.nn.silu(x @ params)
    >>> x, params = jnp.array([[0.5, -1.0]]), jnp.array([[3.0], [1.0]])
    >>> print(model(params, x))  # silu(0.5)
    [[0.31122968]]
    >>> print(ssnn_jax.spike(model)(params, x))  # 1/4 + 1/16 - 1/1024
    [[0.31152344]]
  """
  counts = {'digits': digits, 'error_digits': error_digits}
  for name, count in {**counts, 'output_digits': output_digits}.items():
    if not checks.is_count(count) or count > 24:  # those of float32
      raise types.UserError(f'{name} is {count!r}; expected 1 to 24.')
  if num_steps is not None and not checks.is_count(num_steps):
    raise types.UserError(
      f'num_steps is {num_steps!r}; expected an int, 1 or more, or None.'
    )
  return build(
    function, Codes(num_steps, digits, error_digits, output_digits, bptt)
  )


def build(function: Callable, codes: Codes) -> Callable:
  """Returns what `spike` makes of a function by codes."""

  @functools.wraps(function)
  def spiking(params, signals, *rest, **options):
    traced = trace(function, params, signals, *rest, **options)
    outputs = Interpreter(codes).run(traced, *traced.arrays)
    return jax.tree.unflatten(traced.structure, outputs)

  spiking.function, spiking.codes = function, codes
  return spiking


def local(function: Callable) -> Callable:
  """Returns a function as it is, with the errors of `spike(bptt=False)`."""
  return build(function, EXACT._replace(bptt=False))


class Weight(NamedTuple):
  """A value that depends on parameters, and on no signal."""

  value: jax.Array


class Token(NamedTuple):
  """Integers of a signal: exact, they select, and have no derivative."""

  value: jax.Array


class Potential(NamedTuple):
  """What a neuron hears; `is_sent` unless it came out of weights."""

  value: jax.Array
  is_sent: bool


class Loop(NamedTuple):
  """A scan: `(interpreter, carry, xs) -> (carry, ys)`, and what it carries."""

  step: Callable
  carry: list
  xs: list
  length: int
  reverse: bool
  kinds: list[str]  # of its carries, in all steps
  where: str


class Signal:
  """A value that depends on signals: a base, or a pointwise function of one.

  Attributes:
    kind: 'base', a potential; 'move', a base that has another shape than its
      operand; 'wire', a linear function with constants, which is heard and
      asked for as its operands are; 'sum' of a base and a function of it, which
      is a sum if heard and one neuron if asked for; 'square', a product if it
      is sent as it is; 'neuron', any other function.
    operate, operands: the function of other signals and of constants.
    base: the signal of whose potential it is a function.
    where: the line of the user's code.
    heard, asked: its `Potential`, and its value as sent, once computed.
  """

  def __init__(self, kind, shape, dtype, where, operate=None, operands=()):
    """Makes a signal of shape and dtype."""
    self.kind, self.shape, self.dtype, self.where = kind, shape, dtype, where
    self.operate, self.operands = operate, operands
    self.heard = self.asked = None
    signals = _signals(operands)
    is_base = kind in ('base', 'move')
    self.base = self if is_base else signals[0].base
    self.is_linear = is_base or (
      kind == 'wire' and all(own.is_linear for own in signals)
    )

  def move(self, operand: 'Signal') -> 'Signal':
    """Moves another signal as this one moves its operand."""
    args = self.shape, operand.dtype, operand.where, self.operate
    return Signal('move', *args, [operand])

  def evaluate(self, known: dict[int, jax.Array]) -> jax.Array:
    """Computes the function of values of its base and constants, by id."""
    if id(self) not in known:
      known[id(self)] = self.operate(*(
        own.evaluate(known) if isinstance(own, Signal) else known[id(own)]
        for own in self.operands
      ))  # fmt: skip
    return known[id(self)]

  def find_constants(self) -> dict[int, jax.Array]:
    """Returns the constants of its function by id."""
    found = {}
    for own in () if self.base is self else self.operands:
      is_signal = isinstance(own, Signal)
      found |= own.find_constants() if is_signal else {id(own): own}
    return found


def _signals(values):
  return [value for value in values if isinstance(value, Signal)]


def _is_float(*values):
  return all(jnp.issubdtype(own.dtype, jnp.inexact) for own in values)


def is_constant(value: Any) -> bool:
  """Returns whether a value depends on no weight and no signal."""
  return not isinstance(value, Signal | Weight | Token)


def _is_known(values):
  return not any(isinstance(own, jax.core.Tracer) for own in values)


def _plain(value):
  return value.value if isinstance(value, Weight | Token) else value


def _fill(value, shape):
  """Returns a value of a shape, for which a number may stand."""
  if isinstance(value, Signal) or np.shape(_plain(value)) == shape:
    return value
  full = jnp.broadcast_to(_plain(value), shape)
  return type(value)(full) if isinstance(value, Weight | Token) else full


class Interpreter:
  """Interprets a jaxpr with neurons: a rule for each kind of operation."""

  def __init__(self, codes: Codes):
    """Makes an interpreter of neurons of the codes."""
    self.codes = codes
    self._moves, self._where, self._loop = {}, '', ''

  # What a subclass may watch or replace: `play` and `explain`.

  def send(self, potential: jax.Array, cell: Neuron) -> jax.Array:
    """Returns what the neurons of a potential send."""
    return send(potential, cell, self.codes)

  def output(self, value: jax.Array) -> jax.Array:
    """Returns an output, whose error is sent."""
    return send_back(value, self.codes.output_digits)

  def watch(self, what, eqn, operate, operands):
    """Is told of wires, synapses, products and winners, before they work."""

  def run(self, traced: Traced, *arrays: jax.Array) -> list[jax.Array]:
    """Computes the leaves of the outputs."""
    values = [self._receive(*own) for own in zip(arrays, traced.kinds)]
    outputs = self.interpret(traced.jaxpr, values)
    return [self._read_out(own) for own in outputs]

  def _receive(self, array, kind):
    if kind == 'signal':
      return self._encode(array, 'input')
    return Weight(array) if kind == 'weight' and _is_float(array) else array

  def _encode(self, array, where):
    if not _is_float(array):
      return Token(array)
    cell = Neuron(lambda v, _: v, (), None, False, where, 'inputs')
    return self.base(self.send(array, cell), True, where)

  def _read_out(self, value):
    heard = self.hear(value).value
    is_output = isinstance(value, Signal) and _is_float(value)
    return self.output(heard) if is_output else heard

  # Signals.

  def base(self, value: jax.Array, is_sent: bool, where: str) -> Signal:
    """Makes a potential a signal."""
    signal = Signal('base', value.shape, value.dtype, where)
    signal.heard = Potential(value, is_sent)
    return signal

  def hear(self, value) -> Potential:
    """Returns a value as a sum hears it; what is pending is sent."""
    if not isinstance(value, Signal):
      return Potential(_plain(value), not isinstance(value, Weight))
    if value.heard is None:
      if value.kind in ('move', 'wire', 'sum'):
        heard = [self.hear(own) for own in value.operands]
        result = value.operate(*(own.value for own in heard))
        value.heard = Potential(result, all(own.is_sent for own in heard))
      elif value.kind == 'square':
        result = value.operate(*(self.ask(own) for own in value.operands))
        value.heard = Potential(result, False)
      else:
        value.heard = Potential(self.ask(value), True)
    return value.heard

  def ask(self, value) -> jax.Array:
    """Returns a value as neurons send it, a factor of a product."""
    if not isinstance(value, Signal):
      return _plain(value)
    if value.asked is None:
      if value.kind in ('move', 'wire'):
        asked = [self.ask(own) for own in value.operands]
        value.asked = value.operate(*asked)
      elif value.kind in ('base', 'square'):
        potential, is_sent = self.hear(value)
        if is_sent:
          value.asked = potential
        else:
          cell = Neuron(lambda v, _: v, (), None, False, value.where, 'relay')
          value.asked = self.send(potential, cell)
      else:
        value.asked = self._fire(value)
    return value.asked

  def _fire(self, value):
    """Sends a pointwise function of the potential of its base."""
    constants = value.find_constants()

    def function(potential, arrays):
      known = dict(zip(constants, arrays))
      return value.evaluate({id(value.base): potential, **known})

    potential, arrays = self.hear(value.base).value, (*constants.values(),)
    if not _is_float(value):
      potential = jax.lax.stop_gradient(potential)
      cell = Neuron(function, arrays, None, True, value.where, 'bits')
    else:
      steps = self._find_steps(function, arrays, potential)
      cell = Neuron(function, arrays, steps, False, value.where, 'neurons')
    return self.send(potential, cell)

  def _find_steps(self, function, constants, potential):
    """Returns N if a function passes 0 with a slope, or None."""
    if self.codes.num_steps is None:
      return None
    near = 2.0**-10 * np.array([0.0, 1.0, -1.0])
    if not any(map(np.ndim, constants)) and _is_known(constants):
      with jax.ensure_compile_time_eval():
        values = function(jnp.asarray(near, potential.dtype), constants)
        passes = np.asarray(_passes_zero(values))
      return np.int32(self.codes.num_steps) if passes else None
    values = [function(jnp.full_like(potential, v), constants) for v in near]
    return jnp.where(_passes_zero(values), self.codes.num_steps, 0)

  # Equations.

  def interpret(self, jaxpr, values: list, where: str = '') -> list:
    """Interprets a jaxpr for arrays, weights, tokens and signals.

    Operations without a line of the user's have the line `where`, of a call.
    """
    outer, self._where = self._where, where or self._where
    jaxpr, constants = _open(jaxpr)
    known = dict(zip(jaxpr.constvars, constants))
    known |= dict(zip(jaxpr.invars, values))
    for eqn in jaxpr.eqns:
      found = self._apply(eqn, [_read(known, own) for own in eqn.invars])
      known |= dict(zip(eqn.outvars, found))
    self._where = outer
    return [_fill(_read(known, own), own.aval.shape) for own in jaxpr.outvars]

  def find_line(self, eqn) -> str:
    """Returns the user's line of an equation, as 'model.py:12'."""
    return self._where or find_line(eqn) or self._loop

  def _apply(self, eqn, values):
    """Applies the rule of an equation; returns its outputs."""
    rule = RULES.get(eqn.primitive.name)
    # What is in a body may add up weights that tokens select.
    has_body = rule in ('call', 'choose', 'scan')
    is_looked_into = has_body and any(isinstance(x, Token) for x in values)
    if not _signals(values) and not is_looked_into:
      return self._compute(eqn, values)
    if eqn.primitive.name == 'optimization_barrier':
      return values
    if rule is None:
      raise self._refuse(eqn)
    if rule != 'elements':  # where numbers stand for arrays
      shapes = [own.aval.shape for own in eqn.invars]
      values = list(map(_fill, values, shapes))
    return getattr(self, f'_{rule}')(eqn, values)

  def _refuse(self, eqn, remedy=''):
    return refusal(eqn, self.find_line(eqn), remedy)

  def _compute(self, eqn, values):
    """Computes with weights, tokens and constants alone."""
    name, operate = eqn.primitive.name, _binder(eqn)
    kinds = {type(value) for value in values} & {Weight, Token}
    if not kinds and name == 'broadcast_in_dim' and len(values) == 1:
      if not np.ndim(values[0]):
        return values  # a number stands for an array of it
    shapes = [own.aval.shape for own in eqn.invars]
    plain = [_plain(own) for own in map(_fill, values, shapes)]
    is_small = not any(own.aval.shape for own in eqn.outvars)
    if not kinds and is_small and plain and _is_known(plain):
      with jax.ensure_compile_time_eval():  # to be seen by `_find_steps`
        outputs = operate(*plain)
    else:
      outputs = operate(*plain)
    outputs = outputs if eqn.primitive.multiple_results else [outputs]
    if not kinds:
      return outputs
    if kinds == {Weight}:
      return [Weight(own) for own in outputs]
    where = self.find_line(eqn)
    if Weight in kinds:  # a token selects among weights
      self.watch('synapses', eqn, operate, plain)
      return [self.base(own, False, where) for own in outputs]
    return [self._encode(own, where) for own in outputs]

  def _call(self, eqn, values):
    """Looks into a call; one neuron keeps its own derivative."""
    name, jaxpr, signals = eqn.primitive.name, _body(eqn), _signals(values)
    if name.startswith('custom_'):
      operate = _find_elements(eqn)
      has_weights = any(isinstance(own, Weight) for own in values)
      is_one = len(signals) == 1 and not has_weights
      if operate and is_one and signals[0].shape == eqn.outvars[0].aval.shape:
        return [self._compose(eqn, operate, values)]
      if name == 'custom_vjp_call':
        if not tracing.is_of(jaxpr, tracing.OWN):
          raise self._refuse(eqn)
        return self._multiply(eqn, values)  # of convolutions, as they are fast
    where = (
      self.find_line(eqn) if tracing.is_of(jaxpr, *tracing.LIBRARIES) else ''
    )
    return self.interpret(jaxpr, values, where)

  # Functions of elements.

  def _elements(self, eqn, values):
    """Applies a function of the elements of signals, all of one shape."""
    if eqn.params.get('name') == neuron.FIRED:
      return [self._fire_as_it_is(values[0])]
    shape = eqn.outvars[0].aval.shape
    values = [
      self._moved(own, shape, 'stretch', lambda v: jnp.broadcast_to(v, shape))
      if isinstance(own, Signal) and own.shape != shape
      else own
      for own in values
    ]
    return [self._combine(eqn, values)]

  def _combine(self, eqn, values):
    """Functions of one potential are pending, of more are mixed."""
    signals = _signals(values)
    others = [own for own in values if not isinstance(own, Signal)]
    has_weights = any(isinstance(own, Weight) for own in others)
    moves = {own.operate if own.kind == 'move' else None for own in signals}
    is_moved = len(moves) == 1 and None not in moves
    if is_moved and not has_weights and not any(map(np.ndim, others)):
      # Before the move there may be fewer neurons.
      operands = [
        own.operands[0] if isinstance(own, Signal) else own for own in values
      ]
      return signals[0].move(self._combine(eqn, operands))
    if has_weights or len({own.base for own in signals}) > 1:
      return self._mix(eqn, values)
    return self._compose(eqn, _binder(eqn), values)

  def _compose(self, eqn, operate, values):
    """Makes a function of one signal, to be sent when something hears it."""
    name, signals = eqn.primitive.name, _signals(values)
    if name in ('max', 'min') and _is_identity(name, values):
      return signals[0]
    out, kind = eqn.outvars[0].aval, 'neuron'
    is_linear = [own.is_linear for own in signals]
    is_square = name in ('mul', 'square') or eqn.params.get('y') == 2
    if _is_float(out, *signals):
      if _is_sum(name, values):
        if len(signals) == 1 or all(is_linear):
          kind = 'wire'
        elif any(is_linear):
          kind = 'sum'
      elif is_square and all(is_linear):
        kind = 'square'
    where = self.find_line(eqn)
    return Signal(kind, signals[0].shape, out.dtype, where, operate, values)

  def _mix(self, eqn, values):
    """Applies a function of the elements of several signals, or of weights."""
    name, shape = eqn.primitive.name, eqn.outvars[0].aval.shape
    values = [_fill(own, shape) for own in values]
    if name in ('add', 'add_any', 'sub'):
      return self._wire(eqn, values)[0]
    is_quotient = name == 'div' and isinstance(values[1], Signal)
    if name in ('mul', 'div') and not is_quotient:
      return self._multiply(eqn, values)[0]
    if name in REWRITES:
      avals = [own.aval.update(shape=shape) for own in eqn.invars]
      jaxpr = jax.make_jaxpr(REWRITES[name])(*avals)
      return self.interpret(jaxpr, values, self.find_line(eqn))[0]
    if name == 'select_n':  # a bit selects what passes
      bit = Potential(self.ask(values[0]), True)
      return self._bind(eqn, [bit, *map(self.hear, values[1:])])[0]
    if name in ('and', 'or', 'xor'):
      bits = [Potential(self.ask(own), True) for own in values]
      return self._bind(eqn, bits)[0]
    raise self._refuse(eqn)

  def _fire_as_it_is(self, value):
    """Sends the rates of `fire`, by its own rule."""
    if value.kind == 'move':
      return value.move(self._fire_as_it_is(value.operands[0]))
    (potential,) = _signals(value.operands)
    cell = Neuron(
      lambda v, _: value.operate(v), (), None, True, value.where, 'neurons'
    )
    rates = self.send(self.hear(potential).value, cell)
    return self.base(rates, True, value.where)

  # Sums, products and moves.

  def _bind(self, eqn, heard, what='wiring'):
    """Applies an equation to potentials; its results are sent if all are."""
    operate, where = _binder(eqn), self.find_line(eqn)
    plain = [own.value for own in heard]
    self.watch(what, eqn, operate, plain)
    results = operate(*plain)
    results = results if eqn.primitive.multiple_results else [results]
    is_sent = all(own.is_sent for own in heard)
    return [self.base(own, is_sent, where) for own in results]

  def _wire(self, eqn, values):
    """Applies a linear function to what is heard, or lets winners pass."""
    name, heard = eqn.primitive.name, list(map(self.hear, values))
    has_index = name.startswith(('gather', 'dynamic', 'scatter'))
    if has_index and not _is_float(*_signals(values)):
      raise self._refuse(eqn, tracing.INDEX)
    is_maximum = 'max' in name or 'min' in name
    return self._bind(eqn, heard, 'winner' if is_maximum else 'wiring')

  def _sum(self, eqn, values):
    """Adds elements of a signal to each other, or lets one of them pass."""
    return self._wire(eqn, values)

  def _multiply(self, eqn, values):
    """Multiplies: what enters weights or a product has been sent."""
    if any(isinstance(own, Weight) for own in values):
      what = 'synapses'
    elif len(_signals(values)) > 1:
      what = 'product'
    else:  # constants
      return self._wire(eqn, values)
    factors = [Potential(self.ask(own), False) for own in values]
    return self._bind(eqn, factors, what)

  def _move(self, eqn, values):
    """Moves a signal."""
    shape, key = eqn.outvars[0].aval.shape, (eqn.primitive, str(eqn.params))
    return [self._moved(values[0], shape, key, _binder(eqn))]

  def _moved(self, value, shape, key, operate):
    # Equal moves are one, so that functions can be fused.
    operate = self._moves.setdefault((key, value.shape, shape), operate)
    return Signal('move', shape, value.dtype, value.where, operate, [value])

  def _choose(self, eqn, values):
    """Computes all branches of a condition that is no signal; one passes."""
    index, *values = values
    if isinstance(index, Signal):
      raise self._refuse(eqn)
    found = [self.interpret(own, values) for own in eqn.params['branches']]
    index = jnp.clip(_plain(index).astype(int), 0, len(found) - 1)
    outputs = []
    for cases in zip(*found):
      heard = [self.hear(own).value for own in cases]
      value = jax.lax.select_n(jnp.broadcast_to(index, heard[0].shape), *heard)
      kind = functools.reduce(_join, map(self._kind, cases))
      outputs.append(self._wrap(value, kind, self.find_line(eqn)))
    return outputs

  # Loops: what they carry is of the kinds of `_kind`.

  def _kind(self, value):
    if isinstance(value, Signal):
      return 'sent' if self.hear(value).is_sent else 'unsent'
    return {Weight: 'weight', Token: 'token'}.get(type(value), 'constant')

  def _wrap(self, array, kind, where):
    if kind in ('sent', 'unsent'):
      return self.base(array, kind == 'sent', where)
    wrap = {'weight': Weight, 'token': Token, 'constant': lambda own: own}[kind]
    return wrap(array)

  def _scan(self, eqn, values):
    """Interprets the body of a scan, which sends its carries to its next step.

    A carry may become a signal in the first step: the kinds of carries are
    those that a step does not change.
    """
    where, params = self.find_line(eqn), eqn.params
    body, length, reverse = (params[k] for k in ('jaxpr', 'length', 'reverse'))
    if 'ft_in' in params:  # of jax 0.12
      first, second, _ = map(len, params['ft_in'].unpack())
    else:
      first, second = params['num_consts'], params['num_carry']
    second += first
    # Sent once, not in every step.
    constants = [
      self.ask(own) if isinstance(own, Signal) else _plain(own)
      for own in values[:first]
    ]
    kinds = [self._kind(own) for own in values]
    kinds[:first] = [
      'sent' if own == 'unsent' else own for own in kinds[:first]
    ]
    others = [
      self.hear(own).value if isinstance(own, Signal) else _plain(own)
      for own in values[first:]
    ]
    carry, xs = others[: second - first], others[second - first :]

    def run(interpreter, carry, xs, found):
      arrays = [*constants, *carry, *xs]
      is_carry = [first <= n < second for n in range(len(arrays))]
      arrays = interpreter.enter(arrays, kinds, is_carry)
      wrapped = [self._wrap(*own, where) for own in zip(arrays, kinds)]
      interpreter._where, interpreter._loop = self._where, where
      outputs = interpreter.interpret(body, wrapped)
      found[:] = [interpreter._kind(own) for own in outputs]
      outputs = [interpreter.hear(own).value for own in outputs]
      return outputs[: len(carry)], outputs[len(carry) :]

    found = []
    first_xs = jax.eval_shape(lambda: [own[0] for own in xs])
    while True:
      jax.eval_shape(
        lambda carry, xs: run(Interpreter(self.codes), carry, xs, found),
        carry, first_xs,
      )  # fmt: skip
      joined = list(map(_join, kinds[first:second], found))
      if joined == kinds[first:second]:
        break
      kinds[first:second] = joined
    step = lambda interpreter, *args: run(interpreter, *args, [])
    loop = Loop(step, carry, xs, length, reverse, kinds[first:second], where)
    if {'sent', 'unsent', 'token'} & {*kinds[second:]}:
      outputs = self.remember(loop, values[first:second])
    else:
      outputs = self.repeat(loop)
    kinds = [*kinds[first:second], *found[len(carry) :]]
    arrays = [*outputs[0], *outputs[1]]
    return [self._wrap(*own, where) for own in zip(arrays, kinds)]

  def enter(self, arrays, kinds, is_carry):
    """Returns what enters a step of a scan."""
    return arrays

  def repeat(self, loop):
    """Runs a scan."""
    step, *rest = loop[:5]
    return self.loop(lambda *args: step(self, *args), *rest)

  def remember(self, loop, begin):
    """Runs a scan over signals, which begins with values: in time."""
    if self.codes.bptt or not begin:
      return self.repeat(loop)
    step, *rest, reverse = loop[:5]

    def run(carry, xs):
      own = Eligibility(self.codes)
      kept, _ = step(own, carry, xs)
      now, ys = step(self, carry, xs)
      return self.keep(kept, now, own.stopped), [*now, *ys]

    # What leaves the scan has errors of the moment, which is the last one.
    _, found = self.loop(run, *rest, reverse)
    last, size = 0 if reverse else -1, len(loop.carry)
    return [own[last] for own in found[:size]], found[size:]

  def keep(self, kept, now, stopped):
    """Returns what is carried on: its value, with the errors of `kept`."""
    return kept

  def loop(self, step, carry, xs, length, reverse):
    """Runs the steps of a scan."""
    return jax.lax.scan(step, carry, xs, length, reverse)


class Eligibility(Interpreter):
  """How what is carried depends on weights, element by element.

  A moment's derivative of its carries by those before and by weights, exact,
  without those through sums of elements: of weights, of products of matrices,
  of norms. With it a synapse knows how much its inputs of now and of the past
  matter to its own neuron; all errors to others are of a moment, and are sent
  (e-prop, G. Bellec et al., Nature Communications 11, 3625, 2020; RTRL of a
  diagonal, J. Menick et al., arXiv 2006.07232).
  """

  def __init__(self, codes: Codes):
    """Makes an interpreter of neurons that send as those of codes."""
    super().__init__(codes.without_errors())
    self.stopped = []  # lines and operations that add elements up

  def enter(self, arrays, kinds, is_carry):
    """Stops errors to what comes from outside the scan, but weights."""
    return [
      own if is_own or kind == 'weight' else jax.lax.stop_gradient(own)
      for own, kind, is_own in zip(arrays, kinds, is_carry)
    ]

  def _sum(self, eqn, values):
    return super()._sum(eqn, self._stop(eqn, values))

  def _multiply(self, eqn, values):
    if RULES[eqn.primitive.name] != 'elements':
      values = self._stop(eqn, values)
    return super()._multiply(eqn, values)

  def _stop(self, eqn, values):
    """Stops errors to signals, whose elements are added up."""
    self.stopped.append(f'{self.find_line(eqn)}: {eqn.primitive.name}')
    return [self._hold(x) if isinstance(x, Signal) else x for x in values]

  def _hold(self, value):
    value, is_sent = self.hear(value)
    # No subclass adds anything to what has no errors.
    return Interpreter.base(self, jax.lax.stop_gradient(value), is_sent, '')


def unroll(
  step: Callable, carry: list, xs: list, length: int, reverse: bool
) -> tuple[list, list]:
  """Runs the steps of a scan one by one: each has neurons of its own."""
  ys = []
  for t in reversed(range(length)) if reverse else range(length):
    carry, y = step(carry, [own[t] for own in xs])
    ys.append(y)
  ys = ys[::-1] if reverse else ys
  return carry, [jnp.stack(own) for own in zip(*ys)]


def _read(known, variable):
  return variable.val if hasattr(variable, 'val') else known[variable]


def _open(jaxpr):
  """Returns a jaxpr and its constants, closed or not."""
  return getattr(jaxpr, 'jaxpr', jaxpr), getattr(jaxpr, 'consts', ())


def _body(eqn):
  """Returns the jaxpr of a call."""
  return eqn.params.get('jaxpr', eqn.params.get('call_jaxpr'))


def _join(first, second):
  """Returns the kind of a carry that is of one kind or another."""
  kinds = {first, second} - {'constant'}
  if len(kinds) > 1:
    return 'unsent'
  return kinds.pop() if kinds else 'constant'


def _is_sum(name, values):
  """Returns whether a function of elements is linear in all its signals."""
  is_signal = [isinstance(own, Signal) for own in values]
  if name == 'select_n':
    return not is_signal[0]
  if name == 'div':
    return is_signal == [True, False]
  return name in SUMS or (name == 'mul' and sum(is_signal) == 1)


def _is_identity(name, values):
  """Returns whether a maximum is one with -inf, as in softmax."""
  bounds = [own for own in values if not isinstance(own, Signal)]
  if not bounds or not _is_known(bounds) or np.ndim(bounds[0]):
    return False
  return np.asarray(bounds[0]) == {'max': -np.inf, 'min': np.inf}[name]


def _passes_zero(values):
  """Returns whether values at 0 and beside it are those of a slope."""
  middle, above, below = values
  beside = jnp.maximum(jnp.abs(above), jnp.abs(below))
  return (middle == 0) & (beside > 2.0**-13)


def _binder(eqn):
  """Returns an equation as a function of its operands."""

  def operate(*operands):
    if eqn.primitive.name == 'select_n':
      # A number may stand for an array of it.
      shape = jnp.broadcast_shapes(*map(np.shape, operands[1:]))
      cases = [jnp.broadcast_to(own, shape) for own in operands[1:]]
      operands = (operands[0], *cases)
    return tracing.bind(eqn, operands)

  return operate


def _find_elements(eqn):
  """Returns an equation as a function of elements of any shape, or None."""
  rule = RULES.get(eqn.primitive.name)
  if eqn.primitive.name == 'broadcast_in_dim':
    return None if eqn.invars[0].aval.shape else lambda value: value
  if rule != 'call':
    return _binder(eqn) if rule == 'elements' else None
  jaxpr, constants = _open(_body(eqn))
  shapes = [own.aval.shape for own in (*jaxpr.invars, *jaxpr.outvars)]
  parts = list(map(_find_elements, jaxpr.eqns))
  if len({*shapes} - {()}) > 1 or len(jaxpr.outvars) > 1 or None in parts:
    return None
  bound = _binder(eqn)

  def operate(*operands):
    if jnp.broadcast_shapes(*map(np.shape, operands)) == shapes[-1]:
      return bound(*map(jnp.broadcast_to, operands, shapes))[0]
    # It was traced for one shape; its own derivative is not asked for here.
    known = dict(zip(jaxpr.constvars, constants))
    known |= dict(zip(jaxpr.invars, operands))
    for own, part in zip(jaxpr.eqns, parts):
      values = [_read(known, variable) for variable in own.invars]
      known[own.outvars[0]] = part(*values)
    return _read(known, jaxpr.outvars[0])

  return operate
