"""Real time: the spikes of a bipolar network, tick by tick, until silence.

All layers work at once. In each tick every neuron sends the spikes, forward and
backward, that its state at the end of the tick before asks for; spikes travel
along wires, some for longer than others; and every neuron and synapse receives
what arrives. When nothing is sent and nothing on its way, all rates and errors
are those of the settled network (`spiking`), whatever the wires and the order.
`play` is for looking and for proving; `network.ssnn` trains the settled
network. A network need not be reset: `stream` plays the moments of signals one
after the other, of which each sends the spikes of what has changed.
"""

from collections.abc import Callable
from collections.abc import Iterable
import functools
import re
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssnn_jax import checks
from ssnn_jax import crossbars
from ssnn_jax import intercept
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import stochastic
from ssnn_jax import streams
from ssnn_jax import synapses
from ssnn_jax import temporal
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.model import Model

_TICKS_AT_ONCE = 8
_MOST_TICKS = 1 << 16


class Circuit(NamedTuple):
  """Neurons and synapses of a model; each call of its neurons is a layer."""

  #: (params, rates, remember) -> potentials of hidden layers and the output, of
  #: the `[B, ...]` rates of inputs and hidden layers, with traces of `remember`
  evaluate: Callable[..., tuple[jax.Array, ...]]
  recalls: tuple[intercept.Recall, ...]  #: calls of `trace`, of one sample
  shapes: tuple[tuple[int, ...], ...]  #: from the inputs to the classes
  neurons: tuple[spiking.Neurons, ...]  #: of each hidden layer
  input_steps: int  #: steps of the rates of inputs
  num_winners: int  #: winners of a sample


class Wires(NamedTuple):
  """How spikes travel, and what they carry.

  Attributes:
    forward: for each layer that sends spikes, inputs and hidden layers, the
      ticks that these are on their way: a whole number, or an array of one for
      each neuron; None is 0.
    backward: those of error spikes, for each hidden layer and the output.
    cap: largest worth of a forward spike in counts, a power of two; 1 is unit
      spikes, of which regular inputs send one in a tick at most, evenly spread;
      None has no bound.
    error_cap: largest worth of an error spike, a power of two, in the unit of
      the error of a class that wins all.
    wait: ticks that a layer begins later than the one before it, forward and
      then backward, as most spikes before the first that it receives would be
      taken back; with more than 1 still fewer are, and the answer comes later.
    loss: probability that what a neuron sends in a tick, forward or backward,
      is lost on its wire; the neuron counts it as sent. 0 settles.
    key: PRNG key of the losses; None if nothing is lost.
  """

  forward: tuple[Any, ...] | None = None
  backward: tuple[Any, ...] | None = None
  cap: int | None = None
  error_cap: float | None = None
  wait: int = 1
  loss: float = 0.0
  key: jax.Array | None = None


class Played(NamedTuple):
  """A presentation of B samples in n ticks, of which the last is silent."""

  #: [n, B, ...] worth of the spikes of inputs and hidden layers, in counts
  spikes: tuple[np.ndarray, ...]
  #: [n, B, ...] worth of the error spikes of hidden layers and output, dL/dv of
  #: a sample
  errors: tuple[np.ndarray, ...]
  #: [n, B, C] v of the output after each tick; [n, B, L, C] of moments
  potentials: np.ndarray
  winners: np.ndarray  #: how often each class has won so far, alike
  #: what the synapses collected, X E and its mean over samples with a label:
  #: `jax.grad` of the settled network
  update: Any

  @property
  def counts(self) -> tuple[np.ndarray, ...]:
    """N X, the counts of each layer that were not taken back."""
    return tuple(np.sum(own, axis=0, dtype=np.int64) for own in self.spikes)

  @property
  def sent_errors(self) -> tuple[np.ndarray, ...]:
    """E, the errors of each layer that were not taken back."""
    return tuple(np.sum(own, axis=0) for own in self.errors)

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
  model: Model | NetworkConfig,
  params: Any,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
  wires: Wires = Wires(),  # noqa: B008
) -> Played | stochastic.Played:
  """Plays a network until it is silent; dropout is ignored.

  Stochastic neurons are never silent: they are those of `stochastic.play`,
  whose `Played` is returned, with dropout.

  Args:
    model: a model, or a configuration.
    params: its parameters; on a grid, as of `weight_bits`, and with N a power
      of two, all sums are exact, and equal to those of the settled network.
    key: PRNG key of the presentation, as for `Network.loss`.
    inputs: images or spike trains, as for `Network`; events, and trains that
      are drawn, come in their order.
    labels: `[B]` integer classes, or `[B, L]` of moments, as for `Network`.
    wires: delays, bounds and losses.

  Returns:
    The presentation.

  Raises:
    UserError: if signals are exact, as `check_model`, if wires do not fit, or
      if there is no silence after 65,536 ticks.

  Example:
    >>> config = ssnn_jax.NetworkConfig((4, 8, 3), num_steps=8)
    >>> params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> from ssnn_jax import realtime
    >>> played = realtime.play(
    ...   config, params, jax.random.key(1), images, labels)
    >>> played.counts[0].tolist()  # of 32 steps
    [[0, 6, 16, 32]]
    >>> played.spikes[0][:3, 0].tolist()  # 6 is 8 - 2
    [[0, 8, 16, 32], [0, -2, 0, 0], [0, 0, 0, 0]]
    >>> wires = realtime.Wires(forward=(np.array([0, 3, 1, 2]), 5), cap=1)
    >>> later = realtime.play(
    ...   config, params, jax.random.key(1), images, labels, wires)
    >>> bool((later.counts[1] == played.counts[1]).all())
    True
  """
  own = crossbars.as_model(model)
  if model.neuron == 'stochastic' and wires == Wires():
    return stochastic.play(model, params, key, inputs, labels)
  circuit = make_circuit(model)
  _check_spikes(model)
  checks.check_finite(params)
  batch = samples.prepare(model, params, key, inputs, labels)
  _check_wires(circuit, wires)
  shape = len(batch.position), *circuit.shapes[-1]
  asked = samples.ask(batch._replace(label=labels), shape, own.answers)
  label = np.asarray(asked.label)
  if asked.weight is not None:
    label = np.maximum(label, 0)
  checks.check_labels(label, shape[:-1], shape[-1])
  prepared, words, phases = _prepare(own, params, key, batch, asked.position)
  if own is model:
    check_model(model, prepared)
  if batch.inputs.train is not None:  # a rate of 1 is an event in each tick
    circuit = circuit._replace(input_steps=model.num_steps)
  train = make_train(*words, circuit.input_steps, wires.cap)
  train = train.reshape(*train.shape[:2], *circuit.shapes[0])
  outputs = phases, asked.label, asked.weight
  carry = intercept.rest(circuit.recalls, train.shape[1])
  return _play(circuit, prepared, carry, train, outputs, wires)[0]


def count(
  model: Model | NetworkConfig, params: Any, played: Played
) -> list[synapses.Additions]:
  """Counts the additions of a presentation, as if spikes had no delays.

  Args:
    model: the model that was played, without traces, whose additions are those
      of `stream`.
    params: its parameters, of which shapes matter alone.
    played: the presentation.

  Returns:
    The events `[n, B]` of each tick and sample, into or from each layer of
    neurons above the inputs.
  """
  circuit = make_circuit(model)
  if circuit.recalls:
    raise types.UserError(
      'the model has traces, whose additions are counted moment by moment; '
      'take the costs of realtime.stream.'
    )
  own = synapses.find(circuit.evaluate, circuit.recalls, params)
  return synapses.count(own, played.spikes, played.errors)


def count_products(
  model: Model | NetworkConfig, params: Any
) -> synapses.Products:
  """Counts the products that the ANN of a model has where spikes are added.

  Args:
    model: any model, whose neurons have no part in it.
    params: its parameters, of which shapes matter alone.

  Returns:
    The products of backpropagation of a sample; of a model with traces, of a
    moment, as those of `Costs`.
  """
  circuit = make_circuit(model)
  if circuit.recalls:
    circuit = make_circuit(streams.at_moments(model, 1))
  own = synapses.find(circuit.evaluate, circuit.recalls, params)
  return synapses.count_products(own, circuit.shapes[:-1])


def _check_spikes(model):
  """Refuses a network that has signals without spikes."""
  if model.neuron != 'bipolar' or model.exact:
    raise types.UserError(
      f'neuron is {model.neuron} and exact {model.exact}; expected bipolar '
      'neurons, with spikes in all signals; stochastic ones have no wires.'
    )


@functools.partial(jax.jit, static_argnums=0)
def _prepare(model, params, key, batch, positions):
  """Returns parameters on the grid, counts or trains, and winners' phases."""
  (rates, words), steps = batch.inputs, model.steps_of_inputs
  if words is None and model.sampler != 'regular':
    words = spiking.draw_trains(
      key, rates, steps, model.sampler, positions=batch.position
    )
  counts = None
  if words is None:
    counts = jnp.round(steps * spiking.encode_rates(key, rates, steps))
  phases = spiking.draw_phases(key, positions)
  return model.to_grid(params), (counts, words), phases


def make_train(
  counts: np.ndarray | None,
  words: np.ndarray | None,
  num_steps: int,
  cap: int | None = None,
) -> np.ndarray:
  """Makes input spikes `[n, B, ...]` of counts, or of the ticks of a train.

  Args:
    counts: `[B, ...]` counts; None if there is a train.
    words: `[B, K, I]` uint32 words of the ticks of a train, or None.
    num_steps: N, ticks of a train, and of unit spikes.
    cap: largest worth of a spike, as of `Wires`.
  """
  if words is not None:
    return np.moveaxis(np.asarray(trains.unpack(words)), 0, 1)[:num_steps]
  rest, spikes = np.asarray(counts, np.float32), []
  if cap == 1:
    ticks = np.arange(num_steps + 1).reshape(-1, *[1] * rest.ndim)
    return np.diff(np.floor(ticks * rest[None] / num_steps + 0.5), axis=0)
  while np.any(rest) or not spikes:
    spikes.append(np.asarray(_limit(spiking.nearest_power(rest), cap)))
    rest = rest - spikes[-1]
  return np.stack(spikes)


@functools.lru_cache  # programs are cached by their functions
def make_circuit(model: Model | NetworkConfig) -> Circuit:
  """Makes the circuit of a model, or of a configuration of bipolar neurons.

  Each call of its neurons is a layer, and of a `jax.lax.scan` each step.
  """
  model = crossbars.as_model(model)

  def run(params, rates):  # of single samples, whatever the model does to B
    own = lambda rates: model.respond(params, rates[None], model.fire)[0]
    return jax.vmap(own)(rates)

  params = jax.eval_shape(model.init, jax.random.key(0))
  inputs = jax.ShapeDtypeStruct((1, *model.input_shape), jnp.float32)
  calls, recalls, _ = intercept.trace(run, params, inputs)
  logits = jax.eval_shape(run, params, inputs)
  # An axis of one is that of the sample.
  hidden = [tuple(n for n in own.shape if n > 1) or (1,) for own in calls]

  def evaluate(params, rates, remember):
    inputs, *hidden_rates = rates
    received = []

    def respond(number, potential):
      received.append(potential.reshape(-1, *hidden[number]))
      return hidden_rates[number].reshape(potential.shape)

    output = intercept.trace(run, params, inputs).evaluate(
      respond, params, inputs, remember=remember
    )
    return (*received, output)

  return Circuit(
    evaluate,
    recalls,
    (model.input_shape, *hidden, logits.shape[1:]),
    tuple(call.neurons for call in calls),
    model.steps_of_inputs,
    model.num_winners,
  )


def _find_currents(circuit, params, carry, rates):
  """Returns potentials, with the traces of before, and the traces of now."""
  remember, after = intercept.advance(circuit.recalls, carry)
  return circuit.evaluate(params, rates, remember), tuple(after)


def _check_wires(circuit, wires):
  """Refuses wires on which a network would not settle as it should."""
  num_layers = len(circuit.shapes) - 1
  delays = [own for own in (wires.forward, wires.backward) if own is not None]
  ticks = [np.asarray(each) for own in delays for each in own]
  are_delays = all(len(own) == num_layers for own in delays)
  are_delays &= all(own.dtype.kind in 'iu' and own.min() >= 0 for own in ticks)
  is_power = lambda cap: checks.is_positive(cap) and np.frexp(cap)[0] == 0.5
  cap, error_cap = wires.cap, wires.error_cap
  for is_valid, expected in (
    (0 <= wires.loss <= 1, 'a loss from 0 to 1'),
    (not wires.loss or wires.key is not None, 'a key of the losses'),
    (are_delays, f'delays of whole ticks, for each of {num_layers} layers'),
    (cap is None or (is_power(cap) and cap >= 1), 'a cap of 1, 2, 4 or so'),
    (error_cap is None or is_power(error_cap), 'a power of two as error_cap'),
    (checks.is_count(wires.wait, 0), 'a whole number of ticks to wait'),
  ):
    if not is_valid:
      raise types.UserError(
        f'the circuit cannot be played with {wires!s:.200}; expected '
        f'{expected}.'
      )


def check_model(model: Model, params: Any) -> None:
  """Refuses a model that is no network of spikes.

  Spikes add up if each potential is a sum of products of the rates of different
  layers; a presentation is of one sample. Both are tried at random rates.

  Args:
    model: the model.
    params: its parameters.

  Raises:
    UserError: if there are no neurons, potentials are none of such sums,
      samples depend on each other, or parameters are not finite.
  """
  checks.check_type('model', model, Model, 'a Model, as of from_linen')
  checks.check_finite(params)
  circuit = make_circuit(model)
  if not circuit.neurons:
    raise types.UserError(
      'the model has no neurons; call neuron(v) in place of an activation.'
    )
  params = checks.without_zeros(params)
  draw = np.random.default_rng(0).integers
  rates = [np.float32(draw(1, 4, (2, *own))) for own in circuit.shapes[:-1]]
  for index, own in enumerate(rates):
    for sign in (-2, 2):
      spikes = [np.zeros_like(other) for other in rates]
      spikes[index] = sign * (own + 1)
      found = jax.device_get(_bring(circuit, params, rates, spikes))
      for layer, (there, expected) in enumerate(zip(*found), 1):
        if not checks.are_close(there, expected):
          raise types.UserError(
            f'potentials of layer {layer} are not linear in the spikes of '
            f'layer {index} (0: inputs); leave activations to the neurons, and '
            'multiply rates of different layers only.'
          )
  together, alone = jax.device_get(_separate(model, params, rates[0]))
  if not checks.are_close(together, alone):
    raise types.UserError(
      'samples of a batch depend on each other; leave out what sums over them, '
      'as batch normalization.'
    )


@functools.partial(jax.jit, static_argnums=0)
def _bring(circuit, params, rates, spikes):
  """Returns potentials after spikes, and those before with what these bring."""
  after = [old + new for old, new in zip(rates, spikes)]
  carry = intercept.rest(circuit.recalls, len(rates[0]))
  find = lambda params, own: _find_currents(circuit, params, carry, own)[0]
  # Here, as this is computed once for a model.
  narrow = re.search(r'\bb?f16(?=\[)', str(jax.make_jaxpr(find)(params, rates)))
  if narrow:
    raise types.UserError(
      f'the model computes in 16 bits ({narrow[0]}), which rounds sums of '
      'spikes; give its layers the dtype float32.'
    )
  # As spikes come to a synapse: by its derivative by the currents.
  flow = lambda own: jax.vjp(find, params, own)[0]
  here, brought = jax.jvp(flow, (rates,), (spikes,))
  return find(params, after), jax.tree.map(jnp.add, here, brought)


@functools.partial(jax.jit, static_argnums=0)
def _separate(model, params, rates):
  """Returns the logits of a batch, and those of its samples alone."""
  find = lambda own: model.respond(params, own, model.fire)
  alone = [find(rates[index : index + 1]) for index in range(len(rates))]
  return find(rates), jnp.concatenate(alone)


def _play(circuit, params, carry, train, outputs, wires, before=None):
  """Plays a circuit whose currents are multilinear and have no loops.

  Returns the presentation, and the state at its end. `before` is the state of a
  silent network, whose traces, inputs and weights may have changed; None is
  rest.
  """
  num_layers = len(circuit.shapes) - 1
  # Of NumPy, which compiles no program for each shape.
  make_zeros = lambda *shape: np.zeros(shape, np.float32)
  size = train.shape[1]
  zeros = [make_zeros(size, *shape) for shape in circuit.shapes]
  delays = [
    tuple(np.broadcast_to(*ends) for ends in zip(ticks or (0,) * num_layers, s))
    for ticks, s in (
      (wires.forward, circuit.shapes[:-1]),
      (wires.backward, circuit.shapes[1:]),
    )
  ]
  slots = 1 + max(int(np.max(own)) for own in (*delays[0], *delays[1]))
  wires_of = lambda layers: [make_zeros(slots, *own.shape) for own in layers]
  if before is None:
    before = _State(
      received=None,
      sent=zeros[:-1],
      errors_sent=zeros[1:],
      arrived=zeros[:-1],
      errors_arrived=zeros[1:],
      on_way=wires_of(zeros[:-1]),
      errors_on_way=wires_of(zeros[1:]),
    )
  ends = before.arrived, before.errors_arrived
  state = before._replace(received=_start(circuit, params, carry, *ends))
  num_given, played = len(train), []
  batch = params, carry, delays, outputs, wires.key
  wires = wires._replace(forward=None, backward=None, key=None)
  least = max(num_given, 2 * num_layers * wires.wait)
  for first in range(0, _MOST_TICKS, _TICKS_AT_ONCE):
    own = np.zeros((_TICKS_AT_ONCE, *train.shape[1:]), np.float32)
    own[: max(0, num_given - first)] = train[first : first + _TICKS_AT_ONCE]
    on_way = jax.device_get((*state.on_way, *state.errors_on_way))
    is_silent = first > least and not any(map(np.any, on_way))
    state, ticks = _play_ticks(circuit, wires, batch, state, first, own)
    played.append(jax.device_get(ticks))
    sent, errors, *_ = played[-1]
    if is_silent and not any(map(np.any, (*sent, *errors))):
      break
  else:
    raise types.UserError(
      f'the circuit is not silent after {_MOST_TICKS} ticks; choose larger '
      'caps, and shorter delays.'
    )
  ticks = jax.tree.map(lambda *own: np.concatenate(own), *played)
  update = jax.device_get(state.received.update)
  labels = np.asarray(outputs[1]).reshape(size, -1)
  num_labelled = max(1, np.sum(np.any(labels >= 0, axis=1)))
  update = jax.tree.map(lambda leaf: leaf / np.float32(num_labelled), update)
  played = Played(*ticks, update)
  # The last spikes may still be on their way to the output.
  moves = np.diff(played.potentials, axis=0).reshape(len(ticks[2]) - 1, -1)
  moved = np.max(np.flatnonzero(moves.any(axis=1)), initial=-2) + 2
  last = int(max(played.silence.max(), moved))
  ticks = jax.tree.map(lambda own: own[: last + 1], ticks)
  return Played(*ticks, update), state


class _Received(NamedTuple):
  """What neurons and synapses have received."""

  potentials: tuple[jax.Array, ...]  # v of hidden layers and output
  errors: tuple[jax.Array, ...]  # A of hidden layers
  update: Any  # X E of the synapses


class _State(NamedTuple):
  """State of all neurons, wires and synapses; lists have an array a layer."""

  received: _Received
  sent: list[jax.Array]  # N X of inputs and hidden layers
  errors_sent: list[jax.Array]  # E of hidden layers, n E of the output
  arrived: list[jax.Array]  # X that has reached the synapses
  errors_arrived: list[jax.Array]  # E that has reached the synapses
  on_way: list[jax.Array]  # [delays, B, ...] spikes by the tick they arrive
  errors_on_way: list[jax.Array]


def _flow(circuit, params, carry, rates, errors):
  """Returns what all spikes so far have brought, if they came at once.

  It is linear in the rates of each layer, and in the errors: a spike brings its
  worth times what has arrived at the other ends.
  """
  find = lambda params, own: _find_currents(circuit, params, carry, own)[0]
  potentials, send_back = jax.vjp(find, params, list(rates))
  update, (_, *back) = send_back(tuple(errors))
  return _Received(potentials, tuple(back), update)


@functools.partial(jax.jit, static_argnums=0)
def _start(circuit, params, carry, rates, errors):
  """Returns what neurons begin with: biases, traces, and what stands."""
  with jax.default_matmul_precision('highest'):
    return _flow(circuit, params, carry, rates, errors)


def _limit(spikes, cap):
  return spikes if cap is None else jnp.clip(spikes, -cap, cap)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _play_ticks(circuit, wires, batch, state, first, train):
  """Plays the ticks of a train; returns the state, and what was sent."""
  params, carry, delays, (phases, labels, weights), key = batch
  num_winners = circuit.num_winners
  target = jax.nn.one_hot(labels, circuit.shapes[-1][-1], dtype=jnp.float32)
  target = num_winners * target
  # Worth of a count, in rates and errors.
  units = [1 / circuit.input_steps, *(1 / x.num_steps for x in circuit.neurons)]
  error_units = [*[1.0] * len(circuit.neurons), 1 / num_winners]
  if weights is not None:  # of the moments of a signal
    error_units[-1] = weights[..., None] / num_winners

  def send(state, tick, inputs):
    """Every neuron sends what its own state asks for."""
    spikes, errors, wanted = [inputs], [], []
    potentials, received, _ = state.received
    winners = spiking.count_winners(phases, potentials[-1], num_winners)
    for potential, error, sent, neurons in zip(
      potentials, received, state.sent[1:], circuit.neurons
    ):
      count, is_open = spiking.settle_counts(potential, *neurons[:3])
      own = jnp.where(tick < len(spikes) * wires.wait, 0.0, count - sent)
      spikes.append(_limit(spiking.nearest_power(own), wires.cap))
      digits = spiking.leading_digits(error, neurons.digits)
      wanted.append(jnp.where(is_open, digits, 0.0))
    is_asked = (labels >= 0)[..., None]
    wanted.append(jnp.where(is_asked, winners - target, 0.0))
    for own, sent, unit in zip(wanted, state.errors_sent, error_units):
      start = (2 * len(wanted) - 1 - len(errors)) * wires.wait
      own = jnp.where(tick < start, 0.0, own - sent)
      cap = wires.error_cap and wires.error_cap / unit
      errors.append(_limit(spiking.nearest_power(own), cap))
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

  def receive(received, rates, errors, spikes, error_spikes):
    """Every neuron and synapse receives what arrives, layer after layer.

    A spike brings its worth times what has arrived at the other ends: of
    synapses s E and X e, of a product of neurons s Y and X y.
    """
    rates = list(rates)
    for layer, own in enumerate(spikes):

      def bring(changed, layer=layer):
        others = [*rates[:layer], changed, *rates[layer + 1 :]]
        return _flow(circuit, params, carry, others, errors)

      _, brought = jax.jvp(bring, (rates[layer],), (own,))
      received = jax.tree.map(jnp.add, received, brought)
      rates[layer] = rates[layer] + own
    bring = lambda errors: _flow(circuit, params, carry, rates, errors)
    _, brought = jax.jvp(bring, (list(errors),), (list(error_spikes),))
    errors = [old + new for old, new in zip(errors, error_spikes)]
    return jax.tree.map(jnp.add, received, brought), rates, errors

  def advance(state, given):
    tick, inputs = given
    spikes, errors, winners = send(state, tick, inputs)
    kept = lose([*spikes, *errors], tick)
    on_way, arriving = zip(*(
      travel(*own, tick) for own in zip(state.on_way, kept, delays[0])
    ))  # fmt: skip
    kept = kept[len(spikes) :]
    errors_on_way, errors_arriving = zip(*(
      travel(*own, tick) for own in zip(state.errors_on_way, kept, delays[1])
    ))  # fmt: skip
    scale = lambda own, units: [x * unit for x, unit in zip(own, units)]
    received, arrived, errors_arrived = receive(
      state.received,
      state.arrived,
      state.errors_arrived,
      scale(arriving, units),
      scale(errors_arriving, error_units),
    )
    add = lambda old, new: [a + b for a, b in zip(old, new)]
    after = _State(
      received,
      sent=add(state.sent, spikes),
      errors_sent=add(state.errors_sent, errors),
      arrived=arrived,
      errors_arrived=errors_arrived,
      on_way=list(on_way),
      errors_on_way=list(errors_on_way),
    )
    counts = tuple(own.astype(jnp.int32) for own in spikes)
    worths = tuple(scale(errors, error_units))
    return after, (counts, worths, received.potentials[-1], winners)

  ticks = first + jnp.arange(len(train))
  with jax.default_matmul_precision('highest'):
    return jax.lax.scan(advance, state, (ticks, train))


def score(
  plays: Iterable[Played], labels: np.ndarray, answers: str = 'last'
) -> tuple[np.ndarray, np.ndarray]:
  """Scores the answers after each tick, until the last sample is silent.

  Args:
    plays: presentations of batches.
    labels: `[N]` classes of the samples of all batches, or `[N, L]`.
    answers: which moments count, as of `model.Model`.

  Returns:
    The accuracies `[n]` of the largest potentials, and the fractions `[n]` of
    samples that are silent.
  """
  found, silence = zip(
    *((np.argmax(own.potentials, axis=-1), own.silence) for own in plays)
  )
  num_ticks = max(map(len, found))
  extend = lambda own: np.concatenate([own, own[[-1] * (num_ticks - len(own))]])
  found = np.concatenate(list(map(extend, found)), axis=1)
  if found.ndim == 3:
    labels = temporal.spread(np.asarray(labels), found.shape[2])
    counted = np.asarray(temporal.weigh(labels, answers)[1])
    is_right = np.sum(counted * (found == labels), axis=2)
  else:
    is_right = found == labels
  is_silent = np.concatenate(silence) <= np.arange(1, num_ticks + 1)[:, None]
  return np.mean(is_right, axis=1), np.mean(is_silent, axis=1)


class Costs(NamedTuple):
  """What each sample takes until it is silent, `[L, B]` numbers of L moments.

  An addition is a spike that reaches a synapse, as if spikes arrived at once;
  of traces of D decays a spike reaches D synapses of each neuron that sees them
  (`synapses`). What needs no spike is not counted: biases; the leak of traces,
  D products of a neuron and moment, a process of each dendrite, as of one that
  filters its current with D time constants; and what a leak, or a changed
  weight, brings to the potential, the error and the X E at its synapse.
  """

  ticks: np.ndarray  #: until silence
  spikes: np.ndarray  #: of inputs and hidden layers
  error_spikes: np.ndarray  #: of hidden layers and output
  forward: np.ndarray  #: additions to potentials
  backward: np.ndarray  #: additions to errors
  changes: np.ndarray  #: additions to what a synapse collects, X E


class Streamed(NamedTuple):
  """A stream of B samples of L moments, each at its silence.

  Attributes:
    counts: `[L, B, ...]` N X of inputs and hidden layers.
    errors: `[L, B, ...]` E of hidden layers and output, dL/dv of a sample.
    potentials: `[L, B, C]` v of the output.
    winners: `[L, B, C]` how often each class has won.
    updates: X E of the synapses, `[L, ...]` each, their mean over the samples
      with a label.
    params: the parameters after the last moment.
    costs: ticks, spikes and additions.
  """

  counts: tuple[np.ndarray, ...]
  errors: tuple[np.ndarray, ...]
  potentials: np.ndarray
  winners: np.ndarray
  updates: Any
  params: Any
  costs: Costs


def stream(
  model: Model,
  params: Any,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array | None = None,
  wires: Wires = Wires(),  # noqa: B008
  *,
  learn: optax.GradientTransformation | float | None = None,
  reset: bool = False,
) -> Streamed:
  """Plays a network that is never reset, moment after moment of its inputs.

  When a moment begins, traces leak, and inputs send the change of their counts.
  All that has not changed stands. The spikes of the change settle the network
  again, forward and backward, and in the silence after them it is what a fresh
  presentation of the moment settles to: counts, errors and X E are those of
  `jax.grad` of `streams.follow(model).loss`, with the key
  `jax.random.fold_in(key, t)`. Dropout is ignored.

  Args:
    model: as of `streams.follow`.
    params: its parameters, as of `play`.
    key: PRNG key of the stream.
    inputs: `[B, L, channels]` rates of B streams at once, as images.
    labels: `[B]` or `[B, L]` integer classes, -1 at moments without one, in
      which no error is sent; None has none.
    wires: delays and bounds. What is lost on them stays lost.
    learn: how weights change after a moment with a label: a transformation of
      the mean update of the B streams, or the learning rate of gradient
      descent; None changes none.
    reset: whether each moment is presented from rest, with the same traces, to
      compare.

  Returns:
    The moments, all of them in memory.

  Raises:
    UserError: as `play`, and if the model cannot be streamed.

  Example:
    >>> from ssnn_jax import realtime
    >>> def init(key):
    ...   return jnp.full((6, 2), 0.25)
    >>> def apply(params, rates, neuron):
    ...   return neuron(ssnn_jax.trace(rates, (0, 0.5), bits=10)) @ params
    >>> model = ssnn_jax.Model(init, apply, (8, 3))
    >>> inputs = jnp.zeros((1, 8, 3)).at[:, 2:].set(0.5)  # a step
    >>> streamed = realtime.stream(
    ...   model, init(None), jax.random.key(0), inputs)
    >>> streamed.costs.spikes[:, 0].astype(int).tolist()
    [0, 0, 9, 3, 3, 0, 0, 0]
  """
  _check_spikes(model)
  streams.follow(model)  # refuses what needs the past
  own, (size, length) = streams.at_moments(model, 1), inputs.shape[:2]
  whole = streams.at_moments(model, length)
  rates = samples.prepare(whole, params, key, inputs).inputs.rates
  rates = np.asarray(rates).reshape(inputs.shape)
  circuit = make_circuit(own)
  _check_wires(circuit, wires)
  labels = np.full(size, -1) if labels is None else np.asarray(labels)
  labels = temporal.spread(labels, length)
  if learn is not None and not hasattr(learn, 'update'):
    learn = optax.sgd(learn)
  optimizer_state = None if learn is None else learn.init(params)
  found_synapses = synapses.find(circuit.evaluate, circuit.recalls, params)
  carry, state = intercept.rest(circuit.recalls, size), None
  moments = []
  silent = [np.zeros((size, *own), np.float32) for own in circuit.shapes]
  for t in range(length):
    now = jax.random.fold_in(key, t)
    batch = samples.prepare(own, params, now, rates[:, t : t + 1])
    label = np.asarray(labels[:, t : t + 1])
    shape = size, *circuit.shapes[-1]
    checks.check_labels(np.maximum(label, 0), shape[:-1], shape[-1])
    asked = samples.ask(batch, shape, own.answers)
    grid, (counts, words), phases = _prepare(
      own, params, now, batch, asked.position
    )
    if not t:
      check_model(own, grid)
    counts = trains.count(words) if counts is None else counts
    counts = np.asarray(counts, np.float32).reshape(silent[0].shape)
    before, errors_before = silent[:-1], silent[1:]
    if state is not None:
      before, errors_before = jax.device_get((state.sent, state.errors_sent))
    train = make_train(counts - before[0], None, own.steps_of_inputs, wires.cap)
    outputs = phases, label, None
    kept = jax.device_get(_leak(circuit, carry))
    played, after = _play(circuit, grid, carry, train, outputs, wires, state)
    additions = synapses.count(
      found_synapses, played.spikes, played.errors, before, errors_before, kept
    )
    sent, errors = jax.device_get((after.sent, after.errors_arrived))
    moments.append((
      tuple(np.int64(own) for own in sent),
      tuple(errors),
      played.potentials[-1].reshape(size, -1),
      played.winners[-1].reshape(size, -1),
      played.update,
      Costs(
        played.silence,
        _count_spikes(played.spikes),
        _count_spikes(played.errors),
        *np.sum(additions, axis=(0, 2)),
      ),
    ))  # fmt: skip
    carry = _remember(circuit, grid, carry, after.arrived)
    state = None if reset else after
    if learn is not None and np.any(label >= 0):
      change, optimizer_state = learn.update(
        played.update, optimizer_state, params
      )
      params = optax.apply_updates(params, change)
  *stacked, costs = jax.tree.map(lambda *own: np.stack(own), *moments)
  return Streamed(*stacked, params, costs)


def _count_spikes(layers):
  """Counts the spikes of each sample, `[B]`, in all ticks."""
  axes = lambda own: (0, *range(2, own.ndim))
  return sum(np.count_nonzero(own, axis=axes(own)) for own in layers)


@functools.partial(jax.jit, static_argnums=0)
def _leak(circuit, carry):
  """Returns traces of silent neurons."""
  none = (
    jnp.zeros((len(own), *recall.rates.shape[1:]))
    for own, recall in zip(carry, circuit.recalls)
  )
  return tuple(
    temporal.advance(rates, recall.memory, own)[0]
    for rates, recall, own in zip(none, circuit.recalls, carry)
  )


@functools.partial(jax.jit, static_argnums=0)
def _remember(circuit, params, carry, rates):
  """Returns the traces of a moment whose rates have arrived."""
  with jax.default_matmul_precision('highest'):
    return _find_currents(circuit, params, carry, rates)[1]
