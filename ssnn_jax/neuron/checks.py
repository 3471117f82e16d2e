"""Checks of a firing function or a membrane of the user's own."""

import contextlib
import functools
from typing import Any

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.types import check_field


def check_firing_function(config: Any) -> None:
  """Evaluates a user's firing function on a grid of potentials."""
  function = config.firing_function
  is_valid = isinstance(function, firing.FiringFunction)
  expected = 'one of ' + ', '.join(firing.FIRING_FUNCTIONS)
  expected += ', or a neuron.FiringFunction'
  check_field(config, 'firing_function', is_valid, expected)
  with jax.ensure_compile_time_eval():  # also while jax traces
    potential = jnp.linspace(-8.0, 8.0, 1025)
    with _explained(config, 'firing_function', 'functions of potentials'):
      rates = jnp.asarray(function.probability(potential))
      gates = jnp.asarray(function.derivative(potential))
    is_valid = bool(jnp.all((rates >= 0.0) & (rates <= 1.0)))
    is_finite = bool(jnp.all(jnp.isfinite(gates)))
  expected = 'a probability in [0, 1] everywhere'
  check_field(config, 'firing_function', is_valid, expected)
  expected = 'a derivative that is finite everywhere'
  check_field(config, 'firing_function', is_finite, expected)
  is_valid = rates.shape == gates.shape == potential.shape
  expected = (
    'a probability and a derivative of the shape of the potential, '
    f'{potential.shape}, not {rates.shape} and {gates.shape}'
  )
  check_field(config, 'firing_function', is_valid, expected)


def check_membrane(config: Any) -> None:
  """Traces one window of a user's membrane and checks the shapes."""
  membrane, num_neurons = config.integration, 3
  is_valid = isinstance(membrane, membrane_lib.Membrane)
  expected = 'one of ' + ', '.join(membrane_lib.MEMBRANES)
  check_field(
    config, 'integration', is_valid, expected + ', or a neuron.Membrane'
  )
  drive = jax.ShapeDtypeStruct((num_neurons,), jnp.float32)
  ticks = jax.ShapeDtypeStruct((), jnp.int32)
  mask = jax.ShapeDtypeStruct((1,), jnp.uint32)
  window = spikes.Window(mask=mask, length=ticks, elapsed=ticks)
  explained = functools.partial(_explained, config, 'integration')
  with explained('init(num_neurons)'):
    state = jax.eval_shape(lambda: membrane.init(num_neurons))
  with explained('integrate(state, drive, window)'):
    after = jax.eval_shape(membrane.integrate, state, drive, window)
  with explained('read(state, window)'):
    potential = jax.eval_shape(membrane.read, state, window)
  expected = (
    'an integrate function that returns a state of the shapes and dtypes of '
    f'init, {_shapes(state)} for {num_neurons} neurons, not {_shapes(after)}'
  )
  check_field(config, 'integration', _shapes(after) == _shapes(state), expected)
  expected = (
    'a read function that returns one float32 potential for each neuron, '
    f'{_shapes(drive)}, not {_shapes(potential)}'
  )
  check_field(
    config, 'integration', _shapes(potential) == _shapes(drive), expected
  )


@contextlib.contextmanager
def _explained(config, name, functions):
  """Converts the errors of a user's functions, which are of any type."""
  try:
    yield
  except Exception as error:
    reason = str(error).partition('\n')[0].rstrip('.') or type(error).__name__
    expected = f'{functions} that jax can trace ({reason})'
    check_field(config, name, False, expected)


def _shapes(tree):
  return jax.tree.map(lambda leaf: f'{leaf.dtype}{list(leaf.shape)}', tree)
