"""Exact updates of small networks in real time, by enumeration.

`expected_counts` uses none of the library's code except the firing functions.
"""

import itertools
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax.neuron import firing
from tests.testing import oracle


class _Paths(NamedTuple):
  """Possible states P of the neurons before a window, and their emission."""

  probability: np.ndarray  # [P]
  membranes: list[np.ndarray]  # [P, J] of each layer
  reads: list[np.ndarray]  # [P, J] potential of each layer
  currents: list[np.ndarray]  # [P, J] error current of each hidden layer
  trains: list[np.ndarray]  # [P, I] spikes that enter each layer, per tick
  errors: list[np.ndarray]  # [P, J] signed error spikes per tick, from layer 1


def expected_counts(config, params, image, label):
  """Computes the exact mean of the counts of `learn` for one sample.

  All courses of the spikes that change a state are enumerated. Given the state,
  the spikes at both ends of a synapse are independent, so that the mean of a
  count is the product of their rates.

  Args:
    config: the network, in real time, without dropout and uses of rates.
    params: its parameters.
    image: `[I]` rates in [0, 1].
    label: the target class.

  Returns:
    Expected signed coincidences over the presentation.
  """
  params = jax.tree.map(np.float64, params)
  zeros = [np.zeros((1, layer.biases.size)) for layer in params]
  paths = _Paths(np.ones(1), zeros, zeros, zeros[:-1], [], [])
  totals = jax.tree.map(np.zeros_like, params)
  for start in range(0, config.num_steps, config.schedule.window):
    length = min(config.schedule.window, config.num_steps - start)
    window = start // config.schedule.window
    rates = _forward_rates(paths, config, image, window)
    errors = _error_rates(paths, config, label, window)
    for layer, total in enumerate(totals):
      weighted = length * paths.probability[:, None] * errors[layer]
      total.weights[:] += rates[layer].T @ weighted
      total.biases[:] += weighted.sum(axis=0)
    if start + length < config.num_steps:
      paths = _emit(paths, config, rates, errors, label, (window, length))
      paths = _absorb(paths, config, params, window, length)
  return totals


def _forward_rates(paths, config, image, window):
  """Returns the firing rates `[P, I]` of the inputs of each layer."""
  fire = firing.find(config.firing_function).probability
  rates = [np.tile(np.float64(image), (len(paths.probability), 1))]
  for layer, read in enumerate(paths.reads[:-1], start=1):
    rates.append(np.asarray(fire(read)) * (window >= layer))
  return rates


def _error_rates(paths, config, label, window):
  """Returns the signed rates `[P, J]` of the error spikes of each layer."""
  derivative = firing.find(config.firing_function).derivative
  target = np.eye(config.layer_sizes[-1])[label]
  errors = [
    np.clip(gain * np.asarray(derivative(read)) * current, -1, 1)
    for gain, read, current in zip(
      config.gains, paths.reads[:-1], paths.currents
    )
  ]
  errors.append(_softmax(paths.reads[-1]) - target)
  num_layers = len(errors)
  # An error of the output starts after L windows, and passes one layer in each.
  starts = range(2 * num_layers - 1, num_layers - 1, -1)
  return [error * (window >= start) for error, start in zip(errors, starts)]


def _softmax(potentials):
  odds = np.exp(potentials)
  return odds / odds.sum(axis=1, keepdims=True)


def _emit(paths, config, rates, errors, label, window_and_length):
  """Branches on the spikes of a window that are absorbed."""
  window, length = window_and_length
  # Errors of the first layer are not read by a layer below.
  signals = [*rates, *errors[1:]]
  for index in range(len(signals)):
    is_output = index == len(signals) - 1 and len(errors) > 1
    is_winner = is_output and config.output_errors == 'winner'
    if is_winner and window >= len(errors):
      odds = _softmax(paths.reads[-1])
      parent, probability, train = _enumerate_winners(odds, label, length)
    else:
      parent, probability, train = oracle.enumerate_patterns(
        np.abs(signals[index]), length
      )
      train = train * np.sign(signals[index])[parent][:, None]
    paths = _branch(paths, parent, probability)
    signals = [signal[parent] for signal in signals]
    signals[index] = train.mean(axis=1)
  return paths._replace(
    trains=signals[: len(rates)], errors=signals[len(rates) :]
  )


def _enumerate_winners(odds, label, length):
  """Enumerates the errors of winners with odds `[P, C]`, as patterns are."""
  num_classes = odds.shape[1]
  wins = np.array(list(itertools.product(range(num_classes), repeat=length)))
  parent, which = np.indices((len(odds), len(wins))).reshape(2, -1)
  probability = odds[parent[:, None], wins[which]].prod(axis=1)
  one_hot = np.eye(num_classes)
  return parent, probability, one_hot[wins[which]] - one_hot[label]


def _branch(paths, parent, probability):
  """Continues the path `parent` of each branch with a probability."""
  branched = jax.tree.map(lambda array: array[parent], paths)
  return branched._replace(probability=branched.probability * probability)


def _absorb(paths, config, params, window, length):
  """Integrates the spikes of a window on the membranes and error currents."""
  membranes, reads, currents = [], [], []
  for layer, (weights, biases) in enumerate(params):
    membrane, read = paths.membranes[layer], paths.reads[layer]
    if window >= layer:
      drive = config.read_gains[layer] * paths.trains[layer] @ weights + biases
      before = (window - layer) * config.schedule.window
      span = before, before + length
      membrane, read = oracle.integrate(config, membrane, drive, span)
    membranes.append(membrane)
    reads.append(read)
  for layer, error in enumerate(paths.errors, start=1):
    scale = config.read_gains[layer] / config.gains[layer]
    currents.append(scale * error @ params[layer].weights.T)
  return paths._replace(
    membranes=membranes, reads=reads, currents=currents, trains=[], errors=[]
  )
