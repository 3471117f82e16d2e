"""What the spiking network is held against.

`ann` is the network of the same weights trained by backpropagation; autodiff
appears here and nowhere else. `expected_counts` is the exact oracle of a tiny
spiking network.
"""

import dataclasses
import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.simulation import inputs as input_lib


def activation(function: firing.FiringFunction):
  """Makes a firing function an activation whose derivative is its gate.

  `jnp.clip` alone has slope 0.5 at exactly 0 and 1, where the gate is shut.
  """

  @jax.custom_jvp
  def apply(potential):
    return function.probability(potential)

  @apply.defjvp
  def jvp(primals, tangents):
    (potential,), (tangent,) = primals, tangents
    return apply(potential), function.derivative(potential) * tangent

  return apply


def logits(
  config: NetworkConfig,
  params: types.Params,
  rates: jax.Array,
  kept: tuple[jax.Array, ...],
) -> jax.Array:
  """Reads weights as an ANN: the spiking network's limit of long trains.

  Args:
    config: the architecture.
    params: weights and biases.
    rates: `[B, I]` inputs in [0, 1].
    kept: for each hidden layer `[B, J]`, 1 where a unit takes part and 0 where
      it is dropped.

  Returns:
    `[B, C]` potentials of the output layer.
  """
  fire = activation(firing.find(config.firing_function))
  drive = jax.vmap(composite.drive, in_axes=(None, None, 0))
  for layer, layer_params in enumerate(params):
    potentials = drive(layer_params, config.read_gains[layer], rates)
    if layer < len(kept):
      rates = kept[layer] * fire(potentials)
  return potentials


def ann(
  config: NetworkConfig, *, axis_name: str | None = None
) -> types.Network:
  """Builds the ANN of a configuration, trained by backpropagation.

  It shares the spiking network's initial weights, its dropout masks for the
  same key, and its output: `winner_counts` are the expected ones.

  Args:
    config: the architecture; what concerns spikes is not used.
    axis_name: axis of a mesh whose devices share each batch, as for `ssnn`.

  Returns:
    The network's pure functions; the counts of `learn` are the gradient.

  Example:
    >>> rates = dict(forward='rates', backward='rates', update='rates')
    >>> config = ssnn_jax.NetworkConfig((4, 8, 3), **rates)
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> networks = ssnn_jax.ssnn(config), ssnn_jax.ann(config)
    >>> def gradient(network):  # at the second layer of weights
    ...   params, key = network.init(jax.random.key(0)), jax.random.key(1)
    ...   update, _ = jax.jit(network.learn)(params, key, images, labels)
    ...   return ssnn_jax.as_gradient(update)[1].weights
    >>> bool(jnp.allclose(*map(gradient, networks), atol=1e-6))
    True
  """
  return types.Network(
    init=functools.partial(network.init, config),
    infer=functools.partial(_infer, config, axis_name),
    learn=functools.partial(_learn, config, axis_name),
  )


def _infer(config, axis_name, params, key, inputs):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  batch = input_lib.prepare(config, params, key, inputs, axis_name=axis_name)
  potential = logits(config, params, batch.inputs.rates, batch.dropout_masks)
  return read_out(config, potential)


def _learn(
  config, axis_name, params, key, inputs, labels, *, pulse_gradient=None
):
  """Implements `Network.learn`."""
  del pulse_gradient  # no spike that could be dropped
  batch = input_lib.prepare(config, params, key, inputs, labels, axis_name)
  rates, kept = batch.inputs.rates, batch.dropout_masks

  def loss(params):
    potential = logits(config, params, rates, kept)
    losses = optax.softmax_cross_entropy_with_integer_labels(potential, labels)
    return jnp.mean(losses), potential

  gradient, potential = jax.grad(loss, has_aux=True)(params)
  if axis_name:
    gradient = jax.lax.pmean(gradient, axis_name)
  return types.exact_update(gradient), read_out(config, potential)


def read_out(config: NetworkConfig, potential: jax.Array) -> types.Inference:
  """Reads potentials `[B, C]` out, with the ticks that classes should win."""
  expected = config.num_steps * jax.nn.softmax(potential)
  return types.Inference(winner_counts=expected, potential=potential)


class _Paths(NamedTuple):
  """Ways in which a presentation can go, each with its probability."""

  probability: np.ndarray  # [P]
  potentials: list[np.ndarray]  # [P, J] membrane of each layer
  reads: list[np.ndarray]  # [P, J] what was last read of each membrane
  past_reads: list[np.ndarray]  # [P, J] what was read in the window before
  trains: list[np.ndarray]  # [P, n, I] spikes of a window that enter each layer


def expected_counts(
  config: NetworkConfig, params: types.Params, image: np.ndarray, label: int
) -> types.Params:
  """Expects the counts of `learn`, exactly, for one sample of a tiny network.

  It enumerates every pattern of spikes that a window can hold, layer after
  layer and window after window, in double precision and without a line of the
  spiking network's code. The number of patterns is 2 to the number of spikes
  that can be; more than a few dozen neurons times ticks are out of reach.

  Args:
    config: the network, without dropout and with spikes throughout.
    params: its parameters.
    image: `[I]` rates in [0, 1].
    label: the target class.

  Returns:
    Expected signed coincidences over the presentation.
  """
  params = jax.tree.map(np.float64, params)
  potentials = [np.zeros((1, layer.biases.size)) for layer in params]
  paths = _Paths(np.ones(1), potentials, reads=[], past_reads=[], trains=[])
  totals = jax.tree.map(np.zeros_like, params)
  for start in range(0, config.num_steps, config.schedule.window):
    end = min(start + config.schedule.window, config.num_steps)
    paths = _enumerate_forward(config, params, paths, image, start, end)
    if config.delay and not start:
      continue
    counts = _enumerate_backward(config, params, paths, label)
    totals = jax.tree.map(np.add, totals, counts)
  return totals


def _enumerate_forward(config, params, paths, image, start, end):
  """Branches on the forward spikes of one window."""
  fire = firing.find(config.firing_function).probability
  rates = np.tile(np.float64(image), (len(paths.probability), 1))
  paths = paths._replace(reads=[], past_reads=paths.reads, trains=[])
  for layer, (weights, biases) in enumerate(params):
    parent, probability, train = _patterns(rates, end - start)
    paths = _branch(paths, parent, probability)
    paths.trains.append(train)
    drive = config.read_gains[layer] * train.mean(axis=1) @ weights + biases
    potential, read = _membrane(
      config, paths.potentials[layer], drive, start, end
    )
    paths.potentials[layer] = potential
    paths.reads.append(read)
    rates = np.asarray(fire(read))
  return paths


def _membrane(config, potential, drive, start, end):
  """Integrates the drive of a window; returns the membrane and its read."""
  if config.integration == 'memoryless':
    return drive, drive
  if config.integration == 'mean':
    potential = (start * potential + (end - start) * drive) / end
    return potential, potential
  decay = np.exp(-(end - start) / config.tau)
  potential = decay * potential + (1 - decay) * drive
  return potential, potential / (1 - np.exp(-end / config.tau))


def _enumerate_backward(config, params, paths, label):
  """Branches on the error spikes of one window, and counts."""
  gate = firing.find(config.firing_function).derivative
  paths, error = _enumerate_output(config, paths, label)
  counts = [_mean_counts(paths, -1, error)]
  for layer in reversed(range(len(params) - 1)):
    arriving = error.mean(axis=1) / config.gains[layer + 1]
    arriving = config.read_gains[layer + 1] * arriving @ params[layer + 1][0].T
    gates = np.asarray(gate(_causes(config, paths)[layer]))
    paths, error = _enumerate_errors(
      paths, config.gains[layer] * gates * arriving
    )
    counts.insert(0, _mean_counts(paths, layer, error))
  return tuple(counts)


def _causes(config, paths):
  """Takes the potentials that the errors of a window are made of."""
  return paths.past_reads if config.delay else paths.reads


def _enumerate_output(config, paths, label):
  """Branches on the error spikes of the output layer, or on its winners."""
  potential = _causes(config, paths)[-1]
  odds = np.exp(potential)
  odds /= odds.sum(axis=1, keepdims=True)
  num_steps, num_classes = paths.trains[0].shape[1], odds.shape[1]
  one_hot = np.eye(num_classes)
  if config.output_errors == 'argmax':
    odds = one_hot[potential.argmax(axis=1)]
  if config.output_errors != 'winner':
    return _enumerate_errors(paths, odds - one_hot[label])
  wins = np.array(list(itertools.product(range(num_classes), repeat=num_steps)))
  parent, which = np.indices((len(odds), len(wins))).reshape(2, -1)
  probability = odds[parent[:, None], wins[which]].prod(axis=1)
  error = one_hot[wins[which]] - one_hot[label]
  return _branch(paths, parent, probability), error


def _enumerate_errors(paths, rates):
  """Branches on the spikes that sample signed errors of rates `[P, J]`."""
  parent, probability, train = _patterns(
    np.minimum(np.abs(rates), 1.0), paths.trains[0].shape[1]
  )
  error = np.sign(rates)[parent][:, None] * train
  return _branch(paths, parent, probability), error


def _patterns(rates, num_steps):
  """Lists the patterns that neurons of rates `[P, N]` can fire in a window.

  Returns the path that each continues, its probability given that path, and its
  spikes `[n, N]`; impossible ones are left out.
  """
  size = num_steps * rates.shape[1]
  bits = np.arange(2**size)[:, None] >> np.arange(size) & 1
  patterns = bits.reshape(-1, num_steps, rates.shape[1])
  one = np.where(patterns, rates[:, None, None], 1 - rates[:, None, None])
  probability = one.prod(axis=(2, 3))
  parent, which = np.nonzero(probability)
  return parent, probability[parent, which], patterns[which]


def _branch(paths, parent, probability):
  """Continues the parent path of each branch, with its probability."""
  return _Paths(
    probability=paths.probability[parent] * probability,
    potentials=[potential[parent] for potential in paths.potentials],
    reads=[read[parent] for read in paths.reads],
    past_reads=[read[parent] for read in paths.past_reads],
    trains=[train[parent] for train in paths.trains],
  )


def _mean_counts(paths, layer, error):
  """Averages the coincidences of one layer over all paths of a window."""
  weighted = paths.probability[:, None, None] * error
  return types.LayerParams(
    weights=np.einsum('pti,ptj->ij', paths.trains[layer], weighted),
    biases=weighted.sum(axis=(0, 1)),
  )
