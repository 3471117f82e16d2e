"""The networks of a configuration: bipolar or stochastic neurons, and the ANN.

A network is pure functions (`types.Network`). The bipolar network is what it is
when it has settled: layers of `spiking.fire` between products of matrices.
`realtime.play` plays its spikes tick by tick. Stochastic neurons draw their
trains (`stochastic`). The ANN is the limit of both for long trains.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import stochastic
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig


def ssnn(
  config: NetworkConfig,
  *,
  axis_name: str | None = None,
  feedback: types.Params | None = None,
) -> types.Network:
  """Builds the spiking network of a configuration.

  Args:
    config: architecture and use of spikes.
    axis_name: axis of a mesh whose accelerators share each batch, in order:
      each receives its shard and the loss of it, and all receive the gradient
      of the whole batch.
    feedback: fixed weights of the transposed reads, with the structure of the
      parameters; None uses the parameters. Random ones are feedback alignment
      (T. P. Lillicrap et al., Nature Communications 7, 13276, 2016).

  Returns:
    The network's pure functions, the same for equal arguments. `jax.grad` of
    `loss` is what the synapses learn: with exact `rates` of all signals,
    `winner='exact'`, float weights, no read noise and no feedback, the gradient
    of backpropagation.

  Example:
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((4, 8, 3), num_steps=8))
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> params = network.init(jax.random.key(0))
    >>> learn = jax.jit(jax.grad(network.loss, has_aux=True))
    >>> gradient, inference = learn(params, jax.random.key(1), images, labels)
    >>> [layer.weights.shape for layer in gradient]
    [(4, 8), (8, 3)]
    >>> inference.winner_counts.sum()
    Array(64., dtype=float32)
  """
  build = _bipolar if config.neuron == 'bipolar' else _stochastic
  if feedback is None:
    return _build_once(build, config, axis_name)
  samples.check_params(config, feedback)
  network = build(config, axis_name, feedback)
  return network._replace(name='ssnn with feedback weights')


@functools.lru_cache(maxsize=64)  # programs are cached by their functions
def _build_once(build, config, axis_name):
  return build(config, axis_name, None)


def _bipolar(config, axis_name, feedback):
  """Builds a network of bipolar neurons, settled."""

  def respond(key, batch, potential):
    phases = spiking.draw_phases(key, batch.position)
    winners = spiking.count_winners(phases, potential, config.num_winners)
    return types.Inference(winners, potential)

  def forward(config, params, key, batch):
    settled = settle(config, params, key, batch, feedback)
    return settled.loss, respond(key, batch, settled.potential)

  def draw(params, key, batch):
    settled, errors = settle_errors(config, params, key, batch, feedback)
    drawn = stochastic.draw_settled(
      config, key, batch.position, settled.rates, errors
    )
    return *drawn, respond(key, batch, settled.potential)

  network = from_forward(
    config, forward, axis_name, name='ssnn', readout='potential'
  )
  # A train has at most one spike in a tick.
  has_trains = config.ceiling <= 1
  return _with_pulses(network, draw, axis_name) if has_trains else network


def _stochastic(config, axis_name, feedback):
  """Builds a network of stochastic neurons."""
  loss_of_batch = stochastic.make_loss(config, feedback, axis_name)

  def forward(config, params, key, batch):
    if batch.label is None:
      signals = stochastic.present(config, params, key, batch)
      return None, signals.inference
    return loss_of_batch(params, key, batch)

  def draw(params, key, batch):
    signals = stochastic.present(config, params, key, batch, feedback)
    return signals.forward, signals.errors, signals.inference

  network = from_forward(
    config, forward, axis_name, name='ssnn', averages=False
  )
  return _with_pulses(network, draw, axis_name)


def _with_pulses(network, draw, axis_name):
  """Adds `count_pulses` to a network, of the trains that it draws."""
  config = network.config

  def count_pulses(params, key, inputs, labels, pulse_gradient=None):
    batch = samples.prepare(config, params, key, inputs, labels, axis_name)
    *drawn, inference = draw(params, key, batch)
    counted = stochastic.count_pulses(
      config, key, batch.position, *drawn, pulse_gradient, axis_name
    )
    return counted, inference

  return network._replace(count_pulses=count_pulses)


def ann(
  config: NetworkConfig,
  *,
  activation: Callable[[jax.Array], jax.Array] | None = None,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the ANN of a configuration, trained by backpropagation.

  It has the weights of the spiking network, and its activations are the firing
  rates: the limit for long spike trains, with an ideal periphery.

  Args:
    config: the architecture, with `ceiling`, `input_gain` and `dropout`,
      `num_steps` for input trains, and the number of winners; other fields have
      no effect.
    activation: activation of hidden neurons, as `jax.nn.relu`, for an ANN that
      is no limit of spikes. None: the rates of spikes, clip(v, 0, ceiling).
    axis_name: axis of a mesh whose accelerators share each batch.

  Returns:
    The network's pure functions; `winner_counts` are expected values.
  """
  activate = activation or functools.partial(
    spiking.fire,
    num_steps=config.num_steps,
    ceiling=config.ceiling,
    exact=('forward', 'backward'),
  )

  def forward(config, params, key, batch):
    del key
    rates, masks = [batch.inputs.rates], batch.dropout_masks
    for layer in range(len(params)):
      potential = read(config, params, layer, rates)
      if layer < len(masks):
        rates.append(masks[layer] * activate(potential))
    winner_counts = config.winners_of_sample * jax.nn.softmax(potential)
    inference = types.Inference(winner_counts, potential)
    return mean_loss(potential, batch), inference

  return from_forward(
    config, forward, axis_name, name='ann', readout='potential'
  )


def from_forward(
  config: NetworkConfig,
  forward: Callable[..., tuple[jax.Array | None, types.Inference]],
  axis_name: str | None = None,
  *,
  name: str,
  readout: str = 'winner',
  averages: bool = True,
) -> types.Network:
  """Builds a network of a forward pass.

  Args:
    config: the network.
    forward: `(config, params, key, batch) -> (loss, Inference)`; the loss is
      not used of a batch without labels.
    axis_name: axis of a mesh whose accelerators share each batch.
    name: name of the network.
    readout: its readout, as of `Network`.
    averages: whether gradients are to be averaged over the accelerators.

  Returns:
    The network's pure functions. For the same keys, initial weights and dropout
    masks equal those of all networks of the configuration.
  """
  without_dropout = dataclasses.replace(config, dropout=0.0)

  def infer(params, key, inputs):
    batch = samples.prepare(
      without_dropout, params, key, inputs, axis_name=axis_name
    )
    return forward(without_dropout, params, key, batch)[1]

  def loss(params, key, inputs, labels):
    batch = samples.prepare(config, params, key, inputs, labels, axis_name)
    if averages and axis_name:
      params = _average_gradient(axis_name, params)
    return forward(config, params, key, batch)

  for function in (infer, loss):  # errors of Python name it
    function.__qualname__ = f'Network.{function.__name__}'
  return types.Network(
    init=jax.jit(functools.partial(init, config)),
    infer=infer,
    loss=loss,
    readout=readout,
    name=name,
    config=config,
  )


def mean_loss(potential: jax.Array, batch: samples.Sample) -> jax.Array | None:
  """Returns the mean cross-entropy of a batch, in nats; None without labels."""
  if batch.label is None:
    return None
  losses = optax.softmax_cross_entropy_with_integer_labels(
    potential, batch.label
  )
  return jnp.mean(losses * spiking.mark_classes(batch.label, potential))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _average_gradient(axis_name, params):
  """Returns parameters whose gradient is the mean over accelerators."""
  del axis_name
  return params


_average_gradient.defvjp(
  lambda axis_name, params: (params, None),
  lambda axis_name, _, gradient: (jax.lax.pmean(gradient, axis_name),),
)


class Settled(NamedTuple):
  """What a settled network has sent, and its response."""

  rates: tuple[jax.Array, ...]  #: [B, I] X of inputs and hidden layers
  potential: jax.Array  #: [B, C] v of the output layer
  loss: jax.Array | None  #: mean cross-entropy in nats; None without labels


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
      potentials: the derivative of the loss by a current of 0 is the error E
      of its neuron, of a mean over samples.

  Returns:
    The rates, the potential and the loss.
  """
  rates = batch.inputs.rates
  if 'inputs' not in config.rates and batch.inputs.train is None:
    steps, sampler = config.steps_of_inputs, config.input_sampler
    rates = spiking.encode_rates(
      key, rates, steps, sampler, positions=batch.position
    )
  exact = tuple(name for name in config.rates if name != 'inputs')
  params, settled = quantize(config, params), []
  feedback = feedback and quantize(config, feedback)
  for layer in range(len(params)):
    settled.append(rates)
    fixed = feedback and layer and feedback[layer]
    potential = read(config, params, layer, settled, fixed)
    if probes is not None:
      potential = potential + probes[layer]
    if layer < len(params) - 1:
      rates = spiking.fire(
        potential,
        config.num_steps,
        config.ceiling,
        digits=config.digits,
        exact=exact,
      )
      if config.dropout:
        rates = batch.dropout_masks[layer] * rates
  loss = None
  if batch.label is not None:
    loss = spiking.cross_entropy(
      key,
      potential,
      batch.label,
      config.num_winners,
      positions=batch.position,
      exact=('winners',) if config.winner == 'exact' else (),
    )
  return Settled(tuple(settled), potential, loss)


def settle_errors(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  batch: samples.Sample,
  feedback: types.Params | None = None,
) -> tuple[Settled, tuple[jax.Array, ...]]:
  """Runs a network of bipolar neurons both ways until it has settled.

  Arguments are those of `settle`; the batch has labels.

  Returns:
    The settled network, and `[B, J]` errors E of each sample and layer of
    weights.
  """

  def loss(probes):
    settled = settle(config, params, key, batch, feedback, probes)
    return settled.loss, settled

  num_samples = len(batch.position)
  shapes = [(num_samples, size) for size in config.layer_sizes[1:]]
  probes = tuple(map(jnp.zeros, shapes))
  errors, settled = jax.grad(loss, has_aux=True)(probes)
  return settled, tuple(num_samples * error for error in errors)


def read(
  config: NetworkConfig,
  params: types.Params,
  layer: int,
  rates: Sequence[jax.Array],
  feedback: types.LayerParams | None = None,
) -> jax.Array:
  """Returns the `[B, J]` currents of a layer of neurons.

  Args:
    config: the network.
    params: its parameters.
    layer: number of the layer of weights.
    rates: `[B, I]` rates that enter each layer, up to this one.
    feedback: weights that send the errors back; None or 0 uses the parameters.
  """
  wiring, gains = config.wirings[layer], config.read_gains
  if feedback:
    fixed = jax.lax.stop_gradient
    back = types.LayerParams(
      fixed(feedback.weights), jnp.zeros_like(feedback.biases)
    )
    sent_back = wiring.read(back, gains[layer], rates[layer])
    currents = wiring.read(params[layer], gains[layer], fixed(rates[layer]))
    currents = currents + (sent_back - fixed(sent_back))
  else:
    currents = wiring.read(params[layer], gains[layer], rates[layer])
  if wiring.is_residual:
    currents = currents + gains[layer - 1] * rates[layer - 1]
  return currents


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


def init(config: NetworkConfig, key: jax.Array) -> types.Params:
  """Draws truncated normal weights of variance 1 / fan-in; biases are 0.

  The fan-in of a layer is the number of rows of its crossbar.

  Args:
    config: the architecture.
    key: PRNG key; consumed.

  Returns:
    float32 parameters, first layer first.
  """
  draw = jax.nn.initializers.lecun_normal()
  return tuple(
    types.LayerParams(
      draw(jax.random.fold_in(key, layer), wiring.weights_shape, jnp.float32),
      jnp.zeros(wiring.num_columns, jnp.float32),
    )
    for layer, wiring in enumerate(config.wirings)
  )
