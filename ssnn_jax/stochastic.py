"""Stochastic composite neurons: spike trains that are drawn, both ways.

This is the neuron of the paper. Layer after layer sends T ticks of spikes: a
hidden neuron of potential v at the rate clip(v, 0, 1), then one winner of the
output layer in each tick, then every layer back, at the rate of its error, in a
positive or a negative stream. A synapse counts the coincidences of the spikes
at its two ends; their count *is* a gradient,

  dL/dW_l ~ r_l (C+_l - C-_l) / (T B),

of read gain r and batch size B. `ssnn_jax.reference.stochastic`
says it tick by tick. An exact signal is that of an infinite train; with all of
them exact, the network is the ANN.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import crossbars
from ssnn_jax import layers
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax import wta
from ssnn_jax.config import NetworkConfig
from ssnn_jax.trains import bernoulli
from ssnn_jax.trains import coincidences as coincidences_lib
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import NUM_BITS
from ssnn_jax.trains.thresholds import Role


class Train(NamedTuple):
  """Forward spikes of a layer of neurons."""

  rates: jax.Array  #: [B, N] at which the spikes are drawn, in spikes per tick
  words: jax.Array  #: [B, K, N] uint32 spikes


class ErrorTrain(NamedTuple):
  """Error spikes of a layer of neurons, each of which has one sign."""

  errors: jax.Array  #: [B, J] errors dL/dv of the samples
  words: jax.Array  #: [B, K, J] uint32 spikes of either sign
  #: [B, J] whether they are of the negative stream: to fire more
  is_negative: jax.Array


class Signals(NamedTuple):
  """Signals of a presentation of a batch."""

  forward: list[Train]  #: presynaptic spikes of each layer of weights
  errors: list[ErrorTrain]  #: of each layer of weights; none without labels
  potential: jax.Array  #: [B, C] of the output layer
  winners: jax.Array  #: [B, K, C] uint32 words of the winners of the ticks

  @property
  def inference(self) -> types.Inference:
    """Readouts of the output layer."""
    return types.Inference(trains.count(self.winners), self.potential)


def present(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  batch: samples.Batch,
  feedback: types.Params | None = None,
) -> Signals:
  """Presents a batch: all spikes, forward and, with labels, back.

  Args:
    config: a network of stochastic neurons.
    params: its parameters.
    key: PRNG key of the presentation.
    batch: the samples.
    feedback: weights of the transposed reads; None uses the parameters.

  Returns:
    The signals of all layers.
  """
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  draws = _Draws(config, keys, batch.position)
  masks = crossbars.draw_dropout(config, key, batch.position)
  forward, potentials = _run_forward(draws, params, batch.inputs, masks)
  winners, errors = draws.compete(potentials[-1]), []
  if batch.label is not None:
    weights = params if feedback is None else feedback
    errors = _run_back(draws, weights, batch.label, masks, potentials, winners)
  return Signals(forward, errors, potentials[-1], winners)


def _run_forward(draws, params, inputs, masks):
  """Every layer integrates the spikes of the layer below, and sends its own."""
  config, (rates, words) = draws.config, inputs
  if words is None:
    words = draws.send(Role.INPUT, 0, rates)
  forward, potentials = [], []
  for layer, (wiring, gain) in enumerate(
    zip(config.wirings, config.read_gains, strict=True)
  ):
    forward.append(Train(rates, words))
    if 'forward' not in config.exact:
      rates = trains.count(words).astype(jnp.float32) / config.num_steps
    v = wiring.read(params[layer], gain, rates)
    v = draws.add_noise(Role.READ, layer, v)
    potentials.append(v)
    if layer < len(masks):
      rates = jnp.clip(v, 0.0, 1.0) * masks[layer]
      words = draws.send(Role.FORWARD, layer + 1, rates)
  return forward, potentials


def _run_back(draws, weights, labels, masks, potentials, winners):
  """Every layer sends the errors that the layer above asks for."""
  config, last = draws.config, len(potentials) - 1
  target = jax.nn.one_hot(labels, winners.shape[-1])
  errors, is_target = jax.nn.softmax(potentials[last]) - target, target > 0
  if 'winners' in config.exact:
    sent = [draws.send_errors(last, errors)]
  else:  # of the target where it did not win, of others where they won
    missing = trains.mask(config.num_steps)[None, :, None] & ~winners
    words = jnp.where(is_target[:, None], missing, winners)
    sent = [ErrorTrain(errors, words, is_target)]
  for layer in reversed(range(last)):
    above, error = layer + 1, sent[0]
    wiring, gain = config.wirings[above], config.read_gains[above]
    errors = error.errors
    if 'backward' not in config.exact:
      counts = jnp.where(error.is_negative, -1, 1) * trains.count(error.words)
      errors = counts.astype(jnp.float32) / config.num_steps
    rows = wiring.read_transposed(weights[above], gain, errors)
    # Each position is a read of its own, before errors of an input add up.
    rows = draws.add_noise(Role.TRANSPOSED_READ, above, rows)
    is_open = (0.0 < potentials[layer]) & (potentials[layer] < 1.0)
    gates = jnp.where(is_open, masks[layer], 0.0)
    sent.insert(0, draws.send_errors(layer, gates * wiring.scatter(rows)))
  return sent


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

  def send_errors(self, layer, errors):
    """Draws error spikes, of rates |error|, at most one a tick."""
    rates = jnp.minimum(jnp.abs(errors), 1.0)
    return ErrorTrain(errors, self.send(Role.ERROR, layer, rates), errors <= 0)

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
  counts = []
  for wiring, train, error in zip(config.wirings, forward, errors, strict=True):
    if 'update' not in config.exact:
      counts.append(
        coincidences_lib.count_coincidences(
          wiring, train.words, error.words, error.is_negative
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
  count = batch_size * config.num_steps
  return tuple(
    types.LayerParams(jnp.float32(gain / count), jnp.float32(1.0 / count))
    for gain in config.read_gains
  )


def make_loss(
  config: NetworkConfig,
  feedback: types.Params | None = None,
  axis_name: str | None = None,
) -> Callable[..., tuple[jax.Array, types.Inference]]:
  """Builds `(params, key, batch) -> (loss, Inference)`.

  Its derivative is what the synapses count, on all accelerators of an axis.
  """

  @jax.custom_vjp
  def loss(params, key, batch):
    return forward(params, key, batch)[0]

  def forward(params, key, batch):
    signals = present(config, params, key, batch, feedback)
    losses = optax.softmax_cross_entropy_with_integer_labels(
      signals.potential, batch.label
    )
    marks = spiking.mark_classes(batch.label, signals.potential)
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
    return (jnp.mean(losses * marks), signals.inference), gradient

  def backward(gradient, slopes):
    return jax.tree.map(lambda leaf: slopes[0] * leaf, gradient), None, None

  loss.defvjp(forward, backward)
  return loss


def draw_settled(
  config: NetworkConfig,
  key: jax.Array,
  positions: jax.Array,
  rates: Sequence[jax.Array],
  errors: Sequence[jax.Array],
) -> tuple[list[Train], list[ErrorTrain]]:
  """Draws trains of T ticks at the settled rates X and errors E.

  Devices are pulsed by their coincidences, as in the stochastic update of an
  RPU (T. Gokmen and Y. Vlasov, Frontiers in Neuroscience 10, 333, 2016), whose
  expected number is T X E as long as E is from -1 to 1.

  Args:
    config: a network of bipolar neurons, of ceiling 1 or less.
    key: PRNG key of the presentation.
    positions: `[B]` positions of the samples in the global batch.
    rates: `[B, I]` X of each layer of weights, at most 1.
    errors: `[B, J]` E of each layer of weights.

  Returns:
    Presynaptic spikes and error spikes of each layer of weights.
  """
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  draws, forward = _Draws(config, keys, positions), []
  for layer, own in enumerate(rates):
    # Not of the role of inputs, whose thresholds have decided X.
    forward.append(Train(own, draws.send(Role.FORWARD, layer, own)))
  return forward, list(map(draws.send_errors, range(len(errors)), errors))


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
        jnp.where(chosen, jnp.abs(error.errors), 0.0),
        jnp.where(chosen[:, None], error.words, jnp.uint32(0)),
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
