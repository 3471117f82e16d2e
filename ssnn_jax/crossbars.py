"""Configurations as models: crossbars between layers of neurons."""

import functools

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.model import Model
from ssnn_jax.model import Neuron
from ssnn_jax.model import draw_masks


def as_model(
  config: Model | NetworkConfig, feedback: types.Params | None = None
) -> Model:
  """Makes the model of a configuration, of bipolar neurons; or returns a model.

  Args:
    config: the network.
    feedback: of a configuration, weights of the transposed reads; None uses the
      parameters.
  """
  if isinstance(config, Model):
    if feedback is not None:
      raise types.UserError(
        'feedback is given, but a Model sends errors by its own weights; leave '
        'it out, or use a NetworkConfig.'
      )
    return config
  expected = 'a Model or NetworkConfig, as network.config'
  checks.check_type('model', config, NetworkConfig, expected)
  if feedback is None:
    return _make_once(config)
  return _make_model(config, quantize(config, feedback))


def _make_model(config, feedback):
  """Makes the model of a configuration."""

  def apply(params, rates, neuron):
    return read_layers(config, params, rates, neuron, feedback)

  return Model(
    init=lambda key: init(config, key),
    apply=apply,
    input_shape=config.layer_sizes[:1],
    num_steps=config.num_steps,
    ceiling=config.ceiling,
    digits=config.digits,
    input_steps=config.steps_of_inputs,
    num_winners=config.winners_of_sample,
    sampler=config.input_sampler,
    exact=tuple(name for name in config.exact if name != 'update'),
    grid=lambda params: quantize(config, params),
  )


@functools.lru_cache(maxsize=64)  # programs are cached by their models
def _make_once(config):
  return _make_model(config, None)


def read_layers(
  config: NetworkConfig,
  params: types.Params,
  rates: jax.Array,
  neuron: Neuron,
  feedback: types.Params | None = None,
) -> jax.Array:
  """Reads all crossbars; returns the `[B, C]` potential of the output layer.

  Args:
    config: the network.
    params: its parameters.
    rates: `[B, I]` rates of the inputs.
    neuron: the neurons of the hidden layers.
    feedback: weights that send the errors back; None uses the parameters.
  """
  gain, below = config.input_gain, None
  for layer, wiring in enumerate(config.wirings):
    read = wiring.read
    if feedback and layer:
      read = functools.partial(_read_with, feedback[layer], wiring)
    potential = read(params[layer], gain, rates)
    if wiring.is_residual:
      potential = potential + below
    if layer < len(params) - 1:
      below = gain * rates
      rates, gain = neuron.drop(neuron(potential), config.dropout)
  return potential


def _read_with(feedback, wiring, params, gain, rates):
  """Reads a crossbar whose errors pass other weights."""
  fixed = jax.lax.stop_gradient
  back = types.LayerParams(
    fixed(feedback.weights), jnp.zeros_like(feedback.biases)
  )
  sent_back = wiring.read(back, gain, rates)
  currents = wiring.read(params, gain, fixed(rates))
  return currents + (sent_back - fixed(sent_back))


def draw_dropout(
  config: NetworkConfig, key: jax.Array, positions: jax.Array
) -> list[jax.Array]:
  """Draws `model.draw_masks` of all hidden layers, `[B, J]`."""
  shapes = [(len(positions), size) for size in config.layer_sizes[1:-1]]
  if not config.dropout:
    return list(map(jnp.ones, shapes))
  return [
    draw_masks(key, positions, number, shape, config.dropout)
    for number, shape in enumerate(shapes)
  ]


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
