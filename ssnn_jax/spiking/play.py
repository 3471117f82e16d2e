"""Plays what `spike` makes, event by event: neurons in any order, late wires.

Every neuron stores what it has sent, forward and back, and sends in a tick, if
a coin says so, the power of two that brings it nearest to what its potential
and its error ask for. What a neuron hears is what others had sent a few ticks
before, a delay of each neuron and direction. A synapse holds the sum of what
spikes of values s and of errors e have added to it, s E + X e: the product of
what it has heard at its two ends. When nothing moves any more, the network is
silent.
"""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.spiking import neuron
from ssnn_jax.spiking import transform


class Played(NamedTuple):
  """A presentation, played until it is silent.

  Attributes:
    outputs: of the function.
    update: what synapses have collected, in the tree of the parameters.
    ticks: until silence.
    neurons: a `PlayedNeurons` of each layer.
  """

  outputs: Any
  update: Any
  ticks: int
  neurons: list


class PlayedNeurons(NamedTuple):
  """A layer of neurons: user's line, kind, what was sent, numbers of spikes."""

  where: str
  kind: str
  value: jax.Array
  error: jax.Array
  spikes: int


class _Player(transform.Interpreter):
  """Gives what neurons have sent so far, and notes what they hear."""

  def __init__(self, codes: transform.Codes, sent: list | None):
    """Plays neurons that have sent arrays in order; None: their functions."""
    super().__init__(codes)
    self.sent, self.cells, self.potentials, self.last = sent, [], [], []

  def send(self, potential, cell):
    """Notes a potential; returns what its neurons have sent."""
    self.cells.append(cell)
    self.potentials.append(potential)
    if self.sent is None:
      return super().send(potential, cell)
    return self.sent[len(self.cells) - 1]

  def output(self, value):
    """Returns an output as it is heard."""
    return value

  def loop(self, step, carry, xs, length, reverse):
    """Unrolls a scan: each moment has neurons of its own."""
    ys = []
    for t in reversed(range(length)) if reverse else range(length):
      carry, y = step(carry, [own[t] for own in xs])
      ys.append(y)
    ys = ys[::-1] if reverse else ys
    return carry, [jnp.stack(own) for own in zip(*ys)]


def play(
  spiking: Callable,
  params: Any,
  signals: Any,
  loss: Callable[[Any], jax.Array],
  key: jax.Array,
  *,
  coin: float = 0.5,
  max_delay: int = 3,
  max_ticks: int = 10_000,
) -> Played:
  """Plays a presentation until the network is silent.

  Args:
    spiking: a function of `spike`.
    params: its parameters.
    signals: its signals.
    loss: of the outputs, a number.
    key: of the order of neurons and of the delays of wires.
    coin: probability that a neuron acts in a tick.
    max_delay: the longest delay of a wire, in ticks.
    max_ticks: after which the network is given up.

  Returns:
    What was played; `update` is `jax.grad` of the loss of `spiking`.

  Raises:
    UserError: if the network is not silent after `max_ticks`.
  """
  codes = spiking.codes
  traced = transform.trace(spiking.function, params, signals)
  count = len(jax.tree.leaves(params))
  weights, others = traced.arrays[:count], traced.arrays[count:]

  first = _Player(codes, None)

  def start():
    outputs = first.run(traced, *traced.arrays)
    values = [
      cell.function(v, cell.constants)
      for cell, v in zip(first.cells, first.potentials)
    ]
    return values, first.potentials, outputs

  shapes = jax.eval_shape(start)
  values, potentials, outputs = jax.tree.map(
    lambda own: jnp.zeros(own.shape, own.dtype), shapes
  )
  is_float = [jnp.issubdtype(own.dtype, jnp.inexact) for own in values]

  def listen(weights, floats, bits):
    floats, bits = iter(floats), iter(bits)
    sent = [next(floats if own else bits) for own in is_float]
    player = _Player(codes, sent)
    outputs = player.run(traced, *weights, *others)
    listen.cells = player.cells
    arrays = [(cell.constants, cell.steps) for cell in player.cells]
    return (player.potentials, outputs), arrays

  def split(sent):
    floats = [own for own, yes in zip(sent, is_float) if yes]
    return floats, [own for own, yes in zip(sent, is_float) if not yes]

  def find_loss(outputs):
    return loss(jax.tree.unflatten(traced.structure, outputs))

  def respond(heard):
    """Returns what synapses hold, outputs, and what neurons would send."""
    sent, errors, output_errors = heard
    floats, bits = split(sent)
    (potentials, outputs), pull, arrays = jax.vjp(
      lambda weights, floats: listen(weights, floats, bits),
      weights, floats, has_aux=True,
    )  # fmt: skip
    update, received = pull((errors, output_errors))
    received, targets, returns = iter(received), [], []
    for cell, v, (constants, steps), yes in zip(
      listen.cells, potentials, arrays, is_float
    ):
      value, back = cell.function(v, constants), jnp.zeros_like(v)
      if yes:
        value, pull = jax.vjp(
          functools.partial(_respond, cell.function, constants), v
        )
        (back,) = pull(next(received))
        back = transform.encode_error(back, value, cell, codes)
        value = transform.encode_value(value, cell, codes, steps)
      targets.append(value)
      returns.append(back)
    asked = [
      neuron.leading_digits(own, codes.output_digits)
      for own in jax.grad(find_loss)(outputs)
    ]
    return update, outputs, (targets, returns, asked)

  @jax.jit
  def tick(key, histories, delays):
    def hear(history, delay):
      return jnp.take_along_axis(history, delay[None], axis=0)[0]

    heard = jax.tree.map(hear, histories, delays)
    update, outputs, targets = respond(heard)
    # What is no number yet, as 0 / 0 before silence, is not sent.
    targets = jax.tree.map(_keep_numbers, targets)
    leaves, structure = jax.tree.flatten(targets)
    news, spikes = [], []
    for own, target, subkey in zip(
      jax.tree.leaves(histories), leaves, jax.random.split(key, len(leaves))
    ):
      acts = jax.random.bernoulli(subkey, coin, target.shape)
      new = _approach(own[0], target)
      new = jnp.where(acts, new, own[0])
      spikes.append(jnp.sum(new != own[0]))
      news.append(jnp.concatenate([new[None], own[:-1]]))
    is_silent = jnp.array([
      jnp.all(new == target[None]) for new, target in zip(news, leaves)
    ]).all()  # fmt: skip
    spikes = jax.tree.unflatten(structure, spikes)
    news = jax.tree.unflatten(structure, news)
    return news, spikes, is_silent, update, outputs

  states = (values, potentials, outputs)
  histories = jax.tree.map(
    lambda own: jnp.zeros((max_delay + 1, *own.shape), own.dtype), states
  )
  key, subkey = jax.random.split(key)
  leaves, structure = jax.tree.flatten(states)
  delays = jax.tree.unflatten(structure, [
    jax.random.randint(k, own.shape, 0, max_delay + 1)
    for k, own in zip(jax.random.split(subkey, len(leaves)), leaves)
  ])  # fmt: skip
  ticks, total, is_silent = 0, None, False
  while not is_silent:
    if ticks == max_ticks:
      raise types.UserError(
        f'max_ticks is {max_ticks}, and neurons still send; allow more ticks.'
      )
    ticks += 1
    key, subkey = jax.random.split(key)
    histories, spikes, is_silent, update, outputs = tick(
      subkey, histories, delays
    )
    total = spikes if total is None else jax.tree.map(jnp.add, total, spikes)
  sent, errors, _ = jax.tree.map(lambda own: own[0], histories)
  neurons = [
    PlayedNeurons(cell.where, cell.kind, value, error, int(a) + int(b))
    for cell, value, error, a, b in zip(
      listen.cells, sent, errors, total[0], total[1]
    )
  ]
  return Played(
    jax.tree.unflatten(traced.structure, outputs),
    jax.tree.unflatten(jax.tree.structure(params), update), ticks, neurons,
  )  # fmt: skip


def _respond(function, constants, potential):
  return function(potential, constants)


def _keep_numbers(target):
  if not jnp.issubdtype(target.dtype, jnp.inexact):
    return target
  is_number = jnp.abs(target) < transform.LIMIT**2
  return jnp.where(is_number, target, jnp.zeros_like(target))


def _approach(sent, target):
  """Sends the power of two nearest to what is missing; a bit flips."""
  if not jnp.issubdtype(sent.dtype, jnp.inexact):
    return target
  new = sent + neuron.nearest_power(target - sent)
  is_near = jnp.abs(target - new) <= 2.0**-20 * jnp.abs(target)
  return jnp.where(is_near, target, new)
