"""Containers that the modules share, and their axes.

Axes, used in every docstring:

  B  samples of a batch             I  presynaptic neurons of a layer
  T  ticks of a presentation        J  postsynaptic neurons of a layer
  W  windows of a block             N  neurons, presynaptic or postsynaptic
  K  32-tick words of a block       C  classes
  P  positions of a layer           M  rows of a layer's crossbar (`layers`)
  F  features of a layer: its columns

A presentation of one sample lasts T ticks, divided into windows of n ticks; a
composite neuron reads its potential once a window. A block is one window, or
the ticks of a word (`spikes.Schedule`).

Signs: an error is dL/dv, so a spike of the positive stream asks its neuron to
fire less, and the coincidence estimate *is* a gradient.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp


class UserError(ValueError):
  """Wrong argument or file; the message is one sentence with the remedy."""


class LayerParams(NamedTuple):
  """Weights and biases of one layer, or their counts or gradients."""

  weights: Any  #: [M, F]; of a dense layer [I, J]
  biases: Any  #: [F]


Params = tuple[LayerParams, ...]  # first layer first


class Weights(NamedTuple):
  """Weights of the two reads of all crossbars."""

  forward: Params
  transposed: Params


class Inputs(NamedTuple):
  """Encoded inputs of a network: rates, and spikes where they are given."""

  rates: jax.Array  #: [B, I] spikes per tick; means over the ticks of a train
  train: jax.Array | None  #: [B, K, I] uint32 spikes; None: sampled from rates


class Signal(NamedTuple):
  """Forward signal of one layer of neurons in the windows of one block."""

  rates: jax.Array  #: [W, N] firing rates, in spikes per tick
  words: jax.Array  #: [K, N] uint32 spikes


class ErrorStreams(NamedTuple):
  """A signed error as two unsigned spike trains.

  A spike cannot be negative, so the error of a neuron is the difference of the
  rates of its two streams, divided by the gain of the layer.
  """

  positive: jax.Array  #: [..., J] spikes that ask the neuron to fire less
  negative: jax.Array  #: [..., J] spikes that ask the neuron to fire more


class ErrorSignal(NamedTuple):
  """Error signal of one layer of neurons in the windows of one block."""

  errors: jax.Array  #: [W, J] signed errors dL/dv, before the gain
  streams: ErrorStreams  #: [K, J] uint32 spikes


class Update(NamedTuple):
  """Coincidences that the synapses counted over a batch.

  With `negative` None, `positive` holds signed differences. `pulses` is None
  for synapses without discrete pulses.
  """

  positive: Params  #: [I, J] and [J] coincidences with positive error spikes
  negative: Params | None  #: with negative error spikes
  unit: Params  #: scalars: gradient of one coincidence
  #: scalars: device pulses of one coincidence; int32 for the weights
  pulses: Params | None = None


def exact_update(gradient: Params) -> Update:
  """Wraps a gradient as an `Update`."""
  unit = jax.tree.map(lambda _: jnp.float32(1.0), gradient)
  return Update(positive=gradient, negative=None, unit=unit)


class Inference(NamedTuple):
  """Readouts of the output layer after a presentation."""

  winner_counts: jax.Array  #: [B, C] ticks won by each class
  potential: jax.Array  #: [B, C] membrane potential at the end
  #: [B, C] ticks in which each class had the largest potential: the spikes of a
  #: winner-take-all without noise; None of neurons that settle
  largest_counts: jax.Array | None = None


class Signals(NamedTuple):
  """Signals of one sample in the windows of one block."""

  forward: list[Signal]  #: presynaptic signal of each layer of weights
  errors: list[ErrorSignal]  #: of each layer of weights; none without a label
  response: Inference  #: counts of the block, and potential after it
  winners: jax.Array  #: [K, C] uint32 words of the winners of the ticks


class Activity(NamedTuple):
  """Activity of neurons and synapses; scalars, averaged over a batch.

  The first three fields have one entry for each layer of neurons that sends
  spikes forward, inputs first; the other fields have one entry for each layer
  of weights, first layer first, and `clipped_error_fractions` for each hidden
  layer.

  Where rates replace spikes (`NetworkConfig.rates`), the expected spikes are
  counted: rate times ticks. With 'forward' a silent neuron has rate 0 in all
  windows, and a saturated neuron has rate 1 in all windows, whatever T. With
  'backward' errors are not limited to one spike per tick;
  `clipped_error_fractions` are those of the error streams that spikes would
  carry. With 'update' a coincidence is a product of rates.
  """

  firing_rates: tuple[jax.Array, ...]  #: spikes per neuron and tick
  silent_fractions: tuple[jax.Array, ...]  #: neurons that never fire
  saturated_fractions: tuple[jax.Array, ...]  #: neurons that fire at every tick
  # The following fields are None for networks without error spikes.
  error_rates: tuple[jax.Array, ...] | None = None  #: per neuron and tick
  #: of the positive streams; the other error spikes are negative
  positive_error_rates: tuple[jax.Array, ...] | None = None
  #: of the hidden layers: neurons and windows whose error exceeds what can be
  #: sent in a tick; of stochastic neurons the only bias of their streams
  clipped_error_fractions: tuple[jax.Array, ...] | None = None
  coincidences: tuple[jax.Array, ...] | None = (
    None  # at the weights, per sample; None of bipolar neurons
  )
  #: spikes that reach rows of the crossbars, of all positions, per sample; None
  #: for networks of `layer_sizes`, where each spike reaches one row
  row_spikes: tuple[jax.Array, ...] | None = None


class Network(NamedTuple):
  """A network as pure functions.

  Inputs are images as for `rate_encode`, or spike trains, `[B, K, I]` uint32
  words of 32 ticks: bit t of word k is tick 32 k + t, and ticks from T on are
  ignored.

  Attributes:
    init: `(key) -> Params`.
    infer: `(params, key, inputs) -> Inference`; without dropout.
    loss: `(params, key, inputs, labels) -> (loss, Inference)`, the mean
      cross-entropy of a batch in nats, and the response of the output layer.
      `jax.grad(loss, has_aux=True)` is the update that the synapses learn in
      one presentation; only parameters have a derivative. None for networks
      that learn during the presentation only.
    learn: of networks that count coincidences, `(params, key, inputs, labels,
      *, pulse_gradient=None) -> (Update, Inference)`, for devices; otherwise
      None. `pulse_gradient` is the gradient of one device pulse, or None for
      synapses without discrete pulses. If given, presynaptic spikes are thinned
      at random before they are counted, so that each coincidence is a whole
      number of pulses.
    learn_online: `(params, key, inputs, labels, update, update_state) ->
      ((params, update_state), Inference)`, of the chip, whose parameters change
      while it presents a batch; after it `(0, None, update_state, params) ->
      (params, update_state)` is called. Otherwise None.
    readout: what predicts the class: 'winner', the class with most winning
      ticks, or 'potential', that with the largest potential.
    name: name of the function that has built the network.
    config: configuration of the network; None if there is none.
  """

  init: Callable[..., Params]
  infer: Callable[..., Inference]
  loss: Callable[..., tuple[jax.Array, Inference]] | None
  learn: Callable[..., tuple[Update, Inference]] | None = None
  learn_online: Callable[..., tuple[tuple[Params, Any], Inference]] | None = (
    None
  )
  readout: str = 'winner'
  name: str = 'network'
  config: Any = None
