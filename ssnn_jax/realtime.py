"""Real time: the spikes of a bipolar network, tick by tick, until silence.

All layers work at once. In each tick every neuron sends the spikes, forward and
backward, that its state at the end of the tick before asks for; spikes travel
along wires, some for longer than others; and every neuron and synapse receives
what arrives. When nothing is sent and nothing on its way, all counts are those
of the settled network (`spiking`), whatever the wires and the order. `play` is
for looking and for proving; `network.ssnn` trains the settled network.
"""

from collections.abc import Callable
from collections.abc import Iterable
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import network
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig

_TICKS_AT_ONCE = 8
_MOST_TICKS = 1 << 16  # a network of loops may never be silent


class Circuit(NamedTuple):
  """Neurons and synapses; a layer of neurons has any shape.

  Attributes:
    currents: `(params, spikes, is_on) -> currents`, linear in the parameters
      and in the other two: the currents of hidden layers and the output, of the
      `[B, ...]` spikes of inputs and hidden layers; `is_on` multiplies biases.
    shapes: shape of each layer of neurons, from the inputs to the classes.
    num_steps: T, ticks of a presentation.
    gains: G of each hidden layer.
    ceiling: c, largest rate of hidden neurons.
  """

  currents: Callable[..., tuple[jax.Array, ...]]
  shapes: tuple[tuple[int, ...], ...]
  num_steps: int
  gains: tuple[float, ...]
  ceiling: float = 1.0


class Wires(NamedTuple):
  """How spikes travel, and how many of them.

  Attributes:
    forward: for each layer that sends spikes, inputs and hidden layers, the
      ticks that these are on their way: a whole number, or an array of one for
      each neuron; None is 0.
    backward: those of error spikes, for each hidden layer and the output.
    cap: most spikes of a neuron in a tick, of either sign; None has no bound.
    error_cap: most error spikes.
    error_start: ticks in which no error spike is sent, as most of the first
      ones would be taken back; None is half of T.
    loss: probability that what a neuron sends in a tick, forward or backward,
      is lost on its wire; the neuron counts it as sent. 0 settles.
    key: PRNG key of the losses; None if nothing is lost.
  """

  forward: tuple[Any, ...] | None = None
  backward: tuple[Any, ...] | None = None
  cap: int | None = 1
  error_cap: int | None = 4
  error_start: int | None = None
  loss: float = 0.0
  key: jax.Array | None = None


class Played(NamedTuple):
  """A presentation of B samples in n ticks, of which the last are silent.

  Error spikes are worth 1 / G each, and those of the output layer 1.
  """

  spikes: tuple[np.ndarray, ...]  #: [n, B, ...] of inputs and hidden layers
  errors: tuple[np.ndarray, ...]  #: [n, B, ...] of hidden layers and output
  potentials: np.ndarray  #: [n, B, C] of the output after each tick, D / k
  winners: np.ndarray  #: [n, B, C] ticks that each class has won so far, W
  #: what the synapses collected, X E / T^2 and its mean over samples, in the
  #: structure of the parameters: `jax.grad` of the settled network
  update: Any

  @property
  def counts(self) -> tuple[np.ndarray, ...]:
    """X, forward spikes that were not taken back, of each layer."""
    return tuple(np.sum(own, axis=0, dtype=np.int64) for own in self.spikes)

  @property
  def error_counts(self) -> tuple[np.ndarray, ...]:
    """G E, error spikes that were not taken back, of each layer."""
    return tuple(np.sum(own, axis=0, dtype=np.int64) for own in self.errors)

  @property
  def silence(self) -> np.ndarray:
    """Ticks after which each sample sends no spike, `[B]`."""
    num_ticks, num_samples = self.potentials.shape[:2]
    is_active = np.zeros((num_ticks, num_samples), bool)
    for own in (*self.spikes, *self.errors):
      is_active |= own.reshape(num_ticks, num_samples, -1).any(axis=2)
    ticks = np.arange(1, num_ticks + 1)[:, None]
    return np.max(ticks * is_active, axis=0)


def play(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
  wires: Wires = Wires(),  # noqa: B008
) -> Played:
  """Plays a network until it is silent; dropout is ignored.

  Args:
    config: a network of bipolar neurons.
    params: its parameters; with `weight_bits` all sums are exact, and equal to
      those of the settled network.
    key: PRNG key of the presentation, as for `Network.loss`.
    inputs: images or spike trains, as for `Network`; events come in their
      order, and grey values in evenly spaced or drawn spikes.
    labels: `[B]` integer classes.
    wires: delays, bounds and losses.

  Returns:
    The presentation.

  Raises:
    UserError: if the network has exact signals, or as `play_circuit`.

  Example:
    >>> config = ssnn_jax.NetworkConfig((4, 8, 3), num_steps=8)
    >>> params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> from ssnn_jax import realtime
    >>> played = realtime.play(
    ...   config, params, jax.random.key(1), images, labels)
    >>> played.counts[0].tolist()  # of 8 ticks
    [[0, 2, 4, 8]]
    >>> wires = realtime.Wires(forward=(np.array([0, 3, 1, 2]), 5), cap=None)
    >>> later = realtime.play(
    ...   config, params, jax.random.key(1), images, labels, wires)
    >>> bool((later.counts[1] == played.counts[1]).all())
    True
  """
  if config.neuron != 'bipolar' or config.rates or config.winner != 'softmax':
    raise types.UserError(
      f'neuron is {config.neuron}, rates are {config.rates} and winner is '
      f'{config.winner}; expected bipolar neurons with spikes in all signals.'
    )
  config = dataclasses.replace(config, dropout=0.0)
  batch = samples.prepare(config, params, key, inputs, labels)
  params, train, phases = _prepare(config, params, key, batch)
  circuit = make_circuit(config)
  return _play(circuit, params, train, labels, phases, wires)


@functools.partial(jax.jit, static_argnums=0)
def _prepare(config, params, key, batch):
  """Returns parameters on the grid, input spikes, and phases of the winners."""
  params = network.quantize(config, params)
  train = input_train(config, key, batch)
  return params, train, spiking.draw_phases(key, batch.position)


def input_train(
  config: NetworkConfig, key: jax.Array, batch: samples.Sample
) -> jax.Array:
  """Returns the input spikes `[T, B, I]` of images or events, 0 or 1."""
  num_steps, rates, words = config.num_steps, *batch.inputs
  if words is None and config.input_sampler != 'regular':
    words = spiking.draw_trains(
      key, rates, num_steps, config.input_sampler, positions=batch.position
    )
  if words is not None:
    train = jnp.moveaxis(trains.unpack(words), 0, 1)
    return train[:num_steps]
  count = num_steps * spiking.encode(key, rates, num_steps)
  count = jnp.round(count).astype(jnp.int32)
  ticks = jnp.arange(num_steps + 1)[:, None, None]
  reached = (2 * ticks * count[None] + num_steps) // (2 * num_steps)
  return jnp.diff(reached, axis=0)


@functools.lru_cache  # programs are cached by their functions
def make_circuit(config: NetworkConfig) -> Circuit:
  """Makes the circuit of a network of dense and convolutional layers."""

  def currents(params, spikes, is_on):
    params = [own._replace(biases=is_on * own.biases) for own in params]
    return tuple(
      network.read(config, params, layer, spikes)
      for layer in range(len(params))
    )

  shapes = tuple((size,) for size in config.layer_sizes)
  return Circuit(
    currents, shapes, config.num_steps, config.gains[:-1], config.ceiling
  )


def play_circuit(
  circuit: Circuit,
  params: Any,
  train: jax.Array,
  labels: jax.Array,
  phases: jax.Array,
  wires: Wires = Wires(),  # noqa: B008
) -> Played:
  """Plays a circuit until it is silent.

  Args:
    circuit: neurons and synapses.
    params: parameters of its currents.
    train: `[n, B, ...]` input spikes, of either sign and in any order, in n <=
      T ticks.
    labels: `[B]` integer classes.
    phases: `[B]` phases of the winners: with `spiking.draw_phases(key, jnp.
      arange(B))` those of `spiking.cross_entropy(key, ...)`.
    wires: delays, bounds and losses.

  Returns:
    The presentation.

  Raises:
    UserError: if currents are not linear, parameters are not finite, wires,
      train or labels do not fit the circuit, the train is longer than T, or
      there is no silence after 65,536 ticks.
  """
  train = np.asarray(train)
  checks.check_labels(np.asarray(labels), train.shape[1], *circuit.shapes[-1])
  _check_currents(circuit, params, len(labels))
  return _play(circuit, params, train, labels, phases, wires)


def _check_currents(circuit, params, batch_size):
  """Refuses currents whose synapses would collect no update of theirs."""
  draw = np.random.default_rng(0).integers
  shapes = [(batch_size, *shape) for shape in circuit.shapes]
  spikes = tuple(np.float32(draw(-1, 2, shape)) for shape in shapes[:-1])
  once = circuit.currents(params, spikes, np.float32(1))
  found = [np.shape(own) for own in once]
  if not isinstance(once, tuple) or found != shapes[1:]:
    raise types.UserError(
      f'currents of the circuit have shapes {found}; expected a tuple of '
      f'{shapes[1:]}.'
    )
  spikes = tuple(-2 * own for own in spikes)
  for own, other in zip(once, circuit.currents(params, spikes, np.float32(-2))):
    # To multiply by -2 is exact: only sums in another order may differ.
    most = 1e-3 * np.max(np.abs(own), initial=0)
    if not np.allclose(-2 * own, other, rtol=1e-3, atol=most):
      raise types.UserError(
        'currents of the circuit are not linear in spikes and is_on; multiply '
        'biases by is_on, and leave activations to the neurons.'
      )


def _play(circuit, params, train, labels, phases, wires):
  """Plays a circuit of linear currents."""
  num_layers, train = len(circuit.shapes) - 1, np.asarray(train)
  _check(circuit, params, train, wires)
  # Of NumPy, which compiles no program for each shape.
  make_zeros = lambda *shape: np.zeros(shape, np.float32)
  zeros = [make_zeros(len(labels), *shape) for shape in circuit.shapes]
  delays = [
    tuple(np.broadcast_to(*ends) for ends in zip(ticks or (0,) * num_layers, s))
    for ticks, s in (
      (wires.forward, circuit.shapes[:-1]),
      (wires.backward, circuit.shapes[1:]),
    )
  ]
  size = 1 + max(int(np.max(own)) for own in (*delays[0], *delays[1]))
  wires_of = lambda layers: [make_zeros(size, *own.shape) for own in layers]
  state = _State(
    drives=zeros[1:],
    sent=zeros[:-1],
    errors=zeros[1:-1],
    errors_sent=zeros[1:],
    arrived=zeros[:-1],
    errors_arrived=zeros[1:],
    on_way=wires_of(zeros[:-1]),
    errors_on_way=wires_of(zeros[1:]),
    update=jax.tree.map(lambda leaf: make_zeros(*leaf.shape), params),
  )
  num_given, played = len(train), []
  start = wires.error_start
  start = circuit.num_steps // 2 if start is None else start
  batch = params, delays, phases, labels, wires.key
  changes = {'error_start': start, 'key': None}
  wires = wires._replace(forward=None, backward=None, **changes)
  for first in range(0, _MOST_TICKS, _TICKS_AT_ONCE):
    own = np.zeros((_TICKS_AT_ONCE, *train.shape[1:]), np.float32)
    own[: max(0, num_given - first)] = train[first : first + _TICKS_AT_ONCE]
    on_way = jax.device_get((*state.on_way, *state.errors_on_way))
    is_silent = first > circuit.num_steps and not any(map(np.any, on_way))
    state, ticks = _play_ticks(circuit, wires, batch, state, first, own)
    played.append(jax.device_get(ticks))
    sent, errors, *_ = played[-1]
    if is_silent and not any(map(np.any, (*sent, *errors))):
      break
  else:
    raise types.UserError(
      f'the circuit is not silent after {_MOST_TICKS} ticks; remove loops '
      'from its currents.'
    )
  ticks = jax.tree.map(lambda *own: np.concatenate(own), *played)
  update = jax.device_get(state.update)
  last = max(circuit.num_steps, int(Played(*ticks, update).silence.max()))
  return Played(*jax.tree.map(lambda own: own[: last + 1], ticks), update)


def _check(circuit, params, train, wires):
  """Refuses what would end in silence without having settled."""
  num_steps, num_layers = circuit.num_steps, len(circuit.shapes) - 1
  is_finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
  delays = [own for own in (wires.forward, wires.backward) if own is not None]
  ticks = [np.asarray(each) for own in delays for each in own]
  are_delays = all(len(own) == num_layers for own in delays)
  are_delays &= all(own.dtype.kind in 'iu' and own.min() >= 0 for own in ticks)
  caps = [cap for cap in (wires.cap, wires.error_cap) if cap is not None]
  start = wires.error_start
  for is_valid, expected in (
    (is_finite, 'params that are finite'),
    (len(train) <= num_steps, f'a train of at most {num_steps} ticks'),
    (np.all(train == np.round(train)), 'a train of whole numbers of spikes'),
    (len(circuit.gains) == num_layers - 1, 'a gain of each hidden layer'),
    (0 <= wires.loss <= 1, 'a loss from 0 to 1'),
    (not wires.loss or wires.key is not None, 'a key of the losses'),
    (are_delays, f'delays of whole ticks, for each of {num_layers} layers'),
    (
      all(map(checks.is_count, caps)),
      'a cap and an error_cap of one spike or more, or None',
    ),
    (
      start is None or 0 <= start <= num_steps,
      f'an error_start from 0 to {num_steps}, or None',
    ),
  ):
    if not is_valid:
      raise types.UserError(
        f'the circuit cannot be played with {wires!s:.200}; expected '
        f'{expected}.'
      )


def score(
  plays: Iterable[Played], labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Scores the answers after each tick, until the last sample is silent.

  Args:
    plays: presentations of batches.
    labels: `[N]` classes of the samples of all batches.

  Returns:
    The accuracies `[n]` of the largest potentials, and the fractions `[n]` of
    samples that are silent.
  """
  answers, silence = zip(
    *((np.argmax(own.potentials, axis=2), own.silence) for own in plays)
  )
  num_ticks = max(map(len, answers))
  answers = np.concatenate(
    [np.pad(x, ((0, num_ticks - len(x)), (0, 0)), 'edge') for x in answers], 1
  )
  is_silent = np.concatenate(silence) <= np.arange(1, num_ticks + 1)[:, None]
  return np.mean(answers == labels, axis=1), np.mean(is_silent, axis=1)


class Events(NamedTuple):
  """Events of a presentation, means over samples, of each layer."""

  sent: tuple[float, ...]  #: forward spikes of inputs and hidden layers
  stayed: tuple[float, ...]  #: those that were not taken back
  errors_sent: tuple[float, ...]  #: error spikes of hidden layers and output
  errors_stayed: tuple[float, ...]
  reads: tuple[float, ...]  #: forward spikes that reach a synapse, and biases
  transposed_reads: tuple[float, ...]  #: error spikes that reach one, for below
  #: changes of a weight, by a spike at either end
  updates: tuple[float, ...]


def count_events(config: NetworkConfig, played: Played) -> Events:
  """Counts the spikes and synaptic events of a presentation without delays."""
  num_samples = played.potentials.shape[1]
  total = lambda own: float(np.sum(np.abs(own), dtype=np.int64)) / num_samples
  reads, updates, transposed = [], [], []
  for layer, wiring in enumerate(config.wirings):
    spikes, errors = played.spikes[layer], played.errors[layer]
    counts, error_counts = (np.cumsum(x, axis=0) for x in (spikes, errors))
    before = np.concatenate([np.zeros_like(counts[:1]), counts[:-1]])
    rows = lambda own: np.asarray(wiring.gather(own))  # noqa: B023
    columns = lambda own: np.asarray(wiring.split(own))  # noqa: B023
    biases = config.num_steps * wiring.num_neurons
    own = float(np.sum(rows(np.abs(spikes)), dtype=np.int64)) / num_samples
    reads.append(wiring.num_columns * own + biases)
    transposed.append(wiring.num_rows * total(errors) if layer else 0.0)
    meet = lambda s, e: float(
      np.sum(np.sum(s, axis=-1, dtype=np.int64) * np.sum(e, axis=-1))
    )
    updates.append(
      (
        meet(rows(np.abs(spikes)), columns(error_counts != 0))
        + meet(rows(before != 0), columns(np.abs(errors)))
      )
      / num_samples
    )
  return Events(
    sent=tuple(map(total, played.spikes)),
    stayed=tuple(map(total, played.counts)),
    errors_sent=tuple(map(total, played.errors)),
    errors_stayed=tuple(map(total, played.error_counts)),
    reads=tuple(reads),
    transposed_reads=tuple(transposed),
    updates=tuple(updates),
  )


class _State(NamedTuple):
  """State of all neurons, wires and synapses; lists have an array a layer."""

  drives: list[jax.Array]  # D of hidden layers and output
  sent: list[jax.Array]  # X of inputs and hidden layers
  errors: list[jax.Array]  # A of hidden layers
  errors_sent: list[jax.Array]  # G E of hidden layers and output
  arrived: list[jax.Array]  # forward spikes that have reached the synapses
  errors_arrived: list[jax.Array]  # E that has reached the synapses
  on_way: list[jax.Array]  # [delays, B, ...] spikes by the tick they arrive
  errors_on_way: list[jax.Array]
  update: Any


@functools.partial(jax.jit, static_argnums=(0, 1))
def _play_ticks(circuit, wires, batch, state, first, train):
  """Plays the ticks of a train; returns the state, and what was sent."""
  params, delays, phases, labels, key = batch
  num_steps, ceiling, gains = circuit.num_steps, circuit.ceiling, circuit.gains
  worths = [1.0 / gain for gain in (*gains, 1.0)]  # of error spikes
  target = jax.nn.one_hot(labels, *circuit.shapes[-1])
  scale = 1.0 / (num_steps**2 * len(labels))

  def limit(wanted, cap):
    return wanted if cap is None else jnp.clip(wanted, -cap, cap)

  def send(state, ticks, inputs):
    """Every neuron sends what its own state asks for, after so many ticks."""
    spikes, errors = [inputs], []
    for drive, sent in zip(state.drives, state.sent[1:]):
      missing = jnp.clip(drive, 0.0, ceiling * ticks) - sent
      spikes.append(limit(jnp.floor(missing + 0.5), wires.cap))
    wanted = [
      jnp.where(
        (0.0 < drive) & (drive < ceiling * ticks),
        jnp.floor(gain * error + 0.5),
        0.0,
      )
      for drive, error, gain in zip(state.drives, state.errors, gains)
    ]
    potential = state.drives[-1] / jnp.maximum(ticks, 1.0)
    winners = spiking.count_winners(phases, potential, ticks)
    wanted.append(winners - ticks * target)
    for own, sent in zip(wanted, state.errors_sent):
      own = jnp.where(ticks < wires.error_start, 0.0, own - sent)
      errors.append(limit(own, wires.error_cap))
    return spikes, errors, winners

  def lose(layers, tick):
    if not wires.loss:
      return layers
    keys = jax.random.split(jax.random.fold_in(key, tick), len(layers))
    return [
      jnp.where(jax.random.bernoulli(own, wires.loss, sent.shape), 0.0, sent)
      for own, sent in zip(keys, layers)
    ]

  def travel(on_way, sent, delays, tick):
    """Puts spikes on their way; returns it, and the spikes that arrive."""
    size = len(on_way)
    slots = jnp.arange(size).reshape(-1, *[1] * sent.ndim)
    is_slot = slots == (tick + delays[None, None]) % size
    on_way = on_way + jnp.where(is_slot, sent[None], 0.0)
    place = tick % size
    return on_way.at[place].set(0.0), on_way[place]

  def advance(state, given):
    tick, inputs = given
    ticks = jnp.minimum(tick, num_steps).astype(jnp.float32)
    spikes, errors, winners = send(state, ticks, inputs)
    kept = lose([*spikes, *errors], tick)
    on_way, arriving = zip(*(
      travel(*own, tick) for own in zip(state.on_way, kept, delays[0])
    ))  # fmt: skip
    kept = kept[len(spikes) :]
    errors_on_way, errors_arriving = zip(*(
      travel(*own, tick) for own in zip(state.errors_on_way, kept, delays[1])
    ))  # fmt: skip
    errors_arriving = [w * own for w, own in zip(worths, errors_arriving)]
    is_on = jnp.float32(tick < num_steps)
    currents, send_back = jax.vjp(
      lambda spikes: circuit.currents(params, spikes, is_on), arriving
    )
    (received,) = send_back(tuple(errors_arriving))

    # A synapse multiplies a spike by the count of the other end.
    def collect(spikes, is_on, errors):
      _, read = jax.vjp(
        lambda params: circuit.currents(params, spikes, is_on), params
      )
      return read(tuple(errors))[0]

    add = lambda old, new: [a + b for a, b in zip(old, new)]
    errors_arrived = add(state.errors_arrived, errors_arriving)
    collected = jax.tree.map(
      jnp.add,
      collect(arriving, is_on, errors_arrived),
      collect(state.arrived, ticks, errors_arriving),
    )
    after = _State(
      drives=add(state.drives, currents),
      sent=add(state.sent, spikes),
      errors=add(state.errors, received[1:]),
      errors_sent=add(state.errors_sent, errors),
      arrived=add(state.arrived, arriving),
      errors_arrived=errors_arrived,
      on_way=list(on_way),
      errors_on_way=list(errors_on_way),
      update=jax.tree.map(lambda a, b: a + scale * b, state.update, collected),
    )
    potential = after.drives[-1] / jnp.minimum(ticks + 1.0, num_steps)
    whole = lambda layers: tuple(own.astype(jnp.int32) for own in layers)
    return after, (whole(spikes), whole(errors), potential, winners)

  ticks = first + jnp.arange(len(train))
  return jax.lax.scan(advance, state, (ticks, train))
