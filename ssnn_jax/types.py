"""The containers that flow through the network, and the axes they share.

Axes, used in every docstring:

  B  samples of a batch             I  presynaptic neurons of a layer
  T  ticks of a presentation        J  postsynaptic neurons of a layer
  W  windows of a block             N  neurons, where the side does not matter
  K  32-tick words of a block       C  classes

A presentation of one sample lasts T ticks. It is cut into windows of n ticks; a
composite neuron reads its membrane once per window. Whole windows are grouped
into blocks that fill 32-tick words (`spikes.Schedule`).

Signs: an error is dL/du, so a spike of the positive stream asks its neuron to
fire less, and the coincidence estimate *is* a gradient.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp


class UserError(ValueError):
  """A mistake of the caller's; the message is one sentence with the remedy."""


class LayerParams(NamedTuple):
  """What one layer has, synapse by synapse: weights, counts or gradients."""

  weights: Any  # [I, J]
  biases: Any  # [J]


Params = tuple[LayerParams, ...]  # first layer first


class Inputs(NamedTuple):
  """What a network is shown: rates to be sampled, or spikes as they came."""

  rates: jax.Array  # [B, I] spikes per tick; the mean over a given train
  train: jax.Array | None  # [B, K, I] uint32 spikes; None where rates are given


class Signal(NamedTuple):
  """The output of a layer of neurons in the windows of one block."""

  rates: jax.Array  # [W, N] spikes per tick that the neurons fire at
  train: jax.Array  # [W, K, N] uint32 spikes, one bit a tick


class ErrorStreams(NamedTuple):
  """A signed error carried by two unsigned spike trains.

  A spike cannot be negative, so the error of a neuron is the difference of the
  rates of its two streams, divided by the layer's gain.
  """

  positive: jax.Array  # [..., J] spikes that ask the neuron to fire less
  negative: jax.Array  # [..., J] spikes that ask the neuron to fire more


class ErrorSignal(NamedTuple):
  """The error of a layer of neurons in the windows of one block."""

  rates: jax.Array  # [W, J] the signed error dL/du itself, without gain
  streams: ErrorStreams  # [W, K, J] uint32 spikes, one bit a tick


class Update(NamedTuple):
  """What the synapses have counted over a batch.

  `negative` is None where only the difference was asked for; `positive` then
  holds the signed difference. `pulses` is None unless synapses have steps of
  their own.
  """

  positive: Params  # [I, J] and [J] coincidences with positive error spikes
  negative: Params | None
  unit: Params  # scalars: the gradient that one coincidence stands for
  # scalars: steps that one coincidence makes; int32 at the weights
  pulses: Params | None = None


def exact_update(gradient: Params) -> Update:
  """Makes a gradient, which counts nothing, an update of its own."""
  unit = jax.tree.map(lambda _: jnp.float32(1.0), gradient)
  return Update(positive=gradient, negative=None, unit=unit)


class Inference(NamedTuple):
  """The two ways to read the output layer after a presentation."""

  winner_counts: jax.Array  # [B, C] ticks won by each class
  potential: jax.Array  # [B, C] membrane potential at the end


class Network(NamedTuple):
  """A network as three pure functions.

  Its inputs are images, `[B, ...]` uint8 grey values or float rates within
  [0, 1], or spike trains, `[B, K, I]` uint32 words of 32 ticks: bit t of word k
  is tick 32 k + t, and ticks from T on are not presented.

  Attributes:
    init: `(key) -> Params`.
    infer: `(params, key, inputs) -> Inference`; never drops units.
    learn: `(params, key, inputs, labels, *, pulse_gradient=None) -> (Update,
      Inference)`; what one presentation of a batch makes the synapses count,
      and what the output layer said meanwhile. Where synapses have steps of
      their own, `pulse_gradient` is the gradient that one step stands for:
      spikes that enter a layer are dropped at its synapses at random, so that
      each coincidence counted there stands for a whole number of steps.
  """

  init: Callable[..., Params]
  infer: Callable[..., Inference]
  learn: Callable[..., tuple[Update, Inference]]
