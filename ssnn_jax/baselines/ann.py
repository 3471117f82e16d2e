"""Baselines: the ANN trained by backpropagation.

The ANN has the weights of the spiking network, and its activations are the
firing probabilities of the composite neurons: it is the limit of the spiking
network for long spike trains, with the 'mean' membrane and an ideal periphery.
Its gradient is computed by automatic differentiation
(`update_rules.backpropagation`).
"""

from collections.abc import Callable

import jax

from ssnn_jax import types
from ssnn_jax.baselines import update_rules
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.simulation import inputs as input_lib


def ann(
  config: NetworkConfig, *, axis_name: str | None = None
) -> types.Network:
  """Builds the ANN of a configuration, trained by backpropagation.

  For the same keys, initial weights and dropout masks equal those of the
  spiking network. `winner_counts` are expected values, T times softmax.

  Args:
    config: the architecture, with `firing_function`, `input_gain`, `dropout`
      and the `sampler` of the dropout masks, and `num_steps` for the expected
      winner counts and for input trains; other fields have no effect.
    axis_name: axis of a mesh whose devices share each batch; None without one.

  Returns:
    The network's pure functions; the update of `learn` is the gradient.

  Example:
    >>> rates = dict(forward='rates', backward='rates', update='rates')
    >>> config = ssnn_jax.NetworkConfig((4, 8, 3), **rates)
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> networks = ssnn_jax.ssnn(config), ssnn_jax.ann(config)
    >>> def gradient(network):  # of the second layer of weights
    ...   params, key = network.init(jax.random.key(0)), jax.random.key(1)
    ...   update, _ = jax.jit(network.learn)(params, key, images, labels)
    ...   return ssnn_jax.as_gradient(update)[1].weights
    >>> bool(jnp.allclose(*map(gradient, networks), atol=1e-6))
    True
  """
  return update_rules.make_network(
    config,
    _infer,
    update_rules.backpropagation(_infer),
    axis_name=axis_name,
  )


def _infer(
  config: NetworkConfig, params: types.Params, batch: input_lib.Sample
) -> types.Inference:
  """Computes the response of the output layer to a batch."""
  potential = logits(config, params, batch.inputs.rates, batch.dropout_masks)
  return read_out(config, potential)


def logits(
  config: NetworkConfig,
  params: types.Params,
  rates: jax.Array,
  dropout_masks: tuple[jax.Array, ...],
) -> jax.Array:
  """Computes the potentials of the output layer.

  Args:
    config: the architecture.
    params: weights and biases.
    rates: `[B, I]` inputs in [0, 1].
    dropout_masks: `[B, J]` for each hidden layer: 0 where a unit is dropped,
      otherwise 1.

  Returns:
    `[B, C]` potentials.
  """
  activate = activation(firing.find(config.firing_function))
  drive = jax.vmap(composite.drive, in_axes=(None, None, 0))
  for layer, mask in enumerate(dropout_masks):
    potentials = drive(params[layer], config.read_gains[layer], rates)
    rates = mask * activate(potentials)
  return drive(params[-1], config.read_gains[-1], rates)


def activation(
  function: firing.FiringFunction,
) -> Callable[[jax.Array], jax.Array]:
  """Returns the firing probability with the gate as its derivative.

  The derivative of `jnp.clip` alone is 0.5 at exactly 0 and 1, where the gate
  is 0.

  Args:
    function: the firing function.

  Returns:
    `(potential) -> probability`, for automatic differentiation.
  """

  @jax.custom_jvp
  def activate(potential):
    return function.probability(potential)

  @activate.defjvp
  def activate_jvp(primals, tangents):
    (potential,), (tangent,) = primals, tangents
    return activate(potential), function.derivative(potential) * tangent

  return activate


def read_out(config: NetworkConfig, potential: jax.Array) -> types.Inference:
  """Builds the `Inference` for potentials, with expected winner counts.

  Args:
    config: the network, with T.
    potential: `[B, C]` potentials of the output layer.

  Returns:
    The potentials, and the ticks that each class is expected to win.
  """
  expected = config.num_steps * jax.nn.softmax(potential)
  return types.Inference(winner_counts=expected, potential=potential)
