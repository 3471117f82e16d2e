"""Networks: pure functions that learn, by spikes or as the ANN compared with.

A network is that of a function, unchanged (`spiking.Function`), which `spike`
makes spiking and whose ANN is the function as it is; or of stochastic neurons,
by a `NetworkConfig`, which draw their trains (`stochastic`).
"""

from collections.abc import Callable
import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import spiking
from ssnn_jax import temporal
from ssnn_jax import types
from ssnn_jax.spiking import transform
from ssnn_jax.spiking.functions import Function
from ssnn_jax.spiking.functions import as_signals
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import neuron
from ssnn_jax.stochastic import samples
from ssnn_jax.stochastic.config import NetworkConfig


def ssnn(
  model: Function | NetworkConfig,
  *,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the spiking network of a function, or of a configuration.

  Args:
    model: the function, or the configuration, and its use of spikes.
    axis_name: axis of a mesh whose accelerators share each batch, in order:
      each receives its shard and the loss of it, and all receive the gradient
      of the whole batch.

  Returns:
    The network's pure functions, the same for equal arguments. `jax.grad` of
    `loss` is what the synapses learn.

  Example:
    >>> config = ssnn_jax.NetworkConfig((4, 8, 3), num_steps=8)
    >>> network = ssnn_jax.ssnn(config)
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> params = network.init(jax.random.key(0))
    >>> learn = jax.jit(jax.grad(network.loss, has_aux=True))
    >>> gradient, inference = learn(params, jax.random.key(1), images, labels)
    >>> [layer.weights.shape for layer in gradient]
    [(4, 8), (8, 3)]
    >>> inference.winner_counts.sum()
    Array(8, dtype=int32)
  """
  if isinstance(model, Function):
    return _build_once(_function, model, axis_name, True)
  return _build_once(_stochastic, model, axis_name)


def ann(
  model: Function | NetworkConfig,
  *,
  activation: Callable[[jax.Array], jax.Array] | None = None,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the ANN of a function, which is as it is, or of a configuration.

  The ANN of a configuration has the parameters of its network, and its
  activations are the rates of neurons: the limit for long spike trains, with an
  ideal periphery.

  Args:
    model: the function; or the architecture, with dropout, and `num_steps` for
      input trains; other fields have no effect.
    activation: of a configuration, activation of hidden neurons, as
      `jax.nn.relu`, for an ANN that is no limit of spikes. None: the rates of
      spikes, clip(v, 0, 1).
    axis_name: axis of a mesh whose accelerators share each batch.

  Returns:
    The network's pure functions; `winner_counts` are expected values.
  """
  if isinstance(model, Function):
    return _build_once(_function, model, axis_name, False)
  return _build_once(_ann, model, axis_name, activation)


@functools.lru_cache(maxsize=64)  # programs are cached by their functions
def _build_once(build, model, *args):
  return build(model, *args)


def _function(model, axis_name, is_spiking):
  """Builds the network of a function, by spikes or as it is."""
  apply, train = model.apply, model.train
  if is_spiking:
    make = functools.partial(spiking.spike, **model.codes)
  else:
    make = lambda own: own if model.bptt else transform.local(own)
  apply, train = make(apply), train and make(train)

  def infer(params, key, inputs):
    del key
    outputs = apply(params, as_signals(jnp.asarray(inputs)))
    return types.Inference(jax.nn.softmax(outputs), outputs)

  def loss(params, key, inputs, labels):
    signals, rest = as_signals(jnp.asarray(inputs)), ()
    if axis_name:
      params = _average_gradient(axis_name, params)
      key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
    if train is not None:
      rest = (key,)
    outputs = (train or apply)(params, signals, *rest)
    if model.loss is not None:
      loss = model.loss(outputs, labels)
    else:
      loss = mean_loss(outputs, labels, model.answers, axis_name)
    return loss, types.Inference(jax.nn.softmax(outputs), outputs)

  kind, init = 'ssnn' if is_spiking else 'ann', jax.jit(model.init)
  return types.Network(
    init, infer, loss, readout='potential', kind=kind, config=model
  )


def _stochastic(config, axis_name):
  """Builds a network of stochastic neurons."""
  loss_of_batch = neuron.make_loss(config, axis_name)

  def forward(params, key, batch):
    if batch.label is None:
      without = dataclasses.replace(config, dropout=0.0)
      signals = neuron.present(without, params, key, batch)
      return None, neuron.read_out(without, signals)
    num_classes = config.layer_sizes[-1]
    checks.check_labels(batch.label, batch.position.shape, num_classes)
    return loss_of_batch(params, key, batch)

  def count_pulses(params, key, inputs, labels, pulse_gradient=None):
    batch = samples.prepare(config, params, key, inputs, labels, axis_name)
    num_classes = config.layer_sizes[-1]
    checks.check_labels(batch.label, batch.position.shape, num_classes)
    signals = neuron.present(config, params, key, batch)
    counted = neuron.count_pulses(
      config,
      key,
      batch.position,
      signals.forward,
      signals.errors,
      pulse_gradient,
      axis_name,
    )
    return counted, neuron.read_out(config, signals)

  network = from_forward(
    config,
    forward,
    axis_name,
    kind='ssnn',
    averages=False,
    has_spikes=not config.exact,
  )
  return network._replace(count_pulses=count_pulses)


def _ann(config, axis_name, activation):
  """Builds the ANN of a configuration."""
  respond = activation or clip

  def forward(params, key, batch):
    masks = None
    if batch.label is not None:
      masks = crossbars.draw_dropout(config, key, batch.position)
    potential = crossbars.read_layers(
      config, params, batch.inputs.rates, respond, masks
    )
    winner_counts = config.num_steps * jax.nn.softmax(potential)
    inference = types.Inference(winner_counts, potential)
    if batch.label is None:
      return None, inference
    loss = mean_loss(potential, batch.label, axis_name=axis_name)
    return loss, inference

  kind = 'ann' if activation is None else f'ann of {activation.__name__}'
  return from_forward(
    config, forward, axis_name, kind=kind, readout='potential'
  )


@jax.custom_jvp
def clip(potential: jax.Array) -> jax.Array:
  """Returns rates of potentials; errors pass where a neuron is in between."""
  return jnp.clip(potential, 0.0, 1.0)


@clip.defjvp
def _clip_tangents(primals, tangents):
  (potential,), (tangent,) = primals, tangents
  is_open = (0.0 < potential) & (potential < 1.0)
  return clip(potential), jnp.where(is_open, tangent, jnp.zeros_like(tangent))


def from_forward(
  config: NetworkConfig,
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
    config: the configuration.
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
    init=jax.jit(config.init),
    infer=infer,
    loss=loss,
    readout=readout,
    kind=kind,
    config=config,
    has_spikes=has_spikes,
  )


def mean_loss(
  logits: jax.Array,
  labels: jax.Array,
  answers: str = 'last',
  axis_name: str | None = None,
) -> jax.Array:
  """Returns the mean cross-entropy of a batch, in nats.

  Args:
    logits: `[B, C]`, or `[B, L, C]` of moments.
    labels: `[B]` integer classes, or `[B, L]`, -1 at moments without one; those
      of a signal are of all its moments.
    answers: of moments, as of `spiking.Function`.
    axis_name: axis of a mesh whose accelerators share the total of weights.
  """
  shares = None
  if logits.ndim == 3:
    labels = temporal.spread(jnp.asarray(labels), logits.shape[1])
    shares = temporal.weigh(labels, answers)[0]
    total = jnp.sum(jnp.any(labels >= 0, axis=1), dtype=jnp.float32)
    if axis_name:
      total = jax.lax.pmean(total, axis_name)
  *shape, num_classes = logits.shape
  is_masked = shares is not None
  checks.check_labels(labels, tuple(shape), num_classes, is_masked=is_masked)
  marks = checks.mark_classes(labels, logits)
  known = jnp.maximum(labels, 0) if is_masked else labels
  losses = optax.softmax_cross_entropy_with_integer_labels(logits, known)
  if not is_masked:
    return jnp.mean(losses * marks)
  # The derivative of a loss without a label would be NaN.
  shares = jnp.where(shares > 0, shares * marks, 0.0)
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
