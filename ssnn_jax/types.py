"""Containers that the modules share, and their axes.

Axes, used in every docstring:

  B  samples of a batch             I  presynaptic neurons of a layer
  T  ticks of a presentation        J  postsynaptic neurons of a layer
  K  words of 32 ticks              N  neurons, presynaptic or postsynaptic
  P  positions of a layer           C  classes
  F  features of a layer: columns   M  rows of a layer's crossbar (`layers`)
  L  moments of a signal            D  decays of traces (`temporal`)

Signs: an error is dL/dv, so a spike of the positive stream asks its neuron to
fire less, and the coincidence estimate *is* a gradient.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class UserError(ValueError):
  """Wrong argument or file; the message is one sentence with the remedy."""


class LayerParams(NamedTuple):
  """Weights and biases of one layer, or their counts or gradients."""

  weights: Any  #: [M, F]; of a dense layer [I, J]
  biases: Any  #: [F]


#: Of a configuration, first layer first; those of a model are any tree
Params = tuple[LayerParams, ...]


def init_layers(key: jax.Array, shapes: Sequence[tuple[int, int]]) -> Params:
  """Draws truncated normal weights of variance 1 / fan-in; biases are 0.

  Args:
    key: PRNG key; consumed.
    shapes: `[M, F]` of each layer, first layer first; its fan-in is M.
  """
  draw = jax.nn.initializers.lecun_normal()
  return tuple(
    LayerParams(
      draw(jax.random.fold_in(key, layer), shape, jnp.float32),
      jnp.zeros(shape[1], jnp.float32),
    )
    for layer, shape in enumerate(shapes)
  )


class Inputs(NamedTuple):
  """Encoded inputs of a network: rates, and spikes where they are given."""

  rates: jax.Array  #: [B, I] spikes per tick; means over the ticks of a train
  train: jax.Array | None  #: [B, K, I] uint32 spikes; None: sampled from rates


class Inference(NamedTuple):
  """Readouts of the output layer after a presentation.

  Of a model that answers at each moment of a signal both are `[B, L, C]`.
  """

  winner_counts: jax.Array  #: [B, C] ticks won by each class
  potential: jax.Array  #: [B, C] membrane potential at the end


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
      Labels are `[B]` integer classes, of a model that answers at each moment
      also `[B, L]`, -1 at moments without one.
      `jax.grad(loss, has_aux=True)` is the update that the synapses learn in
      one presentation; only parameters have a derivative.
    count_pulses: of spiking networks with at most one spike in a tick, whose
      synapses may be resistive devices, `(params, key, inputs, labels,
      pulse_gradient) -> (Coincidences, Inference)`
      (`stochastic.count_pulses`); otherwise None.
    readout: what predicts the class: 'winner', the class with most winning
      ticks, or 'potential', that with the largest potential.
    kind: 'ssnn', 'ann', as 'ann of relu' with another activation, or the name
      of a baseline.
    config: the `Function`, `NetworkConfig` or `chip.Config` of which it was
      built.
    has_spikes: whether all of its signals are spikes, which can be played.
  """

  init: Callable[..., Params]
  infer: Callable[..., Inference]
  loss: Callable[..., tuple[jax.Array, Inference]] | None
  count_pulses: Callable[..., Any] | None = None
  readout: str = 'winner'
  kind: str = ''
  config: Any = None
  has_spikes: bool = False


class SavedNetwork(NamedTuple):
  """A network from a folder, or from a graph of NIR."""

  config: Any  #: the configuration, or the `Function` that was given
  params: Any  #: of NumPy arrays
  kind: str = 'ssnn'  #: of `Network`: what has trained the parameters


class DeviceState(NamedTuple):
  """State of resistive devices or of a chip, except their weights."""

  num_updates: jax.Array  #: int32 batches so far
  learning_rate: jax.Array  #: before the schedule
  hardware: Any  #: constants of each array, or a register of random bits

  def current_rate(self, schedule: optax.Schedule | None) -> jax.Array:
    """Returns the learning rate of the next batch; None is constant."""
    factor = schedule or optax.constant_schedule(1.0)
    return self.learning_rate * factor(self.num_updates)


class Device(NamedTuple):
  """Pure functions that store the weights of a network and change them.

  Attributes:
    init: `(key, params) -> (params, state)`; programs the initial weights and
      samples the devices.
    learn: `(network, (present_key, pulse_key), (params, state), inputs, labels)
      -> ((params, state), Inference)`; presents a batch to the `Network` and
      changes its weights.

  Example:
    Weights within [-1, 1], changed by one pulse of a fixed size in each batch
    (Manhattan rule):

    >>> def init(key, params):
    ...   clip = lambda weights: jnp.clip(weights, -1.0, 1.0)
    ...   return jax.tree.map(clip, params), None
    >>> def learn(network, keys, carry, inputs, labels):
    ...   params, state = carry
    ...   gradient, inference = jax.grad(network.loss, has_aux=True)(
    ...     params, keys[0], inputs, labels)
    ...   step = lambda weights, gradient: jnp.clip(
    ...     weights - 0.05 * jnp.sign(gradient), -1.0, 1.0)
    ...   return (jax.tree.map(step, params, gradient), state), inference
    >>> device = ssnn_jax.Device(init, learn)
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((2, 2), num_steps=32))
    >>> state = ssnn_jax.training.init_state(network, device, seed=0)
    >>> train = ssnn_jax.training.make_train_epoch(network, device, 4)
  """

  init: Callable[..., tuple[Any, Any]]
  learn: Callable[..., tuple[tuple[Any, Any], Inference]]
