"""Networks: pure functions that learn, by spikes or as the ANN compared with.

A network is that of a function, unchanged (`functions.Function`), which `spike`
makes spiking and whose ANN is the function as it is; of stochastic neurons, by
a `NetworkConfig`, which draw their trains (`stochastic`); or of the bipolar
neurons of the chip, in floats, settled.
"""

from collections.abc import Callable
import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import crossbars
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import stochastic
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.functions import Function
from ssnn_jax.functions import as_signals
from ssnn_jax.spiking import transform

_EXAMPLE = 'a Function, as of as_function, or a NetworkConfig'


def ssnn(
  model: Function | NetworkConfig,
  *,
  axis_name: str | None = None,
  feedback: types.Params | None = None,
) -> types.Network:
  """Builds the spiking network of a function, or of a configuration.

  Args:
    model: the function, or the configuration, and its use of spikes.
    axis_name: axis of a mesh whose accelerators share each batch, in order:
      each receives its shard and the loss of it, and all receive the gradient
      of the whole batch.
    feedback: of stochastic neurons, fixed weights of the transposed reads, with
      the structure of the parameters; None uses the parameters. Random ones are
      feedback alignment (T. P. Lillicrap et al., Nature Communications 7,
      13276, 2016).

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
  checks.check_type('model', model, Function | NetworkConfig, _EXAMPLE)
  neuron = getattr(model, 'neuron', None)
  if feedback is None:
    if isinstance(model, Function):
      return _build_once(_function, model, axis_name, True)
    build = _stochastic if neuron == 'stochastic' else _bipolar
    return _build_once(build, model, axis_name)
  if neuron != 'stochastic':
    raise types.UserError(
      'feedback is of stochastic neurons; leave it out, or give a '
      'NetworkConfig of them.'
    )
  samples.check_params(model, feedback)
  network = _stochastic(model, axis_name, feedback)
  # A play sends errors by the weights.
  kind = 'ssnn with feedback weights'
  return network._replace(kind=kind, has_spikes=False)


@functools.lru_cache(maxsize=64)  # programs are cached by their functions
def _build_once(build, model, *args):
  return build(model, *args)


def _bipolar(config, axis_name):
  """Builds a network of the bipolar neurons of the chip, settled."""
  options = config.num_steps, 1.0, 0.0, config.digits

  def forward(params, key, batch):
    rates, n = batch.inputs.rates, config.num_winners
    if batch.inputs.train is None:
      rates = spiking.encode_rates(
        key, rates, config.steps_of_inputs, positions=batch.position
      )
    potential = crossbars.read_layers(
      config,
      crossbars.quantize(config, params),
      rates,
      lambda potential: spiking.fire(potential, *options),
    )
    winners = spiking.find_winners(key, potential, n, batch.position)
    loss = None
    if batch.label is not None:
      loss = spiking.cross_entropy(
        key, potential, batch.label, n, winners=winners
      )
    return loss, types.Inference(winners, potential)

  return from_forward(
    config, forward, axis_name, kind='ssnn', readout='potential'
  )


def _stochastic(config, axis_name, feedback=None):
  """Builds a network of stochastic neurons."""
  loss_of_batch = stochastic.make_loss(config, feedback, axis_name)

  def forward(params, key, batch):
    if batch.label is None:
      without = dataclasses.replace(config, dropout=0.0)
      signals = stochastic.present(without, params, key, batch)
      return None, stochastic.read_out(without, signals)
    num_classes = config.layer_sizes[-1]
    checks.check_labels(batch.label, batch.position.shape, num_classes)
    return loss_of_batch(params, key, batch)

  def count_pulses(params, key, inputs, labels, pulse_gradient=None):
    batch = samples.prepare(config, params, key, inputs, labels, axis_name)
    signals = stochastic.present(config, params, key, batch, feedback)
    counted = stochastic.count_pulses(
      config,
      key,
      batch.position,
      signals.forward,
      signals.errors,
      pulse_gradient,
      axis_name,
    )
    return counted, stochastic.read_out(config, signals)

  network = from_forward(
    config,
    forward,
    axis_name,
    kind='ssnn',
    averages=False,
    has_spikes=not config.exact,
  )
  return network._replace(count_pulses=count_pulses)


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
  checks.check_type('model', model, Function | NetworkConfig, _EXAMPLE)
  if isinstance(model, Function):
    return _build_once(_function, model, axis_name, False)
  return _build_once(_ann, model, axis_name, activation)


def _ann(config, axis_name, activation):
  """Builds the ANN of a configuration."""
  exact = config.num_steps, 1.0, 0.0, 2, ('backward', 'forward')
  respond = activation or (lambda potential: spiking.fire(potential, *exact))

  def forward(params, key, batch):
    masks = None
    if batch.label is not None:
      masks = crossbars.draw_dropout(config, key, batch.position)
    potential = crossbars.read_layers(
      config, params, batch.inputs.rates, respond, masks
    )
    winner_counts = config.winners_of_sample * jax.nn.softmax(potential)
    inference = types.Inference(winner_counts, potential)
    return mean_loss(potential, batch, 'last', axis_name), inference

  kind = 'ann' if activation is None else f'ann of {activation.__name__}'
  return from_forward(
    config, forward, axis_name, kind=kind, readout='potential'
  )


def _function(model, axis_name, is_spiking):
  """Builds the network of a function, by spikes or as it is."""
  apply, train = model.apply, model.train
  if is_spiking:
    codes = 'num_steps', 'digits', 'error_digits', 'output_digits', 'bptt'
    chosen = {name: getattr(model, name) for name in codes}
    make = functools.partial(spiking.spike, **chosen)
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
      batch = samples.Batch(jnp.arange(len(signals)), None, labels)
      loss = mean_loss(outputs, batch, model.answers, axis_name)
    return loss, types.Inference(jax.nn.softmax(outputs), outputs)

  kind, init = 'ssnn' if is_spiking else 'ann', jax.jit(model.init)
  return types.Network(
    init, infer, loss, readout='potential', kind=kind, config=model
  )


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
    init=jax.jit(functools.partial(crossbars.init, config)),
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
