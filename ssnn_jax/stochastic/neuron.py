"""Stochastic composite neurons: spike trains that are drawn, both ways.

This is the neuron of the paper. A hidden neuron of potential v sends spikes
forward at the rate clip(v, 0, 1), and back at the rate of its error, in a
positive or a negative stream; in each tick one neuron of the output layer wins.
A synapse counts the coincidences of the spikes at its two ends; their count
*is* a gradient,

  dL/dW_l ~ r_l (C+_l - C-_l) / (T B),

of read gain r, batch size B, and T ticks that count. Potentials and errors are
means of what has arrived, in one of three timings::

  phased  each layer sends all of its train before the next layer begins
  window  all layers send in each tick, with the means of the last cycle of T
          ticks, in which thresholds are repeated; it settles to `phased`, by
          which it is trained
  leaky   all layers send in each tick, with averages that forget; the
          coincidences of the last ticks count

`ssnn_jax.reference.stochastic` and `leaky` say it tick by tick; `play` shows
all spikes. An exact signal is that of an infinite train; with all of them
exact, the phased network is the ANN.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssnn_jax import checks
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.stochastic import coincidences as coincidences_lib
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import layers
from ssnn_jax.stochastic import samples
from ssnn_jax.stochastic import wta
from ssnn_jax.stochastic.config import NetworkConfig
from ssnn_jax.trains import bernoulli
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import NUM_BITS
from ssnn_jax.trains.thresholds import Role


class Train(NamedTuple):
  """Forward spikes of a layer of neurons."""

  #: [B, N] in spikes per tick, at which they are drawn; leaky at the end
  rates: jax.Array
  words: jax.Array  #: [B, K, N] uint32 spikes


class ErrorTrain(NamedTuple):
  """Error spikes of a layer of neurons, at most one in a tick.

  S streams are one, whose spikes have the sign of the neuron's error, or two,
  positive and negative, where it may change between ticks.
  """

  errors: jax.Array  #: [B, J] errors dL/dv of the samples; leaky at the end
  words: jax.Array  #: [B, S, K, J] uint32 spikes of the streams
  #: [B, S, J] whether a stream is negative: to fire more; or [1, S, 1]
  is_negative: jax.Array

  @property
  def either(self) -> jax.Array:
    """Spikes of either sign, `[B, K, J]` words."""
    return jnp.sum(self.words, axis=1, dtype=jnp.uint32)

  @property
  def counts(self) -> jax.Array:
    """Positive minus negative spikes, `[B, J]`."""
    signs = jnp.where(self.is_negative, -1, 1)
    return jnp.sum(signs * trains.count(self.words), axis=1)


class Signals(NamedTuple):
  """Signals of a presentation of a batch."""

  forward: list[Train]  #: presynaptic spikes of each layer of weights
  errors: list[ErrorTrain]  #: of each layer of weights; none without labels
  potential: jax.Array  #: [B, C] of the output layer
  winners: jax.Array  #: [B, K, C] uint32 words of the winners of the ticks


def find_counting(config: NetworkConfig) -> np.ndarray:
  """Returns which of the T ticks of trains count, `[T]` of 0 and 1."""
  num_steps, counting = config.num_steps, np.ones(config.num_steps, np.int32)
  if config.timing == 'leaky':
    counting[: min(num_steps - 1, round((1 - config.counted) * num_steps))] = 0
  return counting


def find_averaging(config: NetworkConfig) -> np.ndarray:
  """Returns the weight a_t of a tick in the averages, `[T]` float32."""
  if config.timing != 'leaky':
    return np.full(config.num_steps, 1 / config.num_steps, np.float32)
  ticks = np.arange(config.num_steps)
  return np.float32(config.forgetting / (ticks + config.forgetting))


def read_out(config: NetworkConfig, signals: Signals) -> types.Inference:
  """Returns the wins in the ticks that count, and the potentials."""
  counting = trains.pack(jnp.asarray(find_counting(config))[:, None])[None]
  return types.Inference(
    trains.count(signals.winners & counting), signals.potential
  )


def present(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  batch: samples.Batch,
) -> Signals:
  """Presents a batch: all spikes, forward and, with labels, back.

  Args:
    config: a network of stochastic neurons.
    params: its parameters.
    key: PRNG key of the presentation.
    batch: the samples.

  Returns:
    The signals of all layers; those of a window are settled.
  """
  neurons = _prepare(config, params, key, batch)
  run = _run_leaky if config.timing == 'leaky' else _run_phases
  return run(neurons, batch)


def _prepare(config, params, key, batch):
  """Returns the neurons of a presentation."""
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  masks = crossbars.draw_dropout(config, key, batch.position)
  return _Neurons(_Draws(config, keys, batch.position), params, masks)


class _Neurons(NamedTuple):
  """The rules of a neuron, one layer of neurons at a time.

  They are the same in all timings, which differ in the means that a layer
  receives. Layers count from 0, the first with weights.
  """

  draws: '_Draws'
  params: types.Params
  masks: list[jax.Array]  # of dropout

  def integrate(self, layer, rates):
    """Returns the currents of a layer at the rates of the layer below."""
    config = self.draws.config
    return config.wirings[layer].read(
      self.params[layer], config.read_gains[layer], rates
    )

  def rate(self, layer, potential):
    """Returns the rates of the forward spikes of a hidden layer."""
    return jnp.clip(potential, 0.0, 1.0) * self.masks[layer]

  def collect(self, layer, errors, add_noise):
    """Returns what a hidden layer receives of the errors of the layer above."""
    config, above = self.draws.config, layer + 1
    wiring, gain = config.wirings[above], config.read_gains[above]
    rows = wiring.read_transposed(self.params[above], gain, errors)
    # Each position is a read of its own, before errors of an input add up.
    return wiring.scatter(add_noise(Role.TRANSPOSED_READ, above, rows))

  def gate(self, layer, potential, received):
    """Returns the errors of a hidden layer: those that its gates pass."""
    is_open = (0.0 < potential) & (potential < 1.0)
    return jnp.where(is_open, self.masks[layer], 0.0) * received


def _run_phases(neurons, batch):
  """Runs layer after layer, forward and then back."""
  draws, last = neurons.draws, len(neurons.params) - 1
  potentials, forward = [], [draws.send_inputs(batch)]
  for layer in range(last + 1):
    v = _integrate_train(neurons, layer, forward[layer])
    potentials.append(v)
    if layer < last:
      rates = neurons.rate(layer, v)
      forward.append(Train(rates, draws.send(Role.FORWARD, layer + 1, rates)))
  winners, errors = draws.compete(v), []
  if batch.label is not None:
    errors = [draws.compare(v, winners, batch.label)]
    for layer in reversed(range(last)):
      args = neurons, layer, potentials[layer], errors[0]
      errors.insert(0, _return_errors(*args))
  return Signals(forward, errors, v, winners)


def _integrate_train(neurons, layer, train):
  """Returns the potential of a layer: of the mean of a train from below."""
  config, rates = neurons.draws.config, train.rates
  if 'forward' not in config.exact:
    rates = trains.count(train.words).astype(jnp.float32) / config.num_steps
  v = neurons.integrate(layer, rates)
  return neurons.draws.add_noise(Role.READ, layer, v)


def _return_errors(neurons, layer, potential, above):
  """Returns the errors of a hidden layer: of the mean of a train from above."""
  config, errors = neurons.draws.config, above.errors
  if 'backward' not in config.exact:
    errors = above.counts.astype(jnp.float32) / config.num_steps
  received = neurons.collect(layer, errors, neurons.draws.add_noise)
  errors = neurons.gate(layer, potential, received)
  return neurons.draws.send_errors(layer, errors)


def _run_window(neurons, batch):
  """Runs cycles, in which each layer has the means of the cycle before.

  Layer l sends its settled train from cycle l on, inputs first, and the error
  layers from the last one on one cycle later each: 2 L cycles of L layers of
  weights are all, of which the last is settled.

  Returns the spikes of all cycles, as `Signals` with an axis of cycles first.
  """
  draws, last = neurons.draws, len(neurons.params) - 1
  inputs = draws.send_inputs(batch)

  def run_cycle(before, _):
    forward, errors = before
    potentials = [
      _integrate_train(neurons, layer, train)
      for layer, train in enumerate(forward)
    ]
    rates = map(neurons.rate, range(last), potentials)
    sent = [
      Train(rates, draws.send(Role.FORWARD, layer, rates))
      for layer, rates in enumerate(rates, 1)
    ]
    back = [
      _return_errors(neurons, layer, potentials[layer], errors[layer + 1])
      for layer in range(last)
    ]
    winners, v = draws.compete(potentials[-1]), potentials[-1]
    back.append(draws.compare(v, winners, batch.label))
    now = [inputs, *sent], back
    return now, Signals(*now, v, winners)

  shapes = jax.eval_shape(lambda: _run_phases(neurons, batch))
  silent = jax.tree.map(
    lambda own: jnp.zeros(own.shape, own.dtype), (shapes.forward, shapes.errors)
  )
  return jax.lax.scan(run_cycle, silent, length=2 * (last + 1))[1]


def _run_leaky(neurons, batch):
  """Runs all layers in each tick, with averages that forget.

  In tick t all neurons send what their state before the tick asks for, and then
  receive: v += a_t (current - v), and errors alike.
  """
  draws, last = neurons.draws, len(neurons.params) - 1
  config, sizes = draws.config, draws.config.layer_sizes[1:]
  num_samples, inputs = len(batch.position), draws.send_inputs(batch)
  num_hidden = last if batch.label is not None else 0  # that send errors
  averaging = jnp.asarray(find_averaging(config))
  if batch.label is not None:
    target = jax.nn.one_hot(batch.label, sizes[-1])
    is_target = target > 0

  def run_tick(carry, now):
    (averages, received, theta), words = carry
    tick, current, forward, backward, threshold = now
    add_noise = functools.partial(draws.add_noise_once, tick)
    a = averaging[tick]
    rates = list(map(neurons.rate, range(last), averages))
    spikes = list(map(thresholds.is_below, forward, rates))
    race = tick, threshold, theta, averages[-1]
    theta, winners = draws.compete_once(*race)
    streams = []
    for layer in range(num_hidden):
      g = neurons.gate(layer, averages[layer], received[layer])
      is_sent = thresholds.is_below(
        backward[layer], jnp.minimum(jnp.abs(g), 1.0)
      )
      streams.append((is_sent & (g > 0), is_sent & (g <= 0)))
    if batch.label is not None:
      streams.append((winners & ~is_target, is_target & ~winners))

    currents = [current]
    for layer, own in enumerate(spikes, 1):
      currents.append(neurons.integrate(layer, own.astype(jnp.float32)))
    errors = [
      neurons.collect(
        layer,
        streams[layer + 1][0].astype(jnp.float32)
        - streams[layer + 1][1].astype(jnp.float32),
        add_noise,
      )
      for layer in range(num_hidden)
    ]
    currents = [
      add_noise(Role.READ, layer, own) for layer, own in enumerate(currents)
    ]
    move = lambda average, own: average + a * (own - average)
    averages = jax.tree.map(move, averages, currents)
    received = jax.tree.map(move, received, errors)
    place = (tick % trains.TICKS_PER_WORD).astype(jnp.uint32)
    mark = lambda word, own: word | (own.astype(jnp.uint32) << place)
    words = jax.tree.map(mark, words, (spikes, streams, winners))
    return ((averages, received, theta), words), None

  def run_word(state, word, num_ticks=trains.TICKS_PER_WORD):
    """Runs the ticks of a word; returns its spikes as words."""
    draw = functools.partial(draws.draw_ticks, word, num_ticks)
    packed = jax.lax.dynamic_slice_in_dim(inputs.words, word, 1, axis=1)
    arriving = jnp.moveaxis(trains.unpack(packed)[:, :num_ticks], 1, 0)
    # One product for all ticks, as inputs depend on no other spikes.
    current = neurons.integrate(0, arriving.astype(jnp.float32))
    forward = [
      draw(Role.FORWARD, layer + 1, sizes[layer]) for layer in range(last)
    ]
    backward = [
      draw(Role.ERROR, layer, sizes[layer]) for layer in range(num_hidden)
    ]
    ticks = trains.TICKS_PER_WORD * word + jnp.arange(num_ticks)
    now = ticks, current, forward, backward, draw(Role.WINNER, 0, 1)
    return jax.lax.scan(run_tick, (state, no_spikes), now)[0]

  silent = [jnp.zeros((num_samples, size), jnp.float32) for size in sizes]
  zeros = [own.astype(jnp.uint32) for own in silent]
  senders = zeros if batch.label is not None else []
  no_spikes = zeros[:-1], [(own, own) for own in senders], zeros[-1]
  start = [  # as of silent layers below
    own + neurons.integrate(layer, jnp.zeros((1, config.layer_sizes[layer])))
    for layer, own in enumerate(silent)
  ]
  theta = jnp.full(num_samples, wta.INHIBITION_START, jnp.float32)
  state, parts = (start, silent[:num_hidden], theta), []
  num_full, rest = divmod(config.num_steps, trains.TICKS_PER_WORD)
  if num_full:
    state, sent = jax.lax.scan(run_word, state, jnp.arange(num_full))
    parts.append(sent)
  if rest:
    state, sent = run_word(state, num_full, rest)
    parts.append(jax.tree.map(lambda own: own[None], sent))
  join = lambda *own: jnp.moveaxis(jnp.concatenate(own), 0, -2)
  spikes, streams, winners = jax.tree.map(join, *parts)
  averages, received, _ = state
  rates = map(neurons.rate, range(last), averages)
  forward = [inputs, *map(Train, rates, spikes)]
  errors = list(map(neurons.gate, range(num_hidden), averages, received))
  if batch.label is not None:
    errors.append(jax.nn.softmax(averages[-1]) - target)
  is_negative = jnp.array([False, True])[None, :, None]
  errors = [
    ErrorTrain(own, jnp.stack(words, axis=1), is_negative)
    for own, words in zip(errors, streams)
  ]
  return Signals(forward, errors, averages[-1], winners)


class _Draws(NamedTuple):
  """All that is drawn in a presentation of a batch."""

  config: NetworkConfig
  keys: jax.Array  # [layers, roles, 3]
  positions: jax.Array  # [B] of the samples in the global batch

  def send(self, role, layer, rates, *, sampler=None, is_shared=False):
    """Draws spikes of `[B, N]` rates, `[B, K, N]` words."""
    return trains.draw(
      sampler or self.config.train_sampler,
      self.keys,
      role,
      layer,
      self.positions,
      rates,
      self.config.num_steps,
      is_shared=is_shared,
    )

  def send_inputs(self, batch):
    """Draws the spikes of the inputs, or takes those that are given."""
    rates, words = batch.inputs
    if words is None:
      words = self.send(Role.INPUT, 0, rates)
    return Train(rates, words)

  def send_errors(self, layer, errors):
    """Draws error spikes, of rates |error|, at most one a tick."""
    rates = jnp.minimum(jnp.abs(errors), 1.0)
    words = self.send(Role.ERROR, layer, rates)
    return ErrorTrain(errors, words[:, None], (errors <= 0)[:, None])

  def compete(self, potential):
    """Finds the winners of all ticks, `[B, K, C]` words: by race, or drawn."""
    if self.config.winner != 'race':
      rates = wta.cumulative_rates(potential)
      return wta.first(self.send(Role.WINNER, 0, rates, is_shared=True))

    def race(position, potential):
      noise = thresholds.draw_uniforms(
        self.source(Role.WINNER, 0, position, len(potential)),
        self.config.num_steps,
      )
      return trains.pack(wta.race(noise, potential))

    return jax.vmap(race)(self.positions, potential)

  def compare(self, potential, winners, labels):
    """Sends the errors of the output layer: winners minus target."""
    target = jax.nn.one_hot(labels, potential.shape[-1])
    errors, is_target = jax.nn.softmax(potential) - target, target > 0
    if 'winners' in self.config.exact:
      return self.send_errors(len(self.config.wirings) - 1, errors)
    # Of the target where it did not win, of others where they won.
    missing = trains.mask(self.config.num_steps)[None, :, None] & ~winners
    words = jnp.where(is_target[:, None], missing, winners)
    return ErrorTrain(errors, words[:, None], is_target[:, None])

  def compete_once(self, tick, threshold, theta, potential):
    """Finds the winners of a tick; returns the inhibition, and `[B, C]`."""
    if self.config.winner == 'race':
      noise = self.draw_uniforms(tick, Role.WINNER, 0, potential.shape[-1])
      return jax.vmap(wta.race_once)(theta, noise, potential)
    reached = thresholds.is_below(threshold, wta.cumulative_rates(potential))
    return theta, wta.first(reached)

  def draw_uniforms(self, tick, role, layer, size):
    """Draws uniform numbers of a tick, `[B, N]`."""
    draw = lambda position: thresholds.draw_uniforms(
      self.source(role, layer, position, size), 1, tick
    )[0]
    return jax.vmap(draw)(self.positions)

  def draw_ticks(self, word, num_ticks, role, layer, size):
    """Draws the thresholds of the first ticks of a word, `[n, B, N]`."""
    draw = lambda position: self.config.train_sampler.thresholds(
      self.source(role, layer, position, size), jnp.asarray(word)
    )
    return jax.vmap(draw, out_axes=1)(self.positions)[:num_ticks]

  def add_noise_once(self, tick, role, layer, currents):
    """Adds the read noise of a tick to the currents of a crossbar."""
    if not self.config.read_noise:
      return currents
    uniforms = self.draw_uniforms(tick, role, layer, currents[0].size)
    noise = jax.scipy.special.ndtri(uniforms).reshape(currents.shape)
    gain = self.config.read_gains[layer] * self.config.read_noise
    return currents + gain * noise

  def add_noise(self, role, layer, currents):
    """Adds the read noise of all ticks to the currents of a crossbar."""
    if not self.config.read_noise:
      return currents
    gain, size = self.config.read_gains[layer], currents[0].size
    noise = jax.vmap(
      lambda position: bernoulli.mean_noise(
        self.source(role, layer, position, size), self.config.num_steps
      )
    )(self.positions).reshape(currents.shape)
    return gain * (currents / gain + self.config.read_noise * noise)

  def source(self, role, layer, position, size):
    """Returns the thresholds of one sample."""
    key = self.keys[layer, role]
    return trains.Source(key, position, role, layer, size)


class Coincidences(NamedTuple):
  """Coincidences that the synapses counted over a batch, for devices."""

  positive: types.Params  #: with positive error spikes, on all accelerators
  negative: types.Params  #: with negative error spikes
  unit: types.Params  #: scalars: gradient of one coincidence
  #: scalars: device pulses of one coincidence; int32 for the weights; None for
  #: devices without discrete pulses
  pulses: types.Params | None


def count(
  config: NetworkConfig, forward: Sequence[Train], errors: Sequence[ErrorTrain]
) -> types.Params:
  """Counts the coincidences of a batch, positive minus negative.

  Args:
    config: the network.
    forward: presynaptic spikes of each layer of weights.
    errors: error spikes of each layer of weights.

  Returns:
    int32 counts in the structure of the parameters; float32 expected ones for
    an exact 'update'.
  """
  counts, counting = [], find_counting(config)
  first = np.argmax(counting) // trains.TICKS_PER_WORD
  counting = trains.pack(jnp.asarray(counting)[:, None])[None, None]
  for wiring, train, error in zip(config.wirings, forward, errors, strict=True):
    if 'update' not in config.exact:
      counts.append(
        coincidences_lib.count_coincidences(
          wiring,
          train.words[:, first:],
          (error.words & counting)[:, :, first:],
          error.is_negative,
        )
      )
      continue
    expected = wiring.split(error.errors * jnp.float32(config.num_steps))
    products = jnp.einsum(
      '...i,...j->ij',
      wiring.gather(train.rates),
      expected,
      precision=layers.PRECISION,
    )
    counts.append(types.LayerParams(products, jnp.sum(expected, axis=(0, 1))))
  return tuple(counts)


def unit_gradients(config: NetworkConfig, batch_size: int) -> types.Params:
  """Returns the gradient of one coincidence, scalars for each layer.

  Raises a `UserError` if counts of a batch could exceed 32 bits.
  """
  # A weight counts at most so many coincidences in a tick of a sample.
  most = max(wiring.num_positions for wiring in config.wirings)
  longest = checks.MAX_COUNT // max(1, batch_size * most)
  is_valid = 'update' in config.exact or config.num_steps <= longest
  expected = f'at most {longest} ticks with batches of {batch_size} samples, '
  expected += 'as coincidences are counted in 32 bits'
  checks.check_field(config, 'num_steps', is_valid, expected)
  count = batch_size * int(find_counting(config).sum())
  return tuple(
    types.LayerParams(jnp.float32(gain / count), jnp.float32(1.0 / count))
    for gain in config.read_gains
  )


def make_loss(
  config: NetworkConfig,
  axis_name: str | None = None,
) -> Callable[..., tuple[jax.Array, types.Inference]]:
  """Builds `(params, key, batch) -> (loss, Inference)`.

  Its derivative is what the synapses count, on all accelerators of an axis.
  """

  @jax.custom_vjp
  def loss(params, key, batch):
    return forward(params, key, batch)[0]

  def forward(params, key, batch):
    signals = present(config, params, key, batch)
    losses = optax.softmax_cross_entropy_with_integer_labels(
      signals.potential, batch.label
    )
    marks = checks.mark_classes(batch.label, signals.potential)
    counts = count(config, signals.forward, signals.errors)
    batch_size, is_wrong = len(batch.position), jnp.any(jnp.isnan(marks))
    if axis_name:
      counts, is_wrong = jax.lax.psum((counts, is_wrong), axis_name)
      batch_size *= jax.lax.axis_size(axis_name)
    units = unit_gradients(config, batch_size)
    # Labels that are no classes make all of the update NaN. Counts are marked,
    # not gradients, whose constant factors XLA multiplies first.
    mark = lambda count: jnp.where(is_wrong, jnp.nan, count.astype(jnp.float32))
    multiply = lambda count, unit: mark(count) * unit
    gradient = jax.tree.map(multiply, counts, units)
    return (jnp.mean(losses * marks), read_out(config, signals)), gradient

  def backward(gradient, slopes):
    return jax.tree.map(lambda leaf: slopes[0] * leaf, gradient), None, None

  loss.defvjp(forward, backward)
  return loss


class Played(NamedTuple):
  """All spikes of a presentation of B samples, tick by tick.

  The ticks of phases are those of their trains, which layers send one after
  another; a window has cycles of T ticks.
  """

  forward: list[np.ndarray]  #: [ticks, B, N] of inputs and hidden layers
  positive: list[np.ndarray]  #: [ticks, B, J] error spikes, to fire less
  negative: list[np.ndarray]  #: [ticks, B, J] to fire more; the output last
  winners: np.ndarray  #: [ticks, B, C] of the output layer
  #: what the synapses learn, as `jax.grad`: of sample means of coincidences
  #: sum_t counting_t coincidences_t / sum_t counting_t, times the read gains
  update: types.Params
  averaging: np.ndarray  #: [ticks] weight of a tick in means and averages
  counting: np.ndarray  #: [ticks] weight of its coincidences
  settled: int  #: first tick from which all trains are those of phases; or 0


def play(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
) -> Played:
  """Plays a network of stochastic neurons of any timing.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation, with dropout, as for `Network.loss`.
    inputs: images or spike trains, as for `Network`.
    labels: `[B]` integer classes.

  Raises:
    UserError: if signals are exact, or arguments do not fit.

  Example:
    >>> config = ssnn_jax.NetworkConfig(
    ...   (4, 8, 3), num_steps=16, timing='leaky')
    >>> params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> played = ssnn_jax.stochastic.play(
    ...   config, params, jax.random.key(1), images, labels)
    >>> played.forward[0].sum(axis=0).tolist()  # of 16 ticks
    [[0, 3, 8, 16]]
    >>> played.counting.astype(int).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
  """
  if config.exact:
    raise types.UserError(
      f'exact is {config.exact}; expected spikes in all signals.'
    )
  checks.check_finite(params)
  batch = samples.prepare(config, params, key, inputs, labels)
  checks.check_labels(labels, batch.position.shape, config.layer_sizes[-1])
  signals, update = jax.device_get(_play(config, params, key, batch))
  num_steps, counting = config.num_steps, find_counting(config)
  num_cycles = 1
  if config.timing == 'window':
    num_cycles = len(signals.potential)
    counting = np.pad(counting, ((num_cycles - 1) * num_steps, 0))

  def unpack(words):  # [..., B, K, N], cycles first, to [ticks, B, N]
    spikes = np.asarray(trains.unpack(words))[..., :num_steps, :]
    spikes = np.moveaxis(spikes, -2, -3)
    return spikes.reshape(-1, *spikes.shape[-2:])

  streams = [[], []]  # of which the second is negative
  for error in signals.errors:
    for is_negative, stream in enumerate(streams):
      chosen = (error.is_negative == bool(is_negative))[..., None, :]
      words = np.where(chosen, error.words, np.uint32(0))
      stream.append(unpack(np.sum(words, axis=-3, dtype=np.uint32)))
  return Played(
    [unpack(train.words) for train in signals.forward],
    *streams,
    unpack(signals.winners),
    update,
    np.tile(find_averaging(config), num_cycles),
    np.float32(counting),
    (num_cycles - 1) * num_steps,
  )


@functools.partial(jax.jit, static_argnums=0)
def _play(config, params, key, batch):
  """Returns all signals, of a window those of each cycle, and the update."""
  if config.timing == 'window':
    signals = _run_window(_prepare(config, params, key, batch), batch)
    settled = jax.tree.map(lambda own: own[-1], signals)
  else:
    signals = settled = present(config, params, key, batch)
  counts = count(config, settled.forward, settled.errors)
  units = unit_gradients(config, len(batch.position))
  multiply = lambda count, unit: count.astype(jnp.float32) * unit
  return signals, jax.tree.map(multiply, counts, units)


def count_pulses(
  config: NetworkConfig,
  key: jax.Array,
  positions: jax.Array,
  forward: Sequence[Train],
  errors: Sequence[ErrorTrain],
  pulse_gradient: jax.Array | None,
  axis_name: str | None = None,
) -> Coincidences:
  """Counts what a batch of spikes asks of synapses that are resistive devices.

  Devices move by whole pulses. Let q be the gradient of one coincidence divided
  by that of one pulse. At the weights, presynaptic spikes are kept with
  probability q / ceil(q) before they are counted, and each counted coincidence
  requests ceil(q) pulses; at the biases no spike is dropped, and each
  coincidence requests q pulses, which may be fractional. Error spikes are not
  thinned: a dropped one would affect the whole fan-in of its neuron.

  Args:
    config: the network.
    key: PRNG key of the presentation.
    positions: `[B]` positions of the samples in the global batch.
    forward: presynaptic spikes of each layer of weights.
    errors: error spikes of each layer of weights.
    pulse_gradient: gradient of one pulse; None without discrete pulses.
    axis_name: mesh axis of the accelerators that share the batch.
  """
  batch_size = len(positions)
  if axis_name:
    batch_size *= jax.lax.axis_size(axis_name)
  units, pulses = unit_gradients(config, batch_size), None
  if pulse_gradient is not None and 'update' not in config.exact:
    keys = thresholds.make_keys(key, len(config.layer_sizes))
    draws = _Draws(config, keys, positions)
    forward, units, pulses = zip(*(
      _thin(draws, layer, train, unit, pulse_gradient)
      for layer, (train, unit) in enumerate(zip(forward, units))
    ))  # fmt: skip

  def count_stream(is_negative):
    def choose(error):
      chosen = error.is_negative == is_negative
      return ErrorTrain(
        jnp.maximum(-error.errors if is_negative else error.errors, 0.0),
        jnp.where(chosen[:, :, None], error.words, jnp.uint32(0)),
        jnp.zeros_like(chosen),
      )

    return count(config, forward, list(map(choose, errors)))

  streams = count_stream(False), count_stream(True)
  if axis_name:
    streams = jax.lax.psum(streams, axis_name)
  return Coincidences(*streams, units, pulses)


def _thin(draws, layer, train, unit, pulse_gradient):
  """Thins spikes; returns them, and gradient and pulses of a coincidence."""
  pulses = jax.tree.map(lambda gradient: gradient / pulse_gradient, unit)
  # Rounding errors of a whole number must not request one more pulse.
  burst = jnp.ceil(pulses.weights * (1.0 - 1e-6))
  keep = jnp.minimum(pulses.weights / jnp.maximum(burst, 1.0), 1.0)
  resolution = 2.0**-NUM_BITS  # of rates
  keep = resolution * jnp.round(keep / resolution)
  rates = jnp.broadcast_to(keep, train.rates.shape)
  kept = draws.send(Role.THINNING, layer, rates, sampler=bernoulli.SAMPLER)
  weights = unit.weights / jnp.maximum(keep, resolution)
  return (
    train._replace(words=train.words & kept),
    unit._replace(weights=weights),
    pulses._replace(weights=burst.astype(jnp.int32)),
  )
