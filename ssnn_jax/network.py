"""Networks: a model as a spiking network, and as the ANN that is its limit.

A network is pure functions (`types.Network`), of a model that anyone writes
(`model.Model`), or of a configuration (`NetworkConfig`), which makes a model of
crossbars. The spiking network is what it is when it has settled: `spiking.fire`
between sums of products; `realtime.play` plays its spikes tick by tick. The ANN
is its limit for long trains. Stochastic neurons draw their trains
(`stochastic`).
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
from ssnn_jax import crossbars
from ssnn_jax import intercept
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import stochastic
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.functions import Function
from ssnn_jax.functions import as_signals
from ssnn_jax.model import Model
from ssnn_jax.model import Neuron
from ssnn_jax.model import draw_masks

_EXAMPLE = 'a Function, as of as_function, a Model, or a NetworkConfig'

_MODELS = Function | Model | NetworkConfig


def ssnn(
  model: Function | Model | NetworkConfig,
  *,
  axis_name: str | None = None,
  feedback: types.Params | None = None,
) -> types.Network:
  """Builds the spiking network of a model, or of a configuration.

  Args:
    model: architecture and use of spikes.
    axis_name: axis of a mesh whose accelerators share each batch, in order:
      each receives its shard and the loss of it, and all receive the gradient
      of the whole batch.
    feedback: of a configuration, fixed weights of the transposed reads, with
      the structure of the parameters; None uses the parameters. Random ones are
      feedback alignment (T. P. Lillicrap et al., Nature Communications 7,
      13276, 2016).

  Returns:
    The network's pure functions, the same for equal arguments. `jax.grad` of
    `loss` is what the synapses learn: with all signals `exact`, float weights,
    no read noise and no feedback, the gradient of backpropagation.

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
  checks.check_type('model', model, _MODELS, _EXAMPLE)
  if isinstance(model, Function):
    return _build_once(_function, model, axis_name, True)
  build = _stochastic if model.neuron == 'stochastic' else _bipolar
  if feedback is None:
    return _build_once(build, model, axis_name)
  samples.check_params(model, feedback)
  network = build(model, axis_name, feedback)
  # A play sends errors by the weights.
  kind = 'ssnn with feedback weights'
  return network._replace(kind=kind, has_spikes=False)


@functools.lru_cache(maxsize=64)  # programs are cached by their functions
def _build_once(build, model, *args):
  return build(model, *args)


def _bipolar(config, axis_name, feedback=None):
  """Builds a network of bipolar neurons, settled."""
  model = crossbars.as_model(config, feedback)

  def forward(params, key, batch):
    rates = model.encode(key, batch.inputs, batch.position)
    dropout_key = None if batch.label is None else key
    params = model.to_grid(params)
    potential = model.respond(
      params, rates, model.fire, dropout_key, batch.position
    )
    asked = samples.ask(batch, potential.shape, model.answers, axis_name)
    return answer(model, key, asked, potential)

  def draw(params, key, batch):
    settled = settle(model, params, key, batch, dropout_key=key)
    inputs, *rates = settled.rates
    for number, own in enumerate(rates if config.dropout else ()):
      args = key, batch.position, number, own.shape, config.dropout
      rates[number] = draw_masks(*args) * own
    drawn = stochastic.draw_settled(
      config, key, batch.position, (inputs, *rates), settled.errors
    )
    return *drawn, types.Inference(settled.winners, settled.potential)

  network = from_forward(
    config,
    forward,
    axis_name,
    kind='ssnn',
    readout='potential',
    has_spikes=not model.exact,
  )
  # A train has at most one spike in a tick.
  has_trains = model is not config and model.ceiling <= 1
  return _with_pulses(network, draw, axis_name) if has_trains else network


def answer(
  model: Model, key: jax.Array, asked: samples.Asked, potential: jax.Array
) -> tuple[jax.Array | None, types.Inference]:
  """Returns the loss, None without labels, and the response of the output."""
  n, loss = model.num_winners, None
  winners = spiking.find_winners(key, potential, n, asked.position)
  if asked.label is not None:
    loss = spiking.cross_entropy(
      key,
      potential,
      asked.label,
      n,
      weights=asked.weight,
      total=asked.total,
      winners=winners,
      exact={'winners'} & {*model.exact},
    )
  return loss, types.Inference(winners, potential)


def _stochastic(config, axis_name, feedback=None):
  """Builds a network of stochastic neurons."""
  loss_of_batch = stochastic.make_loss(config, feedback, axis_name)

  def forward(params, key, batch):
    if batch.label is None:
      without = without_dropout(config)
      signals = stochastic.present(without, params, key, batch)
      return None, stochastic.read_out(without, signals)
    num_classes = config.layer_sizes[-1]
    checks.check_labels(batch.label, batch.position.shape, num_classes)
    return loss_of_batch(params, key, batch)

  def draw(params, key, batch):
    signals = stochastic.present(config, params, key, batch, feedback)
    inference = stochastic.read_out(config, signals)
    return signals.forward, signals.errors, inference

  network = from_forward(
    config,
    forward,
    axis_name,
    kind='ssnn',
    averages=False,
    has_spikes=not config.exact,
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
  model: Function | Model | NetworkConfig,
  *,
  activation: Callable[[jax.Array], jax.Array] | None = None,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the ANN of a model or a configuration, by backpropagation.

  It has the parameters of the spiking network, and its activations are the
  rates of neurons: the limit for long spike trains, with an ideal periphery.

  Args:
    model: the architecture, with ceilings, dropout, `num_steps` for input
      trains, and the number of winners; other fields have no effect.
    activation: activation of hidden neurons, as `jax.nn.relu`, for an ANN that
      is no limit of spikes. None: the rates of spikes, clip(v, 0, ceiling).
    axis_name: axis of a mesh whose accelerators share each batch.

  Returns:
    The network's pure functions; `winner_counts` are expected values.
  """
  checks.check_type('model', model, _MODELS, _EXAMPLE)
  if isinstance(model, Function):
    return _build_once(_function, model, axis_name, False)
  return _build_once(_ann, model, axis_name, activation)


def _ann(config, axis_name, activation):
  """Builds the ANN."""
  model = crossbars.as_model(config)
  model = dataclasses.replace(model, exact=('forward', 'backward'))

  def respond(potential, ceiling, floor):
    if activation is not None:
      return activation(potential)
    return model.fire(potential, ceiling, floor)

  def forward(params, key, batch):
    dropout_key = None if batch.label is None else key
    potential = model.respond(
      params, batch.inputs.rates, respond, dropout_key, batch.position
    )
    winner_counts = model.num_winners * jax.nn.softmax(potential)
    inference = types.Inference(winner_counts, potential)
    loss = mean_loss(potential, batch, model.answers, axis_name)
    return loss, inference

  kind = 'ann' if activation is None else f'ann of {activation.__name__}'
  return from_forward(
    config, forward, axis_name, kind=kind, readout='potential'
  )


def _function(model, axis_name, is_spiking):
  """Builds the network of a function, by spikes or as it is."""
  codes = 'num_steps', 'digits', 'error_digits', 'output_digits'
  apply = model.apply
  if is_spiking:
    chosen = {name: getattr(model, name) for name in codes}
    apply = spiking.spike(apply, **chosen)

  def infer(params, key, inputs):
    del key
    potential = apply(params, as_signals(jnp.asarray(inputs)))
    return types.Inference(jax.nn.softmax(potential), potential)

  def loss(params, key, inputs, labels):
    if axis_name:
      params = _average_gradient(axis_name, params)
    inference = infer(params, key, inputs)
    if model.loss is not None:
      return model.loss(inference.potential, labels), inference
    batch = samples.Batch(jnp.arange(len(inputs)), None, labels)
    loss = mean_loss(inference.potential, batch, model.answers, axis_name)
    return loss, inference

  kind, init = 'ssnn' if is_spiking else 'ann', jax.jit(model.init)
  return types.Network(
    init, infer, loss, readout='potential', kind=kind, config=model
  )


def from_forward(
  config: Model | NetworkConfig,
  forward: Callable[..., tuple[jax.Array | None, types.Inference]],
  axis_name: str | None = None,
  *,
  kind: str,
  readout: str = 'winner',
  averages: bool = True,
  has_spikes: bool = False,
) -> types.Network:
  """Builds a network of a forward pass.

  Args:
    config: the model, or the configuration.
    forward: `(params, key, batch) -> (loss, Inference)`; a batch without labels
      has no loss, and no dropout.
    axis_name: axis of a mesh whose accelerators share each batch.
    kind: kind of the network, as of `Network`.
    readout: its readout, as of `Network`.
    averages: whether gradients are to be averaged over the accelerators.
    has_spikes: whether all of its signals are spikes, which can be played.

  Returns:
    The network's pure functions. For the same keys, initial weights and dropout
    masks equal those of all networks of the model.
  """

  def infer(params, key, inputs):
    batch = samples.prepare(config, params, key, inputs, axis_name=axis_name)
    return forward(params, key, batch)[1]

  def loss(params, key, inputs, labels):
    batch = samples.prepare(config, params, key, inputs, labels, axis_name)
    if averages and axis_name:
      params = _average_gradient(axis_name, params)
    return forward(params, key, batch)

  for function in (infer, loss):  # errors of Python name it
    function.__qualname__ = f'Network.{function.__name__}'
  return types.Network(
    init=jax.jit(crossbars.as_model(config).init),
    infer=infer,
    loss=loss,
    readout=readout,
    kind=kind,
    config=config,
    has_spikes=has_spikes,
  )


def mean_loss(
  potential: jax.Array,
  batch: samples.Batch,
  answers: str = 'last',
  axis_name: str | None = None,
) -> jax.Array | None:
  """Returns the mean cross-entropy of a batch, in nats; None without labels."""
  if batch.label is None:
    return None
  asked = samples.ask(batch, potential.shape, answers, axis_name)
  _, label, weight, total = asked
  *shape, num_classes = potential.shape
  is_masked = weight is not None
  checks.check_labels(label, tuple(shape), num_classes, is_masked=is_masked)
  marks = spiking.mark_classes(label, potential)
  label = label if weight is None else jnp.maximum(label, 0)
  losses = optax.softmax_cross_entropy_with_integer_labels(potential, label)
  if weight is None:
    return jnp.mean(losses * marks)
  # The derivative of a loss without a label would be NaN.
  shares = jnp.where(weight > 0, weight * marks, 0.0)
  return jnp.sum(shares * losses) / jnp.maximum(total, 1.0)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _average_gradient(axis_name, params):
  """Returns parameters whose gradient is the mean over accelerators."""
  del axis_name
  return params


_average_gradient.defvjp(
  lambda axis_name, params: (params, None),
  lambda axis_name, _, gradient: (jax.lax.pmean(gradient, axis_name),),
)


def without_dropout(model: Model | NetworkConfig) -> Model | NetworkConfig:
  """Returns a network that drops no neuron, in training neither."""
  if not isinstance(model, Model):
    return dataclasses.replace(model, dropout=0.0)
  apply = lambda params, rates, neuron: model.apply(
    params, rates, Neuron(neuron.respond)
  )
  return dataclasses.replace(model, apply=apply)


class Settled(NamedTuple):
  """What a settled network has sent and received, of B samples."""

  calls: tuple[intercept.Call, ...]  #: of layers of neurons, in their order
  rates: tuple[jax.Array, ...]  #: [B, ...] X of the inputs and of each call
  errors: tuple[jax.Array, ...]  #: [B, ...] E of each call and of the output
  potential: jax.Array  #: [B, C] v of the output layer
  winners: jax.Array  #: [B, C] how often each class has won


def settle(
  model: Model,
  params: Any,
  key: jax.Array,
  batch: samples.Batch,
  dropout_key: jax.Array | None = None,
) -> Settled:
  """Runs a model both ways until it has settled, and notes all neurons.

  Args:
    model: the model.
    params: its parameters.
    key: PRNG key of the presentation.
    batch: the samples, with labels.
    dropout_key: that of dropout; None drops no neuron.

  Returns:
    Rates, before any are dropped, and errors of each sample.
  """
  inputs = model.encode(key, batch.inputs, batch.position)
  params = model.to_grid(params)

  def run(params, rates):
    return model.respond(params, rates, model.fire, dropout_key, batch.position)

  def loss(probe, params, rates):
    potential = run(params, rates) + probe
    loss, inference = answer(model, key, asked, potential)
    return loss, (inference.potential, inference.winner_counts)

  shape = jax.eval_shape(run, params, inputs).shape
  asked, probe = samples.ask(batch, shape, model.answers), jnp.zeros(shape)
  args = probe, params, inputs
  traced = intercept.trace(loss, *args)
  seen = intercept.observe(traced, *args)
  num_samples = len(batch.position) if asked.total is None else asked.total
  errors = tuple(num_samples * own for own in (*seen.errors, seen.gradient))
  return Settled(traced.calls, (inputs, *seen.rates), errors, *seen.others)
