"""The networks of a configuration: bipolar or stochastic neurons, and the ANN.

A network is pure functions (`types.Network`). The bipolar network is what it is
when it has settled: layers of `spiking.fire` between products of matrices.
`realtime.play` plays its spikes tick by tick. Stochastic neurons draw their
trains (`simulation`).
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import spiking
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import coincidence
from ssnn_jax.simulation import presentation
from ssnn_jax.simulation import samples
from ssnn_jax.simulation import updates


def ssnn(
  config: NetworkConfig,
  *,
  separate_signs: bool = False,
  axis_name: str | None = None,
  feedback: types.Params | None = None,
) -> types.Network:
  """Builds the spiking network of a configuration.

  Args:
    config: architecture and use of spikes.
    separate_signs: whether `learn` of stochastic neurons counts coincidences
      with positive and with negative errors separately, as asymmetric devices
      require; otherwise it counts their difference.
    axis_name: axis of a mesh whose devices share each batch, in order: each
      device receives its shard and the loss of it, and all receive the gradient
      of the whole batch.
    feedback: weights of the transposed reads, with the structure of the
      parameters (`feedback_alignment`); None uses the parameters.

  Returns:
    The network's pure functions, the same for equal arguments. `jax.grad` of
    `loss` is what the synapses learn: with exact `rates` of all signals,
    `winner='exact'`, float weights, no read noise and no feedback, the gradient
    of backpropagation.

  Example:
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((4, 8, 3), num_steps=16))
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> params = network.init(jax.random.key(0))
    >>> learn = jax.jit(jax.grad(network.loss, has_aux=True))
    >>> gradient, inference = learn(params, jax.random.key(1), images, labels)
    >>> [layer.weights.shape for layer in gradient]
    [(4, 8), (8, 3)]
    >>> inference.winner_counts.sum()  # one winner per tick
    Array(16., dtype=float32)
  """
  checks.check_type('config', config, NetworkConfig, 'a NetworkConfig')
  if feedback is None:
    return _build_once(config, separate_signs, axis_name)
  samples.check_params(config, feedback)
  network = _build(config, separate_signs, axis_name, feedback)
  return network._replace(name='ssnn with feedback weights')


def _build(config, separate_signs, axis_name, feedback=None):
  """Builds the functions of a network."""
  if config.neuron == 'bipolar':
    return _bipolar(config, axis_name, feedback)
  return _stochastic(config, separate_signs, axis_name, feedback)


# Programs are cached by their functions.
_build_once = functools.lru_cache(maxsize=64)(_build)


def _bipolar(config, axis_name, feedback):
  """Builds a network of bipolar neurons, settled."""
  without_dropout = dataclasses.replace(config, dropout=0.0)

  def respond(key, batch, potential):
    phases = spiking.draw_phases(key, batch.position)
    winners = spiking.count_winners(phases, potential, config.num_steps)
    return types.Inference(winners, potential)

  def infer(params, key, inputs):
    batch = samples.prepare(
      without_dropout, params, key, inputs, axis_name=axis_name
    )
    potential = settle(without_dropout, params, key, batch).potential
    return respond(key, batch, potential)

  def loss(params, key, inputs, labels):
    checks.check_array('labels', labels)
    batch = samples.prepare(config, params, key, inputs, labels, axis_name)
    params = average_gradient(params, axis_name)
    potential = settle(config, params, key, batch, feedback).potential
    value = cross_entropy(config, key, batch, potential)
    return value, respond(key, batch, potential)

  return types.Network(
    init=functools.partial(init, config),
    infer=infer,
    loss=loss,
    readout='potential',
    name='ssnn',
    config=config,
  )


class Settled(NamedTuple):
  """Counts of a settled network, as rates of the T ticks."""

  rates: tuple[jax.Array, ...]  #: [B, I] X / T of inputs and hidden layers
  potential: jax.Array  #: [B, C] D / T of the output layer


def settle(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  batch: samples.Sample,
  feedback: types.Params | None = None,
  probes: tuple[jax.Array, ...] | None = None,
) -> Settled:
  """Runs a network of bipolar neurons forward until it has settled.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation.
    batch: the samples.
    feedback: weights of the transposed reads; None uses the parameters.
    probes: `[B, J]` currents of each layer of neurons, which add to their
      potentials: the derivative of the loss by a current of 0 is the error of
      its neuron, E / (B T).

  Returns:
    The rates and the potential.
  """
  num_steps, rates = config.num_steps, batch.inputs.rates
  if 'inputs' not in config.rates and batch.inputs.train is None:
    rates = spiking.encode(
      key, rates, num_steps, config.input_sampler, positions=batch.position
    )
  exact = tuple(name for name in config.rates if name != 'inputs')
  params, settled = quantize(config, params), []
  feedback = feedback and quantize(config, feedback)
  for layer, (wiring, gain) in enumerate(
    zip(config.wirings, config.read_gains)
  ):
    settled.append(rates)
    if feedback is None or not layer:
      potential = wiring.drive(params[layer], gain, rates)
    else:
      above = params[layer], feedback[layer]
      potential = _read_with_feedback(wiring, gain, *above, rates)
    if probes is not None:
      potential = potential + probes[layer]
    if layer < len(params) - 1:
      rates = spiking.fire(
        potential, num_steps, config.gains[layer], config.ceiling, exact=exact
      )
      if config.dropout:
        rates = batch.dropout_masks[layer] * rates
  return Settled(tuple(settled), potential)


def cross_entropy(
  config: NetworkConfig,
  key: jax.Array,
  batch: samples.Sample,
  potential: jax.Array,
) -> jax.Array:
  """Returns the mean loss of a batch, of its `[B, C]` output potential."""
  return spiking.cross_entropy(
    key,
    potential,
    batch.label,
    config.num_steps,
    positions=batch.position,
    exact=('winners',) if config.winner == 'exact' else (),
  )


def _read_with_feedback(wiring, gain, params, feedback, rates):
  """Reads by the weights, and sends errors back by the feedback weights."""
  fixed = jax.lax.stop_gradient
  own = wiring.drive(params, gain, fixed(rates))
  back = types.LayerParams(
    fixed(feedback.weights), jnp.zeros_like(params.biases)
  )
  other = wiring.drive(back, gain, rates)
  return own + (other - fixed(other))


def quantize(config: NetworkConfig, params: types.Params) -> types.Params:
  """Rounds parameters to the grid of `weight_bits` and `fraction_bits`.

  Sums of spikes of up to 24 bits are then exact, in any order. The derivative
  is that of the parameters themselves, so that an optimizer collects steps
  below the grid.
  """
  if config.weight_bits is None:
    return params
  limit = 2 ** (config.weight_bits - 1)

  def on_grid(values, bits):
    steps = jnp.clip(jnp.round(values * 2.0**bits), -limit, limit - 1)
    fixed = jax.lax.stop_gradient
    return fixed(steps * 2.0**-bits) + (values - fixed(values))

  return tuple(
    types.LayerParams(*(on_grid(values, bits) for values in layer))
    for layer, bits in zip(params, config.fractions, strict=True)
  )


def average_gradient(
  params: types.Params, axis_name: str | None
) -> types.Params:
  """Returns parameters whose gradient is the mean over accelerators."""
  if axis_name is None:
    return params
  average = jax.custom_vjp(lambda params: params)
  average.defvjp(
    lambda params: (params, None),
    lambda _, gradient: (jax.lax.pmean(gradient, axis_name),),
  )
  return average(params)


def loss_of(rule: Callable[..., Any]) -> Callable[..., Any]:
  """Makes the loss whose derivative is what a learning rule computes.

  Args:
    rule: `(params, key, inputs, labels) -> (gradient, Inference)`.

  Returns:
    `Network.loss`: the mean cross-entropy of the potentials.
  """

  def checked_loss(params, key, inputs, labels):
    # Before JAX refuses them in words of its own.
    checks.check_array('images', inputs)
    checks.check_array('labels', labels)
    return loss(params, key, inputs, labels)

  @jax.custom_vjp
  def loss(params, key, inputs, labels):
    return learn(params, key, inputs, labels)[0]

  def learn(params, key, inputs, labels):
    gradient, inference = rule(params, key, inputs, labels)
    losses = optax.softmax_cross_entropy_with_integer_labels(
      inference.potential, labels
    )
    return (jnp.mean(losses), inference), gradient

  def backward(gradient, slopes):
    own = jax.tree.map(lambda leaf: slopes[0] * leaf, gradient)
    return own, None, None, None

  loss.defvjp(learn, backward)
  return checked_loss


def _stochastic(config, separate_signs, axis_name, feedback):
  """Builds a network of stochastic neurons."""
  without_dropout = dataclasses.replace(config, dropout=0.0)
  recognize = presentation.make_simulate(without_dropout, axis_name=axis_name)
  simulate = presentation.make_simulate(
    config, feedback=feedback, axis_name=axis_name
  )

  def infer(params, key, inputs):
    return recognize(params, key, inputs)[0]

  def learn(params, key, inputs, labels, *, pulse_gradient=None):
    checks.check_array('labels', labels)
    batch_size = labels.size  # on all devices
    if axis_name:
      batch_size *= jax.lax.axis_size(axis_name)
    plan = updates.plan_pulses(config, batch_size, pulse_gradient)
    observe = updates.make_observe(config, plan)
    inference, ends = simulate(params, key, inputs, labels, observe=observe)
    counts = updates.count(config, ends, separate_signs)
    if axis_name:
      counts = jax.lax.psum(counts, axis_name)
    return types.Update(*counts, plan.unit, plan.pulses), inference

  def rule(*batch):
    update, inference = learn(*batch)
    return coincidence.as_gradient(update), inference

  return types.Network(
    init=functools.partial(init, config),
    infer=infer,
    loss=loss_of(rule),
    learn=learn,
    name='ssnn',
    config=config,
  )


def init(config: NetworkConfig, key: jax.Array) -> types.Params:
  """Draws truncated normal weights of variance 1 / fan-in; biases are 0.

  The fan-in of a layer is the number of rows of its crossbar.

  Args:
    config: the architecture.
    key: PRNG key; consumed.

  Returns:
    float32 parameters, first layer first.

  Raises:
    UserError: if they are larger than the memory of the device.
  """
  checks.check_key(key)
  draw = jax.nn.initializers.lecun_normal()
  shapes = [wiring.weights_shape for wiring in config.wirings]
  checks.check_weights(shapes)
  return tuple(
    types.LayerParams(
      weights=draw(jax.random.fold_in(key, layer), shape, jnp.float32),
      biases=jnp.zeros(shape[1], jnp.float32),
    )
    for layer, shape in enumerate(shapes)
  )
