"""Learns while signals arrive, one moment at a time: `stream`.

A synapse stores its *eligibility*, how a carried value of its neuron depends on
its weight: E_t = D_t E_(t-1) + the derivative of now, where D_t is how much the
neuron keeps of itself (`transform.Eligibility`). The errors that arrive at what
was carried, times E, are what it learns of the past. That is `jax.grad` of the
whole signal below `spike(bptt=False)`, whose scans run back through time.

The rows of D, and which carried values a weight has, are found from the
function alone, by the same interpreter with functions that are left out: all
derivatives of `_Structure` are positive numbers, unless they are always 0.
"""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import powers
from ssnn_jax import types
from ssnn_jax.spiking import transform


class Memory(NamedTuple):
  """What is kept of a stream from one moment to the next, of B samples.

  Attributes:
    carries: of each scan.
    eligibilities: of each weight of each scan, `[B, S, ...]` of S carried
      values that it has.
    sent: what neurons have sent, in order.
    returned: errors that they have sent back.
  """

  carries: Any
  eligibilities: Any
  sent: Any
  returned: Any


class Moment(NamedTuple):
  """A moment of a stream.

  Attributes:
    outputs: of the function, for a signal of this moment.
    loss: of the moment.
    update: its gradient, what synapses learn, in the tree of the parameters.
    spikes: of all samples: the digits in which what neurons send differs from
      what they sent a moment before, as silence is free.
    error_spikes: the same of errors.
  """

  outputs: Any
  loss: jax.Array
  update: Any
  spikes: jax.Array
  error_spikes: jax.Array


class Now(transform.Interpreter):
  """Interprets a moment: scans over signals go on from what they carried.

  Attributes:
    carries: of each scan; None, of scans that begin.
    watch_scan: `(loop, carry, xs)`, is asked at each scan.
    found: what each scan carries on, and what was returned there.
  """

  carries, watch_scan, is_inside = None, None, False

  def remember(self, loop, begin):
    """Runs one moment of a scan; other scans are inside it."""
    if self.is_inside or loop.length != 1:
      return super().remember(loop, begin)
    if not all(map(transform.is_constant, begin)):
      raise types.UserError(
        f'{loop.where}: a scan begins with weights or signals, which a stream '
        'does not learn; begin with constants.'
      )
    carry, xs = loop.carry, [own[0] for own in loop.xs]
    if self.carries is not None:
      carry = self.carries[len(self.found)]
    self.is_inside = True
    now, ys = loop.step(self, carry, xs)
    self.is_inside = False
    self.found.append((now, self.watch_scan(loop, carry, xs)))
    return now, [own[None] for own in ys]

  def loop(self, step, carry, xs, length, reverse):
    """Runs the steps of other scans one by one: each has its own memory."""
    return transform.unroll(step, carry, xs, length, reverse)


class _Sender(Now):
  """Notes what neurons send, forward and, by probes, back."""

  def __init__(self, codes, probes=None):
    """Adds probes to potentials, whose errors are those sent back."""
    super().__init__(codes)
    self.probes, self.heard, self.sent = probes, [], []

  def send(self, potential, cell):
    """Notes what neurons send."""
    if self.probes is not None:
      potential = potential + self.probes[len(self.sent)]
    self.heard.append(potential)
    self.sent.append(super().send(potential, cell))
    return self.sent[-1]


class _Eligibility(transform.Eligibility):
  """Adds numbers to weights where they meet signals, in order."""

  def __init__(self, codes, added=None):
    """Adds arrays; None adds nothing."""
    super().__init__(codes)
    self.added, self.weights = added, []

  def enter(self, arrays, kinds, is_carry):
    """Has derivatives by the carry and by what is added alone."""
    if self.added is None:
      return arrays
    return [
      own if is_own else jax.lax.stop_gradient(own)
      for own, is_own in zip(arrays, is_carry)
    ]

  def _compute(self, eqn, values):
    """Refuses what would have other weights in each moment."""
    if {transform.Weight, transform.Token} <= set(map(type, values)):
      raise types.UserError(
        f'{self.find_line(eqn)}: integers select weights in a scan, whose '
        'eligibilities a stream does not store; select them before the scan.'
      )
    return super()._compute(eqn, values)

  def add(self, value):
    """Returns a weight, with what is added."""
    self.weights.append(value.value)
    if self.added is None:
      return value.value
    return value.value + self.added[len(self.weights) - 1]

  def hear(self, value):
    """Hears; what a weight adds to it."""
    if isinstance(value, transform.Weight):
      return transform.Potential(self.add(value), False)
    return super().hear(value)

  def ask(self, value):
    """Asks; what a weight adds to it."""
    if isinstance(value, transform.Weight):
      return self.add(value)
    return super().ask(value)


class _Structure(_Eligibility):
  """Has derivatives that are not 0 unless they are always 0.

  Functions are lines through 0, and slopes, signals and weights random, so that
  no product is of 0, and paths do not cancel. Bits are all as given.
  """

  def __init__(self, codes, bit, probes=None):
    """Adds probes to all potentials; None counts them."""
    super().__init__(codes)
    self.bit, self.probes, self.shapes = bit, probes, []
    self.draws = np.random.default_rng(0)

  def draw(self, array):
    """Draws numbers of the shape of a float array."""
    if not jnp.issubdtype(array.dtype, jnp.inexact):
      return array
    return jnp.asarray(self.draws.uniform(1, 2, array.shape), array.dtype)

  def enter(self, arrays, kinds, is_carry):
    """Replaces signals, but not the carry."""
    return [
      self.draw(own) if kind in ('sent', 'unsent') and not is_own else own
      for own, kind, is_own in zip(arrays, kinds, is_carry)
    ]

  def add(self, value):
    """Replaces a weight."""
    return super().add(transform.Weight(self.draw(value.value)))

  def send(self, potential, cell):
    """Returns what has a slope in all potentials, or bits."""
    if cell.kind == 'bits':
      return jnp.full(potential.shape, self.bit)
    return self.draw(potential) * potential

  def base(self, value, is_sent, where):
    """Makes a potential a signal, with a probe."""
    self.shapes.append(value)
    if self.probes is not None:
      value = value + self.probes[len(self.shapes) - 1]
    return super().base(value, is_sent, where)


class _Port(NamedTuple):
  """A weight, by its entries; axes on which all is equal have size 1.

  Attributes:
    slots: `[S, ...]` the carried values that an entry has, or -1.
    now: `[S, C, ...]` those which its neuron changes in this moment, by colour.
    rows: `[S, S, ...]` where the derivative of one slot by another is.
    keeps: `[S, S, ...]` whether it may differ from 0.
  """

  slots: np.ndarray
  now: np.ndarray
  rows: np.ndarray
  keeps: np.ndarray

  def advance(self, kept, learned, before):
    """Returns eligibilities of `[C n]` kept shares, and `[C, ...]` learned."""
    found = []
    for slot, (now, rows, keeps) in enumerate(
      zip(self.now, self.rows, self.keeps)
    ):
      parts = [jnp.zeros_like(before[slot])]
      # What is always 0 is left out.
      for colour in np.flatnonzero(now.reshape(len(now), -1).any(1)):
        parts.append(jnp.where(now[colour], learned[colour], 0))
      for past in np.flatnonzero(keeps.reshape(len(keeps), -1).any(1)):
        share = jnp.where(keeps[past], kept[rows[past]], 0)
        parts.append(share * before[past])
      found.append(sum(parts[1:], parts[0]))
    return jnp.stack(found)


class _Plan(NamedTuple):
  """The structure of a scan: which carried value depends on what.

  Attributes:
    carried: which carries are signals.
    colours: `[C, n]` sets of carried values, of which no two depend on the same
      value or weight: a derivative of their sum is one of each.
    weights: the shapes of all weights that signals meet.
    ports: of those that neurons remember, by their numbers.
  """

  carried: list[int]
  colours: np.ndarray
  weights: list[tuple[int, ...]]
  ports: dict[int, _Port]

  @property
  def shapes(self) -> list[tuple[int, ...]]:
    """The shapes of eligibilities."""
    return [
      (len(port.slots), *self.weights[n]) for n, port in self.ports.items()
    ]

  def find_weights(self, codes, loop, carry, xs):
    """Returns the weights that ports have."""
    network = _Eligibility(codes)
    loop.step(network, carry, xs)
    return [network.weights[n] for n in self.ports]

  def advance(self, codes, loop, carry, xs, eligibilities):
    """Returns the eligibilities, `[S, ...]` of each port, after a moment."""
    carry, xs = jax.lax.stop_gradient((carry, xs))

    def respond(own, added):
      network = _Eligibility(codes, added)
      return _run_carried(network, loop, self.carried, carry, own, xs)

    own = [carry[n] for n in self.carried]
    added = list(map(jnp.zeros, self.weights))
    outputs, pull = jax.vjp(respond, own, added)
    ends = np.cumsum([own.size for own in outputs])[:-1]
    sums = [
      jnp.asarray(own.reshape(-1, *like.shape), like.dtype)
      for own, like in zip(np.split(self.colours, ends, axis=1), outputs)
    ]
    kept, learned = jax.vmap(pull)(sums)
    kept = jnp.concatenate([own.reshape(len(own), -1) for own in kept], axis=1)
    flat = kept.reshape(-1)
    return [
      port.advance(flat, learned[number], before)
      for (number, port), before in zip(self.ports.items(), eligibilities)
    ]

  def learn(self, errors, eligibilities):
    """Returns errors at carried values times eligibilities."""
    errors = jnp.concatenate([own.reshape(-1) for own in errors])
    return [
      jnp.sum(jnp.where(own.slots < 0, 0, errors[own.slots]) * before, axis=0)
      for own, before in zip(self.ports.values(), eligibilities)
    ]


def _run_carried(network, loop, carried, carry, own, xs):
  """Returns carried signals after a moment, by those before."""
  carry = list(carry)
  for n, array in zip(carried, own):
    carry[n] = array
  outputs, _ = loop.step(network, carry, xs)
  return [outputs[n] for n in carried]


def _list_carried(loop):
  return [n for n, kind in enumerate(loop.kinds) if kind in ('sent', 'unsent')]


def _pull_back(codes, loop, carry, xs, rows=None):
  """Returns derivatives of sums of what a step of a scan carries on.

  Args:
    codes: of the neurons.
    loop: the scan.
    carry: what it has carried.
    xs: what enters the step.
    rows: `[R, n]` factors of the sums; None is each of the n values.

  Returns:
    Derivatives `[R, ...]` by the carry, weights and potentials, for bits that
    are all 0 and all 1.
  """
  carried, first = _list_carried(loop), _Structure(codes, False)
  start = list(map(first.draw, carry))
  loop.step(first, start, xs)
  own = [start[n] for n in carried]
  zeros = [
    [jnp.zeros_like(x) for x in arrays]
    for arrays in (first.weights, first.shapes)
  ]
  if rows is None:
    rows = jnp.eye(sum(x.size for x in own))

  def respond(bit, own, added, probes):
    network = _Structure(codes, bit, probes)
    network.added = added
    outputs = _run_carried(network, loop, carried, start, own, xs)
    return jnp.concatenate([own.reshape(-1) for own in outputs])

  pulls = (
    jax.vjp(functools.partial(respond, bit), own, *zeros)[1]
    for bit in (False, True)
  )
  return [jax.vmap(pull)(rows) for pull in pulls]


def _find_links(derivatives):
  """Returns on which values, `[n, m]`, what is carried on depends."""
  links = 0
  for by_carry, _, by_probe in derivatives:
    rows = [own.reshape(len(own), -1) for own in (*by_carry, *by_probe)]
    links = links | (np.concatenate(rows, axis=1) != 0)
  return links


def _find_powers(colours):
  """Returns sums of colours, of the numbers of values and of their squares."""
  numbers = 1.0 + np.arange(colours.shape[1])
  return np.float32(np.concatenate([colours * numbers**n for n in range(3)]))


def _make_plan(loop, links, colours, derivatives):
  """Makes the plan of a scan, of derivatives of the sums of `_find_powers`."""
  touched = []
  for both in zip(*(by_weight for _, by_weight, _ in derivatives)):
    own = -np.ones((len(colours), *both[0].shape[1:]), int)
    for one, first, second in (np.split(values, 3) for values in both):
      # If an entry changes one value alone, these are its number and square.
      one = np.where(one == 0, np.nan, one)
      number = np.round(first / one)
      far = np.abs(second / one / number**2 - 1) + np.abs(first / one - number)
      if np.any(far > 0.01):
        raise types.UserError(
          f'{loop.where}: a weight of shape {own.shape[1:]} is shared by '
          'neurons of a moment of this scan, whose eligibilities a stream does '
          'not store; learn it by jax.grad of spike(bptt=False).'
        )
      own = np.where(np.isnan(number), own, number - 1).astype(int)
    touched.append(own)
  links = links[:, : len(links)]
  ports = {n: _make_port(own, links, colours) for n, own in enumerate(touched)}
  ports = {n: own for n, own in ports.items() if len(own.slots)}
  shapes = [own.shape[1:] for own in touched]
  return _Plan(_list_carried(loop), colours, shapes, ports)


def _colour(links):
  """Returns sets of rows of which no two have an entry in one column."""
  conflicts = links.astype(np.float32) @ links.T.astype(np.float32) > 0
  colour = -np.ones(len(links), int)
  for row, others in enumerate(conflicts):
    taken = {*colour[others]}
    colour[row] = next(n for n in range(len(links)) if n not in taken)
  return colour == np.arange(colour.max() + 1)[:, None]


def _make_port(touched, links, colours):
  """Makes a port of the values that entries change at once, by colour."""
  for axis in range(1, touched.ndim):
    one = touched.take([0], axis)
    touched = one if np.all(touched == one) else touched
  shape = touched.shape[1:]
  starts, which = np.unique(
    touched.reshape(len(touched), -1).T, axis=0, return_inverse=True
  )
  reached = []
  for start in starts:
    own = {*start[start >= 0].tolist()}
    while new := {*np.flatnonzero(links[:, [*own]].any(axis=1))} - own:
      own |= new
    reached.append(sorted(map(int, own)))
  size = max(map(len, reached))
  slots = np.array([own + [-1] * (size - len(own)) for own in reached], int)
  slots = slots[which.reshape(-1)].T.reshape(size, *shape)
  now = (slots[:, None] == touched) & (touched >= 0)
  after, before = slots[:, None], slots[None]
  colour = np.argmax(colours, axis=0)
  return _Port(
    slots,
    now,
    np.where(after < 0, 0, colour[after] * len(links)) + np.maximum(before, 0),
    (after >= 0) & (before >= 0) & links[after, before],
  )


def stream(
  spiking: Callable, params: Any, loss: Callable, *, axis: int = 1
) -> tuple[Callable, Callable]:
  """Makes a function of `spike` learn a stream, one moment at a time.

  Args:
    spiking: a function of `spike` of signals with an axis of moments, which
      meet in scans alone, as recurrent layers and dense ones.
    params: its parameters, of which the shapes count.
    loss: `(outputs, *targets) -> loss` of a moment; outputs are those of a
      signal of one moment.
    axis: of the moments: 1 behind that of B samples, or 0 of one sample.

  Returns:
    Two functions. `start(moment)` returns the `Memory` before the first moment;
    a moment is signals without the axis of moments. `step(memory, params,
    moment, *targets)` returns the next memory and a `Moment`, whose updates sum
    up to `jax.grad` of the losses of all moments, below `spike(bptt=False)`, if
    the parameters do not change. `step` works below `jax.jit`; what it costs
    does not depend on how many there were.

  Raises:
    UserError: of `start`, if moments meet outside of scans, or if weights are
      shared by neurons of a moment of a scan, as those of a convolution.

  Example:
    >>> import flax.linen as nn
    >>> model, x = nn.RNN(nn.GRUCell(4)), jnp.ones((2, 3, 5))
    >>> params = model.init(jax.random.key(0), x)
    >>> spiking = ssnn_jax.spike(model.apply, bptt=False)
    >>> start, step = ssnn_jax.stream(spiking, params, jnp.mean)
    >>> memory, step = start(x[:, 0]), jax.jit(step)
    >>> for t in range(3):
    ...   memory, moment = step(memory, params, x[:, t])
    >>> moment.outputs.shape
    (2, 1, 4)
  """
  moments = Moments(spiking, params, axis)

  def step(memory, params, moment, *targets):
    shown = moments.present(params, memory, moment)
    find_loss = lambda outputs: loss(outputs, *targets)
    value, errors = jax.value_and_grad(find_loss)(shown.outputs)
    now, arrived, returned = shown.pull(errors)
    after = shown.memory._replace(returned=returned)
    spikes = [
      sum(map(_count_changes, *own), jnp.zeros(()))
      for own in (
        (after.sent, memory.sent),
        (after.returned, memory.returned),
      )
    ]
    update = shown.learn(now, arrived)
    return after, Moment(shown.outputs, value, update, *spikes)

  return moments.start, step


class Moments:
  """A function of `spike` that is presented moment by moment."""

  def __init__(self, spiking: Callable, params: Any, axis: int):
    """Takes the arguments of `stream`."""
    if axis not in (0, 1) or spiking.codes.bptt:
      raise types.UserError(
        f'axis is {axis!r}, and bptt of the function {spiking.codes.bptt}; '
        'expected 0 or 1, and a function of spike(bptt=False).'
      )
    self.function, self.codes = spiking.function, spiking.codes
    self.params, self.axis = params, axis
    self._find_plans = functools.cache(self._find_plans)

  def run(self, now, params, carries, watch, moment):
    """Interprets a moment of one sample; returns outputs and `now.found`."""
    widen = lambda own: own[None, None] if self.axis else own[None]
    moment = jax.tree.map(widen, moment)
    traced = transform.trace(self.function, params, moment)
    now.carries, now.watch_scan, now.found = carries, watch, []
    outputs = now.run(traced, *traced.arrays)
    outputs = [own[0] for own in outputs] if self.axis else outputs
    return jax.tree.unflatten(traced.structure, outputs), now.found

  def over_samples(self, run, *axes):
    """Maps a function of one sample over samples."""
    return jax.vmap(run, axes) if self.axis else run

  def _find_plans(self, structure, kinds):
    """Returns the plans of scans, their first carries, and what is sent."""
    loops = []

    def visit(rows):
      zeros = [jnp.zeros(*own) for own in kinds]
      now, rows = _Sender(self.codes), iter(rows)
      loops.clear()

      def watch(loop, carry, xs):
        loops.append(loop)
        return _pull_back(self.codes, loop, carry, xs, next(rows, None)), carry

      moment = jax.tree.unflatten(structure, zeros)
      _, found = self.run(now, self.params, None, watch, moment)
      return [own for _, own in found], (now.sent, now.heard)

    def run(rows):  # also while a step is traced
      compiled = jax.jit(visit).lower(rows).compile()
      return jax.device_get(compiled(rows))

    found, sent = run([])
    links = [_find_links(own) for own, _ in found]
    colours = list(map(_colour, links))
    sums = [own for own, _ in run(list(map(_find_powers, colours)))[0]]
    sent = jax.tree.map(np.zeros_like, sent)
    plans = list(map(_make_plan, loops, links, colours, sums))
    return plans, [carry for _, carry in found], sent

  def find(self, moment):
    """Returns plans of scans, and the memory before a stream."""
    leaves, structure = jax.tree.flatten(moment)
    leaves = list(map(jnp.asarray, leaves))
    size = leaves[0].shape[: self.axis]
    kinds = tuple((own.shape[self.axis :], own.dtype) for own in leaves)
    plans, carries, sent = self._find_plans(structure, kinds)
    zeros = [[jnp.zeros(own) for own in plan.shapes] for plan in plans]
    spread = lambda own: jnp.broadcast_to(own, (*size, *np.shape(own)))
    return plans, jax.tree.map(spread, Memory(carries, zeros, *sent))

  def start(self, moment):
    """Returns the memory before a stream."""
    _, memory = self.find(moment)
    _check(self, moment, memory.carries)
    return memory

  def present(self, params, memory, moment):
    """Presents a moment."""
    plans, _ = self.find(moment)

    def run(params, offsets, probes, memory, moment):
      carries = add_offsets(memory.carries, plans, offsets)
      kept = iter(zip(plans, memory.eligibilities))

      def watch(loop, carry, xs):
        plan, before = next(kept)
        weights = plan.find_weights(self.codes, loop, carry, xs)
        return weights, plan.advance(self.codes, loop, carry, xs, before)

      now = _Sender(self.codes, probes)
      outputs, found = self.run(now, params, carries, watch, moment)
      weights = [own for _, (own, _) in found]
      after = Memory(
        [own for own, _ in found],
        [own for _, (_, own) in found],
        now.sent,
        memory.returned,
      )
      return (outputs, weights), after

    run = self.over_samples(run, None, 0, 0, 0, 0)
    offsets = find_offsets(plans, memory)
    probes = list(map(jnp.zeros_like, memory.returned))
    (outputs, weights), pull, after = jax.vjp(
      lambda *own: run(*own, memory, moment),
      params, offsets, probes, has_aux=True,
    )  # fmt: skip

    def learn(now, arrived):
      learned = [
        self.over_samples(plan.learn, 0, 0)(*own)
        for plan, *own in zip(plans, arrived, memory.eligibilities)
      ]
      past, *_ = pull((jax.tree.map(jnp.zeros_like, outputs), learned))
      return jax.tree.map(jnp.add, now, past)

    zeros = jax.tree.map(jnp.zeros_like, weights)
    return Shown(outputs, after, lambda errors: pull((errors, zeros)), learn)


def find_offsets(plans: list[_Plan], memory: Memory) -> list:
  """Returns zeros of all carried signals, by which errors arrive there."""
  return [
    [jnp.zeros_like(own[n]) for n in plan.carried]
    for plan, own in zip(plans, memory.carries)
  ]


def add_offsets(carries: list, plans: list[_Plan], offsets: list) -> list:
  """Returns carries with offsets."""
  carries = list(map(list, carries))
  for own, plan, added in zip(carries, plans, offsets):
    for n, offset in zip(plan.carried, added):
      own[n] = own[n] + offset
  return carries


class Shown(NamedTuple):
  """A moment that was presented.

  Attributes:
    outputs: of the function.
    memory: after the moment, but errors.
    pull: of errors of outputs: the gradient of this moment, errors at what was
      carried, and errors that neurons send.
    learn: of a gradient of this moment and errors at what was carried: the
      update, with what synapses remember.
  """

  outputs: Any
  memory: Memory
  pull: Callable
  learn: Callable


def _count_changes(now, before):
  """Counts spikes: the digits of what neurons send that they did not before.

  Staircases of a number of steps that is no power of two have one or two more.
  """
  if not jnp.issubdtype(now.dtype, jnp.inexact):
    return jnp.sum(now != before, dtype=jnp.float32)
  return jnp.sum(powers.count_digits(now - before), dtype=jnp.float32)


def _check(moments, moment, carries):
  """Refuses functions in which moments meet outside of scans."""
  draws, axis = np.random.default_rng(0), moments.axis
  function, params = moments.function, moments.params

  def draw(own):
    shape = (*own.shape[:axis], 3, *own.shape[axis:])
    if jnp.issubdtype(own.dtype, jnp.inexact):
      return jnp.asarray(draws.normal(size=shape), own.dtype)
    return jnp.asarray(draws.integers(2, size=shape), own.dtype)

  signals = jax.tree.map(draw, moment)
  step = lambda carries, own: moments.run(
    Now(transform.EXACT), params, carries, lambda *_: None, own
  )
  step = jax.jit(moments.over_samples(step, 0, 0))
  whole, found = jax.jit(function)(params, signals), []
  for t in range(3):
    now = jax.tree.map(lambda own, t=t: own.take(t, axis), signals)
    outputs, after = step(carries, now)
    carries = [own for own, _ in after]
    found.append(outputs)

  def differs(whole, *parts):
    joined = jnp.concatenate(parts, axis)
    parts = joined if joined.shape == whole.shape else parts[-1]
    return parts.shape != whole.shape or not jnp.allclose(
      parts, whole, rtol=1e-3, atol=1e-3 * jnp.abs(whole).max()
    )

  if any(jax.tree.leaves(jax.tree.map(differs, whole, *found))):
    raise types.UserError(
      f'moments of {getattr(function, "__qualname__", function)} meet outside '
      'of a scan, as in a mean or attention over moments, or its scan runs '
      'backward; a stream has one moment. Use jax.grad of the whole signal.'
    )
