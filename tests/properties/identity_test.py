"""Tests that with rates in the place of spikes the rule is backpropagation."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.baselines import ann
from ssnn_jax.simulation import inputs as input_lib

RATES = {'forward': 'rates', 'backward': 'rates', 'update': 'rates'}
SIZES = {'one': (20, 15, 4), 'three': (20, 14, 12, 10, 4)}


def batch(num_inputs, num_classes, size=12):
  """Returns rates `[B, I]` and labels `[B]`."""
  images = jax.random.uniform(jax.random.key(1), (size, num_inputs))
  return images, jnp.arange(size) % num_classes


def bp_gradient(config, params, key, images, labels):
  """Differentiates the mean cross-entropy, written out here once more."""
  kept = input_lib.draw_dropout_masks(config, key, jnp.arange(len(labels)))
  activation = ann.activation(
    ssnn_jax.neuron.firing.find(config.firing_function)
  )
  scale = 1.0 / (1.0 - config.dropout)

  def loss(params):
    hidden = images * config.input_gain
    for mask, (weights, biases) in zip(kept, params):
      potential = jnp.matmul(hidden, weights) + biases[None]
      hidden = scale * mask * activation(potential)
    logits = jnp.matmul(hidden, params[-1].weights) + params[-1].biases[None]
    chosen = logits[jnp.arange(len(labels)), labels]
    if config.output_errors == 'argmax':
      return jnp.mean(jnp.max(logits, axis=1) - chosen)
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

  return jax.grad(loss)(params)


class IdentityTest(parameterized.TestCase):
  def assert_is_bp(self, sizes, **options):
    config = ssnn_jax.NetworkConfig(sizes, **RATES, **options)
    spiking = ssnn_jax.ssnn(config)
    params = spiking.init(jax.random.key(0))
    key = jax.random.key(2)
    images, labels = batch(sizes[0], sizes[-1])
    exact = jax.jit(functools.partial(bp_gradient, config))(
      params, key, images, labels
    )
    learned = [spiking.learn]
    if config.output_errors == 'winner':
      learned.append(ssnn_jax.ann(config).learn)
    for learn in learned:
      update, _ = jax.jit(learn)(params, key, images, labels)
      gradient = ssnn_jax.as_gradient(update)
      for ours, theirs in zip(
        jax.tree.leaves(gradient), jax.tree.leaves(exact)
      ):
        # Rounding errors are relative to the largest terms of a sum, and add
        # up over the windows of a long presentation.
        bound = 1e-5 * float(jnp.max(jnp.abs(theirs)))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)

  @parameterized.parameters(
    # Any two of depth, gain and dropout meet.
    ('one', 0.5, 0.0),
    ('one', 1.0, 0.3),
    ('one', 2.0, 0.0),
    ('three', 0.5, 0.3),
    ('three', 1.0, 0.0),
    ('three', 2.0, 0.3),
  )
  def test_rates_are_backpropagation(self, depth, gain, dropout):
    self.assert_is_bp(SIZES[depth], gain=gain, dropout=dropout)

  @parameterized.parameters(
    ('mean', 1),
    ('mean', 33),
    ('leaky', 1),
    ('leaky', 7),
    ('memoryless', 7),
    ('memoryless', 33),
  )
  def test_whatever_the_window_and_membrane(self, integration, window):
    self.assert_is_bp(
      SIZES['one'], integration=integration, window=window, num_steps=33
    )

  def test_a_firing_function_of_ones_own_serves_both(self):
    sigmoid = ssnn_jax.neuron.firing.FiringFunction(
      probability=jax.nn.sigmoid,
      gate=lambda v: jax.nn.sigmoid(v) * jax.nn.sigmoid(-v),
    )
    self.assert_is_bp(SIZES['three'], firing_function=sigmoid, dropout=0.2)

  def test_hard_argmax_is_the_perceptron_loss(self):
    self.assert_is_bp(SIZES['three'], output_errors='argmax')

  def test_hard_sigmoid_with_input_gain_and_a_gain_for_each_layer(self):
    self.assert_is_bp(
      SIZES['three'],
      firing_function='hard_sigmoid',
      input_gain=1.5,
      gain=(0.7, 1.0, 3.0),
      dropout=0.2,
    )


if __name__ == '__main__':
  absltest.main()
