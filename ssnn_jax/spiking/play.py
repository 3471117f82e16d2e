"""Plays what `spike` makes, event by event: neurons in any order, late wires.

Every neuron stores what it has sent, forward and back, and sends in a tick, if
a coin says so, the power of two that brings it nearest to what its potential
and its error ask for. What a neuron hears is what others had sent a few ticks
before, a delay of each neuron and direction. When nothing moves any more, and
nothing is on its way, the network is silent.

A synapse holds X E, the product of what it has heard at its two ends, and is
computed so in each tick. To add s E + X e + s e to it for spikes s and e would
be the same, as that is (X + s) (E + e) - X E, whatever s and e are: spikes, or
what a winner or a bit now lets pass. No sum is added up spike by spike here,
whose rounding would differ.
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
from ssnn_jax.spiking import stream
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
    """Plays neurons that have sent arrays, in order; None: all they send."""
    super().__init__(codes)
    self.sent, self.cells, self.heard, self.values = sent, [], [], []

  def send(self, potential, cell):
    """Notes a potential; returns what its neurons have sent."""
    if self.sent is None:
      value = super().send(potential, cell)
    else:
      value = self.sent[len(self.cells)]
    self.cells.append(cell)
    self.heard.append(potential)
    self.values.append(value)
    return value

  def output(self, value):
    """Returns an output as it is heard."""
    return value

  def loop(self, step, carry, xs, length, reverse):
    """Unrolls a scan."""
    return transform.unroll(step, carry, xs, length, reverse)


class _StreamPlayer(_Player, stream.Now):
  """Plays a moment of a stream."""


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
  traced = transform.trace(spiking.function, params, signals)
  count = traced.kinds.count('weight')
  weights, others = traced.arrays[:count], traced.arrays[count:]

  def run(player, weights):
    outputs = player.run(traced, *weights, *others)
    return jax.tree.unflatten(traced.structure, outputs)

  wires = coin, max_delay, max_ticks
  player = functools.partial(_Player, spiking.codes)
  played, _ = _settle(run, player, weights, loss, key, wires)
  structure = jax.tree.structure(params)
  return played._replace(update=jax.tree.unflatten(structure, played.update))


def play_stream(
  spiking: Callable,
  params: Any,
  signals: Any,
  loss: Callable[[Any, int], jax.Array],
  key: jax.Array,
  *,
  coin: float = 0.5,
  max_delay: int = 3,
  max_ticks: int = 10_000,
) -> list[Played]:
  """Plays a signal moment after moment; the network settles within each.

  Neurons go on from what they have sent in the moment before.

  Args:
    spiking: a function of `spike(bptt=False)`, as of `stream`.
    params: its parameters.
    signals: `[1, L, ...]`, one signal.
    loss: `(outputs, t) -> loss` of a moment, as of `stream`.
    key: as of `play`.
    coin: as of `play`.
    max_delay: as of `play`.
    max_ticks: of a moment.

  Returns:
    What was played in each moment, with the updates of `stream`.

  Raises:
    UserError: as of `play` and `stream`, or if there is more than one signal.
  """
  shape = jax.tree.leaves(signals)[0].shape
  if shape[0] != 1:
    raise types.UserError(
      f'signals have shape {shape}; play one of them, as signals[:1].'
    )
  moments, before, found = stream.Moments(spiking, params, 1), None, []
  player = functools.partial(_StreamPlayer, spiking.codes)
  one = functools.partial(jax.tree.map, lambda own: own[0])
  moment = jax.tree.map(lambda own: own[:, 0], signals)
  memory = moments.start(moment)
  for t in range(shape[1]):
    moment = jax.tree.map(lambda own, t=t: own[:, t], signals)
    plans, _ = moments.find(moment)
    shown = moments.present(params, memory, moment)

    def run(player, weights, memory=memory, plans=plans, moment=moment):
      params, offsets = weights
      carries = stream.add_offsets(one(memory.carries), plans, offsets)
      watch = lambda *_: None
      outputs, _ = moments.run(player, params, carries, watch, one(moment))
      return jax.tree.map(lambda own: own[None], outputs)

    key, subkey = jax.random.split(key)
    played, before = _settle(
      run, player, (params, one(stream.find_offsets(plans, memory))),
      lambda outputs, t=t: loss(outputs, t), subkey,
      (coin, max_delay, max_ticks), before,
    )  # fmt: skip
    now, arrived = played.update
    arrived = jax.tree.map(lambda own: own[None], arrived)
    found.append(played._replace(update=shown.learn(now, arrived)))
    memory = shown.memory
  return found


def _settle(run, make, weights, find_loss, key, wires, before=None):
  """Plays a network until it is silent.

  Args:
    run: `(player, weights) -> outputs`.
    make: makes a player of what neurons have sent.
    weights: arrays by which the update is the derivative.
    find_loss: of the outputs.
    key: of the order of neurons and of the delays of wires.
    wires: probability of a neuron to act, longest delay, most ticks.
    before: the state in the end of another play of the network; None is rest.

  Returns:
    What was played, and the state of neurons and wires in the end.
  """
  coin, max_delay, max_ticks = wires

  def listen(weights, sent):
    player = make(sent)
    outputs = run(player, weights)
    arrays = [(cell.constants, cell.steps) for cell in player.cells]
    return (player.heard, outputs), arrays

  def respond(sent, errors, output_errors):
    """Returns what synapses hold, outputs, and what neurons would send."""
    (potentials, outputs), pull, arrays = jax.vjp(
      listen, weights, sent, has_aux=True
    )
    update, received = pull((errors, output_errors))
    targets, returns = [], []
    for cell, v, own, error in zip(cells, potentials, arrays, received):
      cell = cell._replace(constants=own[0], steps=own[1])
      value, pull = jax.vjp(
        lambda v, cell=cell: transform.send(v, cell, codes), v
      )
      targets.append(value)
      returns += pull(error)
    asked = jax.tree.map(
      lambda own: powers.leading_digits(own, codes.output_digits),
      jax.grad(find_loss)(outputs),
    )
    # What is no number yet, as 0 / 0 before silence, is not sent, nor what is
    # so large that its difference from another would be infinite: such spikes
    # could not be taken back.
    targets = jax.tree.map(_keep_numbers, (targets, returns, asked))
    return update, outputs, targets

  @jax.jit
  def tick(key, histories, delays):
    heard = jax.tree.map(
      lambda own, delay: jnp.take_along_axis(own, delay[None], axis=0)[0],
      histories, delays,
    )  # fmt: skip
    update, outputs, targets = respond(*heard)

    def act(own, target, key):
      acts = jax.random.bernoulli(key, coin, target.shape)
      new = jnp.where(acts, _approach(own[0], target), own[0])
      return jnp.concatenate([new[None], own[:-1]])

    news = jax.tree.map(act, histories, targets, _split(key, targets))
    spikes = jax.tree.map(
      lambda new, own: jnp.sum(new[0] != own[0]), news, histories
    )
    # Of all that any wire may have heard, not of what is sent now alone.
    are_silent = jax.tree.map(
      lambda own, target: jnp.all(own == target[None]), histories, targets
    )
    is_silent = jnp.stack(jax.tree.leaves(are_silent)).all()
    return news, spikes, is_silent, update, outputs

  def start():
    player = make(None)
    outputs = run(player, weights)
    cells[:], codes[:] = player.cells, [player.codes]
    return player.values, player.heard, outputs

  cells, codes = [], []
  shapes = jax.eval_shape(start)
  (codes,) = codes
  key, subkey = jax.random.split(key)
  histories = jax.tree.map(
    lambda own: jnp.zeros((max_delay + 1, *own.shape), own.dtype), shapes
  )
  delays = jax.tree.map(
    lambda own, key: jax.random.randint(key, own.shape, 0, max_delay + 1),
    shapes, _split(subkey, shapes),
  )  # fmt: skip
  histories, delays = before or (histories, delays)
  total = jax.tree.map(lambda _: 0, shapes)
  ticks, is_silent = 0, False
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
    total = jax.tree.map(np.add, total, jax.device_get(spikes))
  values, errors, _ = jax.tree.map(lambda own: own[0], histories)
  neurons = [
    PlayedNeurons(cell.where, cell.kind, value, error, int(sum(spikes)))
    for cell, value, error, *spikes in zip(cells, values, errors, *total[:2])
  ]
  played = Played(outputs, update, ticks, neurons)
  return played, (histories, delays)


def _split(key, tree):
  """Returns a key of each leaf."""
  leaves, structure = jax.tree.flatten(tree)
  return jax.tree.unflatten(structure, [*jax.random.split(key, len(leaves))])


def _keep_numbers(target):
  if not jnp.issubdtype(target.dtype, jnp.inexact):
    return target
  is_number = jnp.abs(target) < transform.LIMIT**2
  return jnp.where(is_number, target, jnp.zeros_like(target))


def _approach(sent, target):
  """Sends the power of two nearest to what is missing; a bit flips."""
  if not jnp.issubdtype(sent.dtype, jnp.inexact):
    return target
  new = sent + powers.nearest_power(target - sent)
  is_near = jnp.abs(target - new) <= 2.0**-20 * jnp.abs(target)
  return jnp.where(is_near, target, new)
