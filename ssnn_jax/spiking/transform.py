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
  scan                                      a scan, whose carries are sent
  while, sort, an index out of signals      refused

All else are weights, what depends on the parameters, and constants. The network
settles to the values that are computed here, and what its synapses collect is
`jax.grad` (docs/method.md has the proof, `play` the spikes).
"""

from collections.abc import Callable
import functools
import operator
import pathlib
import sysconfig
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.spiking import neuron

LIMIT = 2.0**30  # of a value that is sent: poles are met before silence

POINTWISE = frozenset(
  'abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp '
  'convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc '
  'exp exp2 expm1 floor ge gt integer_pow is_finite le lgamma log log1p '
  'logistic lt max min mul name ne neg nextafter not or pow reduce_precision '
  'rem round rsqrt select_n sign sin sinh sqrt square stop_gradient sub tan '
  'tanh xor'.split()
)
# Of the shape alone, in which nothing is lost.
MOVES = frozenset(
  'broadcast_in_dim expand_dims reshape rev squeeze transpose'.split()
)
LINEAR = frozenset(
  'concatenate cumsum dynamic_slice dynamic_update_slice gather pad '
  'reduce_sum reduce_window_sum scatter scatter-add slice split'.split()
)
PRODUCTS = frozenset(['conv_general_dilated', 'dot_general'])
WINNERS = frozenset(
  'cummax cummin reduce_max reduce_min reduce_window_max '
  'reduce_window_min'.split()
)
COMPARISONS = frozenset('eq ge gt le lt ne'.split())
LOGIC = frozenset('and not or xor'.split())
# Calls of other jaxprs, and the parameter that has them.
CALLS = {
  'checkpoint': 'jaxpr',
  'closed_call': 'call_jaxpr',
  'core_call': 'call_jaxpr',
  'custom_jvp_call': 'call_jaxpr',
  'custom_vjp_call': 'call_jaxpr',
  'jit': 'jaxpr',
  'pjit': 'jaxpr',
  'remat2': 'jaxpr',
}
_INDEX = 'an index has no derivative; use jnp.max, or jax.nn.softmax'
REMEDIES = {
  'argmax': _INDEX,
  'argmin': _INDEX,
  'sort': 'use jnp.max, or weights',
  'top_k': 'use jnp.max, or weights',
  'while': 'use jax.lax.scan, or a fixed number of rounds',
}


class Codes(NamedTuple):
  """What neurons send; `num_steps` is None for digits alone."""

  num_steps: int | None = None
  digits: int = 3
  error_digits: int = 2
  output_digits: int = 3


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

  def evaluate(self, known: dict[int, jax.Array]) -> jax.Array:
    """Computes the function of values of its base and constants, by id."""
    if id(self) not in known:
      known[id(self)] = self.operate(
        *(
          own.evaluate(known)
          if isinstance(own, Signal)
          else known.get(id(own), own)
          for own in self.operands
        )
      )
    return known[id(self)]

  def find_constants(self) -> dict[int, jax.Array]:
    """Returns the constants of its function by id."""
    if self.base is self:
      return {}
    found = {}
    for own in self.operands:
      is_signal = isinstance(own, Signal)
      found |= own.find_constants() if is_signal else {id(own): own}
    return found


def _signals(values):
  return [value for value in values if isinstance(value, Signal)]


class Neuron(NamedTuple):
  """A layer of neurons that sends: a function of its potential, and a code.

  Attributes:
    function: of a potential and of `constants`, pointwise.
    constants: arrays that the function needs.
    steps: N of a staircase, None for digits; an array if it differs between
      neurons, of which those of 0 have digits.
    has_own_code: whether the function is what is sent, as of `fire`.
    where: the line of the user's code.
    kind: 'neurons', 'relay', 'inputs' or 'bits'.
  """

  function: Callable[..., jax.Array]
  constants: tuple
  steps: Any
  has_own_code: bool
  where: str
  kind: str


def encode_value(
  value: jax.Array, cell: Neuron, codes: Codes, steps: Any
) -> jax.Array:
  """Returns what neurons send of the values of their function."""
  if cell.has_own_code:
    return value
  exact = value.astype(jnp.promote_types(value.dtype, jnp.float32))
  limit = _limit(value)
  exact = jnp.clip(exact, -limit, limit)
  sent = neuron.leading_digits(exact, codes.digits)
  if steps is not None:
    counts = jnp.maximum(steps, 1).astype(exact.dtype)
    staircase = jnp.floor(counts * exact + 0.5) / counts
    sent = jnp.where(steps > 0, staircase, sent)
  return sent.astype(value.dtype)


def encode_error(
  error: jax.Array, value: jax.Array, cell: Neuron, codes: Codes
) -> jax.Array:
  """Returns what neurons send back of f'(v) A; 0 at poles."""
  if cell.has_own_code:
    return error
  is_open = jnp.abs(value) < _limit(value)
  error = jnp.where(is_open, error, jnp.zeros_like(error))
  return neuron.leading_digits(error, codes.error_digits)


def _limit(value):
  return min(LIMIT, 2.0 ** (jnp.finfo(value.dtype).maxexp - 1))


def send(potential: jax.Array, cell: Neuron, codes: Codes) -> jax.Array:
  """Returns what neurons send when all is silent; differentiable."""

  @jax.custom_vjp
  def respond(potential, constants, steps):
    value = cell.function(potential, constants)
    return encode_value(value, cell, codes, steps)

  def forward(potential, constants, steps):
    value, pull = jax.vjp(lambda v: cell.function(v, constants), potential)
    return encode_value(value, cell, codes, steps), (value, pull)

  def backward(kept, error):
    value, pull = kept
    (error,) = pull(error)
    return encode_error(error, value, cell, codes), None, None

  respond.defvjp(forward, backward)
  return respond(potential, cell.constants, cell.steps)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def send_back(value: jax.Array, digits: int) -> jax.Array:
  """Returns a value, whose error is sent as its leading digits."""
  del digits
  return value


send_back.defvjp(
  lambda value, digits: (value, None),
  lambda digits, _, error: (neuron.leading_digits(error, digits),),
)


def spike(
  function: Callable,
  *,
  num_steps: int | None = None,
  digits: int = 3,
  error_digits: int = 2,
  output_digits: int = 3,
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
  codes = Codes(num_steps, digits, error_digits, output_digits)

  @functools.wraps(function)
  def spiking(params, signals, *rest, **options):
    traced = trace(function, params, signals, *rest, **options)
    outputs = Interpreter(codes).run(traced, *traced.arrays)
    return jax.tree.unflatten(traced.structure, outputs)

  spiking.function, spiking.codes = function, codes
  return spiking


class Traced(NamedTuple):
  """A function as a jaxpr, of arrays of which each is of a kind.

  Attributes:
    jaxpr: closed, from arrays to the leaves of outputs.
    arrays: the arguments.
    kinds: 'weight', 'signal' or 'constant' of each.
    structure: tree of the outputs.
    num_params: leaves of the parameters, the first ones.
  """

  jaxpr: Any
  arrays: list
  kinds: list[str]
  structure: Any


def trace(
  function: Callable, params: Any, signals: Any, *rest: Any, **options: Any
) -> Traced:
  """Traces a function by its arrays; what is no array is static."""
  leaves, structure = jax.tree.flatten((params, signals, rest, options))
  own = len(jax.tree.leaves(params)), len(jax.tree.leaves(signals))
  kinds = ['weight'] * own[0] + ['signal'] * own[1]
  kinds += ['constant'] * (len(leaves) - sum(own))
  is_array = [
    isinstance(x, jax.Array | np.ndarray | np.generic) for x in leaves
  ]
  arrays = [jnp.asarray(x) for x, is_own in zip(leaves, is_array) if is_own]
  kinds = [kind for kind, is_own in zip(kinds, is_array) if is_own]

  def call(*arrays):
    arrays = iter(arrays)
    full = [
      next(arrays) if is_own else x for x, is_own in zip(leaves, is_array)
    ]
    params, signals, rest, options = jax.tree.unflatten(structure, full)
    return function(params, signals, *rest, **options)

  jaxpr, outputs = jax.make_jaxpr(call, return_shape=True)(*arrays)
  return Traced(jaxpr, arrays, kinds, jax.tree.structure(outputs))


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
    is_float = jnp.issubdtype(array.dtype, jnp.inexact)
    if kind == 'constant' or (kind == 'weight' and not is_float):
      return array
    if kind == 'weight':
      return Weight(array)
    return self._encode(array, 'input') if is_float else Token(array)

  def _encode(self, array, where):
    cell = Neuron(lambda v, _: v, (), None, False, where, 'inputs')
    return self.base(self.send(array, cell), True, where)

  def _read_out(self, value):
    if isinstance(value, Signal):
      value = self.hear(value).value
      is_float = jnp.issubdtype(value.dtype, jnp.inexact)
      return self.output(value) if is_float else value
    return value.value if isinstance(value, Weight | Token) else value

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

  def _fire_as_it_is(self, value):
    """Sends the rates of `fire`, by its own rule."""
    (potential,) = _signals(value.operands)
    cell = Neuron(
      lambda v, _: value.operate(v), (), None, True, value.where, 'neurons'
    )
    rates = self.send(self.hear(potential).value, cell)
    return self.base(rates, True, value.where)

  def _fire(self, value):
    """Sends a pointwise function of the potential of its base."""
    constants = value.find_constants()

    def function(potential, arrays):
      known = dict(zip(constants, arrays))
      return value.evaluate({id(value.base): potential, **known})

    potential, arrays = self.hear(value.base).value, (*constants.values(),)
    if not jnp.issubdtype(value.dtype, jnp.inexact):
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
    is_scalar = all(
      np.ndim(own) == 0 and not isinstance(own, jax.core.Tracer)
      for own in constants
    )
    if is_scalar:
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
    jaxpr, constants = (
      getattr(jaxpr, 'jaxpr', jaxpr),
      getattr(jaxpr, 'consts', ()),
    )
    known = dict(zip(jaxpr.constvars, constants))
    known |= dict(zip(jaxpr.invars, values))

    def read(variable):
      is_literal = hasattr(variable, 'val')
      return variable.val if is_literal else known[variable]

    for eqn in jaxpr.eqns:
      found = self._apply(eqn, [read(variable) for variable in eqn.invars])
      known |= dict(zip(eqn.outvars, found))
    self._where = outer
    return [read(variable) for variable in jaxpr.outvars]

  def find_line(self, eqn) -> str:
    """Returns the user's line of an equation, as 'model.py:12'."""
    return self._where or find_line(eqn) or self._loop

  def _apply(self, eqn, values):
    """Applies the rule of an equation; returns its outputs."""
    name = eqn.primitive.name
    kinds = {type(value) for value in values} & {Signal, Weight, Token}
    if Signal not in kinds:
      return self._apply_plain(eqn, values, kinds)
    if name in CALLS:
      return self._call(eqn, values)
    if name in POINTWISE:
      return [self._apply_pointwise(eqn, values)]
    if name in MOVES:
      return [self._move(eqn, values[0])]
    if name in LINEAR:
      return self._apply_linear(eqn, values)
    if name in PRODUCTS:
      return [self._multiply(eqn, _binder(eqn), values)]
    if name in WINNERS:
      return self._apply_linear(eqn, values, 'winner')
    if name == 'optimization_barrier':
      return values
    if name == 'cond' and not isinstance(values[0], Signal):
      return self._choose(eqn, values)
    if name == 'scan':
      return self._scan(eqn, values)
    raise refusal(eqn, self.find_line(eqn))

  def _apply_plain(self, eqn, values, kinds):
    """Computes with weights, tokens and constants alone."""
    operate, plain = _binder(eqn), [_plain(value) for value in values]
    if not kinds and eqn.primitive.name == 'broadcast_in_dim':
      if not np.ndim(plain[0]) and len(plain) == 1:
        return [Uniform(plain[0], eqn.outvars[0].aval.shape)]
    is_small = all(not own.aval.shape for own in eqn.outvars)
    is_known = not any(isinstance(own, jax.core.Tracer) for own in plain)
    if not kinds and is_small and is_known and plain:
      with jax.ensure_compile_time_eval():  # to be seen by `_find_steps`
        outputs = operate(*plain)
    else:
      outputs = operate(*(_full(own) for own in plain))
    outputs = outputs if eqn.primitive.multiple_results else [outputs]
    if not kinds:
      return outputs
    if kinds == {Weight}:
      return [Weight(own) for own in outputs]
    where = self.find_line(eqn)
    found = []
    for own in outputs:
      is_float = jnp.issubdtype(own.dtype, jnp.inexact)
      if Weight in kinds:  # a token selects among weights
        found.append(self.base(own, False, where))
      else:
        found.append(self._encode(own, where) if is_float else Token(own))
    if Weight in kinds:
      self.watch('synapses', eqn, operate, plain)
    return found

  def _call(self, eqn, values):
    """Looks into a call; a rule of one neuron's own stays its derivative."""
    jaxpr = eqn.params[CALLS[eqn.primitive.name]]
    has_own_rule = eqn.primitive.name in ('custom_jvp_call', 'custom_vjp_call')
    signals = _signals(values)
    if has_own_rule and len(signals) == 1 and _is_pointwise(jaxpr):
      if not any(isinstance(value, Weight) for value in values):
        return [self._compose(eqn, _bind_elements(eqn), values)]
    where = self.find_line(eqn) if _is_of_library(jaxpr) else ''
    return self.interpret(jaxpr, values, where)

  def _apply_pointwise(self, eqn, values):
    """Functions of the elements of one signal are one; of more, a product."""
    shape = eqn.outvars[0].aval.shape
    if eqn.params.get('name') == neuron.FIRED:
      return self._fire_as_it_is(values[0])
    values = [self._stretch(eqn, own, shape) for own in values]
    return self._combine(eqn, values)

  def _combine(self, eqn, values):
    signals = _signals(values)
    others = [own for own in values if not isinstance(own, Signal)]
    has_weights = any(isinstance(own, Weight) for own in others)
    moves = {(own.operate, own.operands[0].shape) for own in signals
             if own.kind == 'move'}  # fmt: skip
    is_moved = all(own.kind == 'move' for own in signals) and len(moves) == 1
    if is_moved and not has_weights and not any(map(_shape, others)):
      # Before the move there may be fewer neurons.
      ((move, _),) = moves
      shape = signals[0].shape
      result = self._combine(
        eqn,
        [own.operands[0] if isinstance(own, Signal) else own for own in values],
      )
      operands = [result]
      return Signal('move', shape, result.dtype, result.where, move, operands)
    if has_weights or len({own.base for own in signals}) > 1:
      return self._mix(eqn, values)
    return self._compose(eqn, _binder(eqn), values)

  def _compose(self, eqn, operate, values):
    """Makes a function of one signal, to be sent when something hears it."""
    name, signals = eqn.primitive.name, _signals(values)
    where, out = self.find_line(eqn), eqn.outvars[0].aval
    if name in ('max', 'min') and _is_identity(name, values):
      return signals[0]
    is_float = all(
      jnp.issubdtype(own.dtype, jnp.inexact) for own in (out, *signals)
    )
    linear = [own.is_linear for own in signals]
    is_square = name == 'square' or eqn.params.get('y') == 2 or name == 'mul'
    kind = 'neuron'
    if is_float and _is_sum(name, values):
      kind = 'wire' if len(signals) == 1 or all(linear) else 'sum'
      kind = kind if any(linear) or len(signals) == 1 else 'neuron'
    elif is_float and is_square and all(linear):
      kind = 'wire' if name == 'mul' and len(signals) == 1 else 'square'
    elif is_float and name == 'mul' and len(signals) == 1:
      kind = 'wire'
    values = [own.fill if isinstance(own, Uniform) else own for own in values]
    shape = signals[0].shape
    return Signal(kind, shape, out.dtype, where, operate, values)

  def _mix(self, eqn, values):
    """Applies a function of the elements of several signals, or of weights."""
    name, operate = eqn.primitive.name, _binder(eqn)
    if name in ('add', 'add_any', 'sub'):
      return self._apply_linear(eqn, values)[0]
    if name == 'select_n':
      # A bit selects what passes.
      which, cases = self.ask(values[0]), map(self.hear, values[1:])
      cases = list(cases)
      result = operate(which, *(own.value for own in cases))
      self.watch('wiring', eqn, operate, [which, *(c.value for c in cases)])
      return self.base(
        result, all(c.is_sent for c in cases), self.find_line(eqn)
      )
    if name in LOGIC:
      result = operate(*(self.ask(own) for own in values))
      return self.base(result, True, self.find_line(eqn))
    if name == 'mul':
      return self._multiply(eqn, operate, values)
    if name == 'div':
      above, below = values
      if not isinstance(below, Signal):
        return self._multiply(eqn, operate, values)
      inverse = self._function(lambda v: 1 / v, below, eqn)
      return self._multiply(eqn, operator.mul, [above, inverse])
    if name == 'pow':
      log = self._function(jnp.log, values[0], eqn)
      product = self._multiply(eqn, operator.mul, [values[1], log])
      return self._function(jnp.exp, product, eqn)
    if name in ('max', 'min'):
      return self._take_larger(eqn, *values, -1 if name == 'min' else 1)
    if name == 'clamp':
      low, value, high = values
      value = self._take_larger(eqn, low, value, 1)
      return self._take_larger(eqn, value, high, -1)
    if name in COMPARISONS:
      difference = self._subtract(eqn, *values)
      return self._function(
        lambda v: operate(v, jnp.zeros_like(v)), difference, eqn
      )
    raise refusal(eqn, self.find_line(eqn))

  def _function(self, operate, value, eqn):
    """Makes a function of a signal, or computes it of a weight."""
    if not isinstance(value, Signal):
      result = operate(_plain(value))
      return Weight(result) if isinstance(value, Weight) else result
    if value.kind == 'move':
      result = self._function(operate, value.operands[0], eqn)
      return Signal(
        'move', value.shape, result.dtype, result.where, value.operate, [result]
      )
    dtype = jax.eval_shape(operate, value).dtype
    return Signal(
      'neuron', value.shape, dtype, self.find_line(eqn), operate, [value]
    )

  def _subtract(self, eqn, above, below):
    above, below = self.hear(above), self.hear(below)
    is_sent = above.is_sent and below.is_sent
    return self.base(above.value - below.value, is_sent, self.find_line(eqn))

  def _take_larger(self, eqn, first, second, sign):
    """Computes max(a, b) = b + relu(a - b), or the minimum of sign -1."""
    difference = self._subtract(eqn, first, second)
    excess = self._function(
      lambda v: sign * jax.nn.relu(sign * v), difference, eqn
    )
    second, excess = self.hear(second), self.hear(excess)
    self.watch('wiring', eqn, operator.add, [second.value, excess.value])
    return self.base(
      second.value + excess.value, second.is_sent, self.find_line(eqn)
    )

  def _multiply(self, eqn, operate, values):
    """Multiplies: what enters weights or a product has been sent."""
    where, is_sent = self.find_line(eqn), False
    if any(isinstance(own, Weight) for own in values):
      what, factors = 'synapses', [self.ask(own) for own in values]
    elif len(_signals(values)) > 1:
      what, factors = 'product', [self.ask(own) for own in values]
    else:  # constants
      heard = [self.hear(own) for own in values]
      what, factors = 'wiring', [own.value for own in heard]
      is_sent = all(own.is_sent for own in heard)
    self.watch(what, eqn, operate, factors)
    return self.base(operate(*factors), is_sent, where)

  def _apply_linear(self, eqn, values, what='wiring'):
    """Applies wires, or lets the potential of winners pass."""
    name, operate, where = eqn.primitive.name, _binder(eqn), self.find_line(eqn)
    has_index = name.startswith(('gather', 'dynamic', 'scatter'))
    is_index = [
      not jnp.issubdtype(own.dtype, jnp.inexact) for own in _signals(values)
    ]
    if has_index and any(is_index):
      raise refusal(eqn, self.find_line(eqn), _INDEX)
    heard = [self.hear(own) for own in values]
    plain = [own.value for own in heard]
    self.watch(what, eqn, operate, plain)
    result = operate(*plain)
    results = result if eqn.primitive.multiple_results else [result]
    is_sent = all(own.is_sent for own in heard)
    return [self.base(own, is_sent, where) for own in results]

  def _stretch(self, eqn, value, shape):
    """Repeats a signal along the axes that an operation repeats itself."""
    if not isinstance(value, Signal) or value.shape == shape:
      return value
    axes = range(len(shape) - len(value.shape), len(shape))
    return self._moved(eqn, value, 'stretch', (shape, *axes), shape, lambda v: (
      jax.lax.broadcast_in_dim(v, shape, tuple(axes))
    ))  # fmt: skip

  def _move(self, eqn, value):
    shape = eqn.outvars[0].aval.shape
    key = str(eqn.params)
    return self._moved(eqn, value, eqn.primitive.name, key, shape, _binder(eqn))

  def _moved(self, eqn, value, name, key, shape, operate):
    """Moves a signal; equal moves are one, so that functions can be fused."""
    move = self._moves.setdefault((name, key, value.shape), operate)
    return Signal(
      'move', shape, value.dtype, self.find_line(eqn), move, [value]
    )

  def _choose(self, eqn, values):
    """Computes all branches of a condition that is no signal; one passes."""
    index, *values = values
    found = [self.interpret(own, values) for own in eqn.params['branches']]
    index = jnp.clip(_plain(index).astype(int), 0, len(found) - 1)
    outputs = []
    for cases in zip(*found):
      heard = [self.hear(own) for own in cases]
      value = jax.lax.select_n(
        jnp.broadcast_to(index, heard[0].value.shape),
        *(own.value for own in heard),
      )
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
    """Interprets the body of a scan, whose carries are sent to its next step.

    A carry may become a signal in the first step: the kinds of carries are
    those that a step does not change.
    """
    where, params = self.find_line(eqn), eqn.params
    body, length = params['jaxpr'], params['length']
    if 'ft_in' in params:  # of jax 0.12
      first, second, _ = map(len, params['ft_in'].unpack())
    else:
      first, second = params['num_consts'], params['num_carry']
    second += first
    for own in _signals(values[:first]):
      self.ask(own)  # once, not in every step
    kinds = [self._kind(own) for own in values]
    constants = [self.ask(own) for own in values[:first]]
    kinds[:first] = [
      'sent' if own == 'unsent' else own for own in kinds[:first]
    ]
    others = [self.hear(own).value for own in values[first:]]
    carry, xs = others[: second - first], others[second - first :]

    def run(interpreter, carry, xs, found):
      arrays = [*constants, *carry, *xs]
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
    outputs = self.loop(
      lambda carry, xs: run(self, carry, xs, []), carry, xs, length,
      params['reverse'],
    )  # fmt: skip
    kinds = [*kinds[first:second], *found[len(carry) :]]
    arrays = [*outputs[0], *outputs[1]]
    return [self._wrap(*own, where) for own in zip(arrays, kinds)]

  def loop(self, step, carry, xs, length, reverse):
    """Runs the steps of a scan."""
    return jax.lax.scan(step, carry, xs, length, reverse)


class Uniform(NamedTuple):
  """A constant array of one number, which functions of elements keep."""

  fill: jax.Array
  shape: tuple[int, ...]


def _plain(value):
  return value.value if isinstance(value, Weight | Token) else _full(value)


def _full(value):
  if isinstance(value, Uniform):
    return jnp.broadcast_to(value.fill, value.shape)
  return value


def _join(first, second):
  """Returns the kind of a carry that is of one kind or another."""
  kinds = {first, second} - {'constant'}
  if len(kinds) > 1:
    return 'unsent'
  return kinds.pop() if kinds else 'constant'


def _shape(value):
  value = value.fill if isinstance(value, Uniform) else _plain(value)
  return np.shape(value)


def _is_sum(name, values):
  """Returns whether a function of elements is linear in all its signals."""
  is_signal = [isinstance(own, Signal) for own in values]
  if name == 'div':
    return is_signal == [True, False]
  if name == 'select_n':
    return not is_signal[0]
  return name in (
    'add add_any convert_element_type copy copy_p name neg reduce_precision '
    'stop_gradient sub'.split()
  )


def _is_identity(name, values):
  """Returns whether a maximum is one with -inf, as in softmax."""
  others = [own for own in values if not isinstance(own, Signal)]
  if len(others) != 1 or isinstance(others[0], jax.core.Tracer):
    return False
  bound = others[0].fill if isinstance(others[0], Uniform) else others[0]
  if isinstance(bound, jax.core.Tracer) or np.ndim(bound):
    return False
  return np.asarray(bound) == {'max': -np.inf, 'min': np.inf}[name]


def _is_pointwise(jaxpr):
  """Returns whether a jaxpr computes elements of one shape one by one."""
  jaxpr = getattr(jaxpr, 'jaxpr', jaxpr)
  variables = [*jaxpr.invars, *jaxpr.outvars]
  shapes = {own.aval.shape for own in variables} - {()}
  if len(shapes) > 1 or len(jaxpr.outvars) != 1:
    return False
  for eqn in jaxpr.eqns:
    name = eqn.primitive.name
    if name in CALLS:
      is_pointwise = _is_pointwise(eqn.params[CALLS[name]])
    elif name == 'broadcast_in_dim':
      is_pointwise = not eqn.invars[0].aval.shape
    else:
      is_pointwise = name in POINTWISE
    if not is_pointwise:
      return False
  return True


def _passes_zero(values):
  """Returns whether values at 0 and beside it are those of a slope."""
  middle, above, below = values
  beside = jnp.maximum(jnp.abs(above), jnp.abs(below))
  return (middle == 0) & (beside > 2.0**-13)


def _binder(eqn):
  """Returns an equation as a function of its operands."""
  bound = eqn.primitive.get_bind_params(eqn.params)
  functions, params = bound if isinstance(bound, tuple) else ((), bound)

  def operate(*operands):
    if eqn.primitive.name == 'select_n':
      # A number may stand for an array of it.
      shape = jnp.broadcast_shapes(*map(np.shape, operands[1:]))
      cases = [jnp.broadcast_to(own, shape) for own in operands[1:]]
      operands = (operands[0], *cases)
    return eqn.primitive.bind(*functions, *operands, **params)

  return operate


def _bind_elements(eqn):
  """Returns a pointwise call as a function of its operands, of any shape."""
  name, shape = eqn.primitive.name, eqn.outvars[0].aval.shape
  if name not in CALLS:
    is_number = name == 'broadcast_in_dim'
    return (lambda value: value) if is_number else _binder(eqn)
  bound, jaxpr = _binder(eqn), eqn.params[CALLS[name]]
  jaxpr, constants = (
    getattr(jaxpr, 'jaxpr', jaxpr),
    getattr(jaxpr, 'consts', ()),
  )

  def operate(*operands):
    if jnp.broadcast_shapes(*map(np.shape, operands)) == shape:
      shapes = [own.aval.shape for own in jaxpr.invars]
      return bound(*map(jnp.broadcast_to, operands, shapes))[0]
    # It was traced for one shape; its own derivative is not asked for here.
    known = dict(zip(jaxpr.constvars, constants))
    known |= dict(zip(jaxpr.invars, operands))
    for own in jaxpr.eqns:
      values = [v.val if hasattr(v, 'val') else known[v] for v in own.invars]
      known[own.outvars[0]] = _bind_elements(own)(*values)
    return known[jaxpr.outvars[0]]

  return operate


def refusal(eqn: Any, where: str, remedy: str = '') -> types.UserError:
  """Returns the error of an operation that no neuron does, with its line."""
  name = eqn.primitive.name
  remedy = remedy or REMEDIES.get(
    name, 'write it by sums, products and functions of elements'
  )
  return types.UserError(
    f'{where}: {name} of a signal is no sum, product or function of '
    f'elements, which neurons are; {remedy}.'
  )


def find_line(eqn: Any) -> str:
  """Returns the user's line of an equation, as 'model.py:12'."""
  traceback = eqn.source_info.traceback
  frames = traceback.frames if traceback else []
  for frame in frames:
    path = frame.file_name
    if not path.startswith(_LIBRARIES) and not path.startswith('<'):
      return f'{path}:{frame.line_num}'
  return ''


def _is_of_library(jaxpr):
  """Returns whether a function of a library was traced, once for all calls."""
  jaxpr = getattr(jaxpr, 'jaxpr', jaxpr)
  origin = str(getattr(jaxpr.debug_info, 'func_src_info', ''))
  return any(own in origin for own in _LIBRARIES)


_LIBRARIES = (
  str(pathlib.Path(__file__).parents[1]),
  *{sysconfig.get_path(own) for own in ('purelib', 'platlib', 'stdlib')},
)
