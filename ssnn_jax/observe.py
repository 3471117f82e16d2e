"""What a network does in a presentation: its activity, and all of its spikes.

The spikes are those of `Network.loss` with the same key and no dropout. An
`Activity` averages over a batch; of bipolar neurons, settled rates and errors.
A `Raster` has all spikes of one sample, tick by tick; those of bipolar neurons
are played until silence (`realtime`). A `Diagnosis` is of anyone's model.
"""

from collections.abc import Callable
import dataclasses
import functools
import math
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import crossbars
from ssnn_jax import intercept
from ssnn_jax import network
from ssnn_jax import realtime
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import stochastic
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.model import Model


class Activity(NamedTuple):
  """Activity of neurons and synapses; scalars, averaged over a batch.

  The first three fields have one entry for each layer of neurons that sends
  spikes forward, inputs first; the other fields have one entry for each layer
  of weights, first layer first, and `clipped_error_fractions` for each hidden
  layer.

  Where rates replace spikes (`NetworkConfig.exact`), the expected spikes are
  counted: rate times ticks. With 'forward' a silent neuron has rate 0, and a
  saturated neuron rate 1. With 'backward' errors are not limited to one spike
  per tick; `clipped_error_fractions` are those of the error streams that spikes
  would carry. With 'update' a coincidence is a product of rates.
  """

  firing_rates: tuple[jax.Array, ...]  #: spikes per neuron and tick
  silent_fractions: tuple[jax.Array, ...]  #: neurons that never fire
  saturated_fractions: tuple[jax.Array, ...]  #: neurons that fire at every tick
  # The following fields are None for networks without error spikes.
  error_rates: tuple[jax.Array, ...] | None = None  #: per neuron and tick
  #: of the hidden layers: neurons whose error exceeds what can be sent in a
  #: tick; of stochastic neurons the only bias of their streams
  clipped_error_fractions: tuple[jax.Array, ...] | None = None
  coincidences: tuple[jax.Array, ...] | None = (
    None  # at the weights, per sample; None of bipolar neurons
  )
  #: spikes that reach rows of the crossbars, of all positions, per sample; None
  #: for networks of `layer_sizes`, where each spike reaches one row
  row_spikes: tuple[jax.Array, ...] | None = None


def make_observe(
  model: Model | NetworkConfig, feedback: types.Params | None = None
) -> Callable[..., Activity]:
  """Builds the function that measures the activity of one presentation.

  Args:
    model: the model, or the configuration; dropout is ignored.
    feedback: weights of the transposed reads, as for `network.ssnn`.

  Returns:
    `(params, key, inputs, labels) -> Activity` of one seed, pure; the arguments
    are those of `Network.loss`.
  """
  if model.neuron == 'bipolar':
    return functools.partial(_observe_settled, model, feedback)
  model = dataclasses.replace(model, dropout=0.0)
  return functools.partial(_observe_drawn, model, feedback)


def _observe_drawn(config, feedback, params, key, inputs, labels):
  """Observes the trains of a network of stochastic neurons."""
  batch = samples.prepare(config, params, key, inputs, labels)
  signals = stochastic.present(config, params, key, batch, feedback)
  ticks, layers = config.num_steps, []
  for wiring, train, error in zip(
    config.wirings, signals.forward, signals.errors
  ):
    spikes, errors = trains.count(train.words), trains.count(error.either)
    requested = error.errors * ticks
    # The coincidences of a tick and position are the product of its numbers of
    # spikes and error spikes, so no array of all weights is needed.
    rows = _spikes_per_tick(wiring.gather(train.words))
    coincidences = rows * _spikes_per_tick(wiring.split(error.either))
    if 'forward' in config.exact:
      spikes = train.rates * ticks
    if 'backward' in config.exact:
      errors = jnp.abs(requested)
    if 'update' in config.exact:
      rows = jnp.sum(wiring.gather(train.rates), axis=-1)
      coincidences = rows * jnp.sum(wiring.split(jnp.abs(requested)), axis=-1)
    reached = jnp.sum(wiring.gather(spikes), axis=(1, 2))
    layers.append((
      jnp.mean(spikes) / ticks,
      jnp.mean(spikes == 0),
      jnp.mean(spikes == ticks),
      jnp.mean(errors) / ticks,
      jnp.mean(jnp.abs(requested) > ticks),
      jnp.sum(coincidences) / len(labels),
      jnp.mean(reached.astype(jnp.float32)),
    ))  # fmt: skip
  activity = Activity(*zip(*layers))
  return activity._replace(
    clipped_error_fractions=activity.clipped_error_fractions[:-1],
    row_spikes=activity.row_spikes if config.layers else None,
  )


def _spikes_per_tick(words):
  """Counts spikes at each tick, `[B, K, P, N]` words to `[32, B, K, P]`."""

  def count_bit(bit):
    return jnp.sum((words >> bit) & jnp.uint32(1), axis=-1).astype(jnp.float32)

  # Bit by bit: one spike per tick would take the memory of 32 words.
  return jax.lax.map(
    count_bit, jnp.arange(trains.TICKS_PER_WORD, dtype=jnp.uint32)
  )


def _observe_settled(config, feedback, params, key, inputs, labels):
  """Observes the rates and errors of a settled network of bipolar neurons."""
  batch = samples.prepare(config, params, key, inputs, labels)
  model = crossbars.as_model(config, feedback)
  settled = network.settle(model, params, key, batch)
  most = [1.0]  # of the inputs
  for num_steps, ceiling, *_ in (own.neurons for own in settled.calls):
    count = num_steps * ceiling
    if 'forward' not in model.exact:
      count = math.floor(count + 0.5)
    most.append(count * (1 - 1e-6) / num_steps)  # rounding errors of rates
  means = lambda layers: tuple(map(jnp.mean, layers))
  return Activity(
    firing_rates=means(settled.rates),
    silent_fractions=means([rates == 0 for rates in settled.rates]),
    saturated_fractions=means(
      [rates >= own for rates, own in zip(settled.rates, most)]
    ),
    error_rates=means(map(jnp.abs, settled.errors)),
  )


class Raster(NamedTuple):
  """Spikes of the layers of a network, each in the shape of its neurons."""

  #: [T, ...] int32 worth in counts, of the inputs and of each hidden layer; a
  #: spike of the other sign takes back what was sent
  spikes: tuple[np.ndarray, ...]
  #: [T, ...] worth of the error spikes of each layer, to fire more negative
  errors: tuple[np.ndarray, ...]
  #: [T, C] int32 spikes of the output layer: the winner of each tick; of
  #: bipolar neurons, which decide all winners again in each tick, what changes
  winners: np.ndarray


def record(
  config: Model | NetworkConfig,
  params: Any,
  key: jax.Array,
  image: jax.Array | np.ndarray,
  label: int,
  wires: realtime.Wires = realtime.Wires(),  # noqa: B008
) -> Raster:
  """Records all spikes while a sample is presented; `figures` draws them.

  Args:
    config: the model, or the configuration; dropout is ignored.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    image: inputs of one sample, without an axis B.
    label: its class.
    wires: delays and bounds of bipolar neurons, as of `realtime.play`.

  Returns:
    The spikes. Neurons of a convolution have the shape `[H, W, F]`.

  Raises:
    UserError: if the image, the label or the parameters do not fit the network.
  """
  sample = np.asarray(image)[None], np.asarray(label)[None]
  if config.neuron == 'bipolar' or wires != realtime.Wires():
    played = realtime.play(config, params, key, *sample, wires)
    sent, errors = (
      [train[:, 0] for train in layers]
      for layers in (played.spikes, played.errors)
    )
    decided = np.int32(played.winners[:, 0])
    winners = np.diff(decided, axis=0, prepend=np.zeros_like(decided[:1]))
  else:
    config = dataclasses.replace(config, dropout=0.0)
    played = stochastic.play(config, params, key, *sample)
    sent = [train[:, 0] for train in played.forward]
    errors = [
      np.int32(positive[:, 0]) - negative[:, 0]
      for positive, negative in zip(played.positive, played.negative)
    ]
    winners = np.int32(played.winners[:, 0])
  for layer, wiring in enumerate(getattr(config, 'wirings', ())):
    sent[layer] = sent[layer].reshape(-1, *wiring.input_shape)
    errors[layer] = errors[layer].reshape(-1, *wiring.output_shape)
  return Raster(tuple(sent), tuple(errors), winners)


_MOST = 0.98  # of silent neurons; half of it of saturated ones


class Neurons(NamedTuple):
  """What the neurons of one call of `spiking.fire` do in a batch."""

  shape: tuple[int, ...]  #: of the potential, axes of `jax.vmap` first
  silent: float  #: fraction of rates that are 0
  open: float  #: fraction that errors pass
  saturated: float  #: fraction at the ceiling, or at a floor below 0
  levels: int  #: different rates in use
  rate: float  #: root mean square
  error: float  #: root mean square of the errors sent, of the given loss
  is_signed: bool  #: whether there are rates below 0

  @property
  def advice(self) -> str:
    """What to try; '' if nothing is wrong."""
    if not np.isfinite([self.rate, self.error]).all():
      return 'NaN or infinite: check inputs and labels, lower the learning rate'
    if self.silent > _MOST:
      return 'silent: larger initial weights, residual sums, or a floor below 0'
    if self.saturated > _MOST / 2:
      return 'saturated: a larger ceiling, or smaller initial weights'
    if self.levels <= 2 + self.is_signed:
      return 'few levels: more num_steps, or larger initial weights'
    if not self.error:
      return 'no error arrives: see the neurons below this line'
    if self.open == 1 and not self.is_signed:
      return 'all open: a linear layer, as if there were no neurons'
    return ''


class Diagnosis(tuple[Neurons, ...]):
  """Neurons of each call of `spiking.fire`, in order; prints as a table."""

  def __repr__(self):
    titles = 'neurons', 'silent', 'open', 'saturated', 'levels', 'rate', 'error'
    rows = [
      (
        f'{number}. {"x".join(map(str, own.shape))}',
        f'{own.silent:.0%}',
        f'{own.open:.0%}',
        f'{own.saturated:.0%}',
        f'{own.levels}',
        f'{own.rate:.2g}',
        f'{own.error:.1e}',
      )
      for number, own in enumerate(self, start=1)
    ]
    line = '{:15}' + '{:>9}' * 2 + '{:>11}' + '{:>9}' * 3
    lines = [line.format(*cells) for cells in (titles, *rows)]
    advice = ['', *(f'\n  {own.advice}' * bool(own.advice) for own in self)]
    if not self:
      advice = ['\nno neurons: call neuron(v), or fire, for an activation']
    return '\n'.join(map(''.join, zip(lines, advice)))


def diagnose(
  loss: types.Network | Callable[..., jax.Array], params: Any, *batch: Any
) -> Diagnosis:
  """Measures what all neurons of anyone's model do in a batch, both ways.

  Each call of `spiking.fire` is seen, those of the steps of a `jax.lax.scan`
  and below `jax.vmap`, `jax.checkpoint` and `jax.jit` as well.

  Args:
    loss: a spiking network; or `(params, *batch) -> loss`, a scalar of a model
      with `spiking.fire`.
    params: its parameters, a tree of arrays.
    *batch: its other arguments, of a network inputs and labels.

  Returns:
    The neurons of each call, which print as a table with what to try.

  Example:
    >>> from ssnn_jax.spiking import fire
    >>> loss = lambda w, x: jnp.sum(fire(x * w, 8) + fire(x * w - 2, 8))
    >>> ssnn_jax.observe.diagnose(loss, 0.5, jnp.arange(-4.0, 4.0))
    neurons           silent     open  saturated   levels     rate    error
    1. 8                 62%      38%         0%        4     0.66  6.1e-01
    2. 8                100%       0%         0%        1        0  0.0e+00
      silent: larger initial weights, residual sums, or a floor below 0
  """
  if isinstance(loss, types.Network):
    present, batch = loss.loss, (jax.random.key(0), *batch)
    loss = lambda *args: present(*args)[0]
  if isinstance(loss, Model):
    raise types.UserError('loss is a Model; pass ssnn_jax.ssnn(model).')
  # Of arrays alone, as other numbers would be constants.
  args = jax.tree.map(jnp.asarray, (params, *batch))
  traced = intercept.trace(lambda *args: (loss(*args), ()), *args)
  note = lambda *args: intercept.observe(traced, *args)[:3]
  signals = jax.device_get(jax.jit(note)(*args))
  return Diagnosis(map(_summarize, traced.calls, *signals))


def _summarize(call, potential, rates, errors):
  """Returns the neurons of one call, by their signals."""
  gate = np.asarray(spiking.settle_counts(potential, *call.neurons[:3])[1])
  root = lambda values: float(np.sqrt(np.mean(np.square(np.float64(values)))))
  return Neurons(
    call.shape,
    silent=float(np.mean(rates == 0)),
    open=float(np.mean(gate)),
    saturated=float(np.mean(~gate & (rates != 0))),
    levels=len(np.unique(rates)),
    rate=root(rates),
    error=root(errors),
    is_signed=bool(np.any(rates < 0)),
  )
