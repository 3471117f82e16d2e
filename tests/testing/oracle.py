"""Exact updates of small networks: by enumeration and by backpropagation.

`expected_counts` uses none of the library's code except the firing functions.
"""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.baselines import ann
from ssnn_jax.neuron import firing
from ssnn_jax.simulation import inputs


def bp_gradient(config, params, key, images, labels):
  """Computes the gradient of the ANN's mean loss over a batch.

  The loss is cross-entropy, or the perceptron loss for `argmax` errors.
  """
  masks = inputs.draw_dropout_masks(config, key, jnp.arange(len(labels)))
  activate = ann.activation(firing.find(config.firing_function))
  scale = 1.0 / (1.0 - config.dropout)

  def loss(params):
    hidden = images * config.input_gain
    for mask, (weights, biases) in zip(masks, params):
      potential = jnp.matmul(hidden, weights) + biases[None]
      hidden = scale * mask * activate(potential)
    logits = jnp.matmul(hidden, params[-1].weights) + params[-1].biases[None]
    chosen = logits[jnp.arange(len(labels)), labels]
    if config.output_errors == 'argmax':
      return jnp.mean(jnp.max(logits, axis=1) - chosen)
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

  return jax.grad(loss)(params)


class _Paths(NamedTuple):
  """Possible courses P of a presentation, with their probabilities."""

  probability: np.ndarray  # [P]
  potentials: list[np.ndarray]  # [P, J] membranes of each layer
  reads: list[np.ndarray]  # [P, J] membranes as read after this window
  past_reads: list[
    np.ndarray
  ]  # [P, J] membranes as read after the previous window
  trains: list[np.ndarray]  # [P, n, I] spikes that enter each layer of weights


def expected_counts(config, params, image, label):
  """Computes the exact mean of the counts of `learn` for one sample.

  All spike patterns of all layers and windows are enumerated, in double
  precision. The number of patterns is 2 to the number of neurons times ticks,
  so only tiny networks are feasible.

  Args:
    config: the network, without dropout and without uses of rates.
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
    paths = _enumerate_forward(config, params, paths, image, (start, end))
    if config.delay and not start:
      continue
    counts = _enumerate_backward(config, params, paths, label)
    totals = jax.tree.map(np.add, totals, counts)
  return totals


def _enumerate_forward(config, params, paths, image, span):
  """Branches on the forward spikes of one window."""
  fire = firing.find(config.firing_function).probability
  rates = np.tile(np.float64(image), (len(paths.probability), 1))
  paths = paths._replace(reads=[], past_reads=paths.reads, trains=[])
  for layer, (weights, biases) in enumerate(params):
    parent, probability, train = enumerate_patterns(rates, span[1] - span[0])
    paths = _branch(paths, parent, probability)
    paths.trains.append(train)
    drive = config.read_gains[layer] * train.mean(axis=1) @ weights + biases
    paths.potentials[layer], read = integrate(
      config, paths.potentials[layer], drive, span
    )
    paths.reads.append(read)
    rates = np.asarray(fire(read))
  return paths


def integrate(config, potential, drive, span):
  """Integrates the drive of one window on a membrane.

  Args:
    config: the network.
    potential: membrane before the window.
    drive: mean synaptic current over the window.
    span: ticks before the window, and ticks up to its end.

  Returns:
    The membrane after the window, and the potential that is read.
  """
  start, end = span
  if config.integration == 'memoryless':
    return drive, drive
  if config.integration == 'mean':
    potential = (start * potential + (end - start) * drive) / end
    return potential, potential
  decay = np.exp(-(end - start) / config.tau)
  potential = decay * potential + (1 - decay) * drive
  return potential, potential / (1 - np.exp(-end / config.tau))


def _enumerate_backward(config, params, paths, label):
  """Branches on the error spikes of one window; returns its mean counts."""
  derivative = firing.find(config.firing_function).derivative
  paths, error = _enumerate_output(config, paths, label)
  counts = [_mean_counts(paths, -1, error)]
  for layer in reversed(range(len(params) - 1)):
    error = error.mean(axis=1) / config.gains[layer + 1]
    error = config.read_gains[layer + 1] * error @ params[layer + 1].weights.T
    gates = np.asarray(derivative(_error_reads(config, paths)[layer]))
    paths, error = _enumerate_errors(paths, config.gains[layer] * gates * error)
    counts.insert(0, _mean_counts(paths, layer, error))
  return tuple(counts)


def _error_reads(config, paths):
  """Returns the potentials from which the errors of a window are computed."""
  return paths.past_reads if config.delay else paths.reads


def _enumerate_output(config, paths, label):
  """Branches on the winners, or on the error spikes, of the output layer."""
  potential = _error_reads(config, paths)[-1]
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
  """Branches on the spikes of signed errors with rates `[P, J]`."""
  parent, probability, train = enumerate_patterns(
    np.minimum(np.abs(rates), 1.0), paths.trains[0].shape[1]
  )
  error = np.sign(rates)[parent][:, None] * train
  return _branch(paths, parent, probability), error


def enumerate_patterns(rates, num_steps):
  """Enumerates the possible spikes of neurons with rates `[P, N]` in a window.

  Returns for each pattern the index of its path, its probability given this
  path, and its spikes `[n, N]`; patterns of probability 0 are omitted.
  """
  size = num_steps * rates.shape[1]
  bits = np.arange(2**size)[:, None] >> np.arange(size) & 1
  patterns = bits.reshape(-1, num_steps, rates.shape[1])
  one = np.where(patterns, rates[:, None, None], 1 - rates[:, None, None])
  probability = one.prod(axis=(2, 3))
  parent, which = np.nonzero(probability)
  return parent, probability[parent, which], patterns[which]


def _branch(paths, parent, probability):
  """Continues the path `parent` of each branch with a probability."""
  return _Paths(
    probability=paths.probability[parent] * probability,
    potentials=[potential[parent] for potential in paths.potentials],
    reads=[read[parent] for read in paths.reads],
    past_reads=[read[parent] for read in paths.past_reads],
    trains=[train[parent] for train in paths.trains],
  )


def _mean_counts(paths, layer, error):
  """Averages the coincidences of one layer in one window over all paths."""
  weighted = paths.probability[:, None, None] * error
  return types.LayerParams(
    weights=np.einsum('pti,ptj->ij', paths.trains[layer], weighted),
    biases=weighted.sum(axis=(0, 1)),
  )
