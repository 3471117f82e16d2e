"""Tests that BP-STDP follows equations 15 to 20 of its source.

Weights, spikes and errors are small multiples of powers of two, so that all
results are exact except for the last division.
"""

from absl.testing import absltest
import jax
import numpy as np

from ssnn_jax.baselines import bp_stdp
from tests.testing import integrate_and_fire as reference
from tests.testing import networks
from tests.testing import statistics

SIZES, BATCH_SIZE = (4, 6, 6, 3), 3
LABELS = np.arange(BATCH_SIZE)


def make_case(num_steps):
  """Draws parameters, in doubles, and spikes of the inputs `[B, T, I]`."""
  params, trains = reference.make_case(SIZES, num_steps, BATCH_SIZE)
  params[-1] = params[-1]._replace(biases=np.zeros(SIZES[-1]))
  return params, trains


def present(config, params, train, masks):
  """Presents one sample; returns the spikes of all layers and the drives."""

  def neuron(threshold):
    fire = lambda v: v >= threshold
    return reference.Neuron(1.0, fire, reference.reset_to_zero)

  neurons = *[neuron(0.9)] * 2, neuron(0.025 * config.layer_sizes[-2])
  response = reference.present(config, params, train, masks, neurons)
  return [*response.trains, response.fired[-1]], response.drives


def reference_change(config, params, trains, label):
  """Computes the change of the parameters by one sample, at learning rate 1.

  Signs are those of the source: positive errors `xi` ask for more spikes.
  """
  changes = [(np.zeros_like(w), np.zeros_like(b)) for w, b in params]
  for start in range(0, config.num_steps, 4):
    spikes = [train[start : start + 4] for train in trains]
    num_ticks = len(spikes[0])
    xi = []
    for neuron, train in enumerate(spikes[-1].T):  # equation 18
      if neuron == label:
        xi.append(0 if 1 in train else 1)
      else:
        xi.append(-1 if 1 in train else 0)
    for layer in reversed(range(len(params))):
      weights, gain = params[layer].weights, config.read_gains[layer]
      for i, j in np.ndindex(weights.shape):
        changes[layer][0][i, j] += gain * xi[j] * spikes[layer][:, i].sum()
      for j, error in enumerate(xi):  # a bias is an input that always fires
        changes[layer][1][j] += error * num_ticks
      xi = [
        gain * sum(w * error for w, error in zip(row, xi))
        if 1 in spikes[layer][:, neuron]
        else 0
        for neuron, row in enumerate(weights)
      ]
  return statistics.flat(changes)


class BpStdpTest(absltest.TestCase):
  def test_update_matches_the_published_rule(self):
    num_steps = 10  # the last sub-interval has two ticks
    config = networks.stochastic(SIZES, num_steps, dropout=0.5, input_gain=2.0)
    params, trains = make_case(num_steps)
    masks = reference.draw_masks(config, BATCH_SIZE)
    changes, counts = [], []
    for train, mask, label in zip(trains, masks, LABELS):
      layers, _ = present(config, params, train, mask)
      counts.append(layers[-1].sum(axis=0))
      changes.append(reference_change(config, params, layers, label))
    learn = jax.grad(bp_stdp.make_network(config).loss, has_aux=True)
    gradient, inference = jax.jit(learn)(
      *reference.as_arguments(params, trains), LABELS
    )
    for layer in gradient:
      self.assertTrue(np.any(layer.weights) and np.any(layer.biases))
    np.testing.assert_allclose(
      statistics.flat(gradient),
      -np.mean(changes, axis=0) / num_steps,
      rtol=1e-6,
    )
    np.testing.assert_array_equal(inference.winner_counts, counts)

  def test_inference_and_activity_match_reference(self):
    config = networks.stochastic(SIZES, num_steps=16, dropout=0.5)
    no_dropout = networks.stochastic(SIZES, num_steps=16)
    params, trains = make_case(config.num_steps)
    masks = reference.draw_masks(no_dropout, BATCH_SIZE)
    responses = [
      present(no_dropout, params, *sample) for sample in zip(trains, masks)
    ]
    layers, drives = zip(*responses)
    *below, outputs = map(np.stack, zip(*layers))
    arguments = reference.as_arguments(params, trains)
    inference = jax.jit(bp_stdp.make_network(config).infer)(*arguments)
    np.testing.assert_array_equal(inference.winner_counts, outputs.sum(axis=1))
    np.testing.assert_array_equal(inference.potential, np.mean(drives, axis=1))
    observe = jax.jit(bp_stdp.make_observe(config))
    reference.assert_observes(observe(*arguments, LABELS), below)
