"""Tests of gradients: those of exact rates, and the mean of those of spikes."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import trains
from tests.testing import networks
from tests.testing import oracle
from tests.testing import statistics

ONE, THREE = (20, 15, 4), (20, 13, 12, 11, 4)
EXACT = 'forward', 'backward', 'update'


class IdentityTest(parameterized.TestCase):
  """Networks of exact rates learn by backpropagation; `layers_test`, too."""

  def assert_learns_by_bp(self, config, events=False):
    params, key = networks.make_params(config), jax.random.key(2)
    inputs, labels = networks.batch(12, config.layer_sizes)
    if events:
      train = np.random.default_rng(0).random((12, 40, ONE[0])) < 0.3
      inputs = trains.pack(train)

    @jax.jit
    def learn(*batch):
      gradients = [
        jax.grad(build(config).loss, has_aux=True)(*batch)[0]
        for build in (ssnn_jax.ssnn, ssnn_jax.ann)
      ]
      return oracle.bp_gradient(config, *batch), gradients

    expected, gradients = learn(params, key, inputs, labels)
    for layer in expected:
      self.assertTrue(np.any(layer.weights))
    for gradient in gradients:
      networks.assert_close(gradient, expected)

  def test_ssnn_and_ann_equal_bp(self):
    config = ssnn_jax.NetworkConfig(
      THREE, exact=EXACT, dropout=0.3, input_gain=1.5
    )
    self.assert_learns_by_bp(config)

  def test_events_are_learned_at_their_mean_rates(self):
    config = ssnn_jax.NetworkConfig(ONE, 40, exact=EXACT, input_gain=3.0)
    self.assert_learns_by_bp(config, events=True)


IMAGE, LABEL = np.float32([0.3, 0.8, 0.5]), 1
TINY, DEEP = {'layer_sizes': (2, 2, 2)}, {'layer_sizes': (1, 2, 1, 2)}


def make_params(config, contrast=0.3):
  """Draws weights with which most gates are open and some are shut at times.

  Classes differ by `contrast`, so that hidden errors are not 0.
  """
  rng = np.random.default_rng(0)
  params = [
    ssnn_jax.LayerParams(
      weights=np.float32(rng.uniform(0.6, 1.0, shape) / np.sqrt(shape[0])),
      biases=np.float32(rng.uniform(0.0, 0.3, shape[1])),
    )
    for shape in (wiring.weights_shape for wiring in config.wirings)
  ]
  signs = contrast * np.float32([[1.0, -1.0]])
  params[-1] = params[-1]._replace(weights=params[-1].weights * signs)
  return tuple(params)


class UnbiasedTest(parameterized.TestCase):
  """The mean of drawn updates is the exact one.

  Of a convolution too, as it has the spikes of a dense layer (`layers_test`).
  """

  def assert_unbiased(self, network, params, exact, size):
    """Asserts that means agree, with enough samples to detect a bias."""
    num_groups, group_size = size
    config = network.config
    images = np.tile(IMAGE[: config.layer_sizes[0]], (group_size, 1))
    labels = np.full(group_size, LABEL)

    def learn(group):
      key = jax.random.fold_in(jax.random.key(0), group)
      learn = jax.grad(network.loss, has_aux=True)
      return jax.tree.leaves(learn(params, key, images, labels)[0])

    learn_all = jax.jit(lambda groups: jax.lax.map(learn, groups))
    samples = jax.device_get(learn_all(jnp.arange(num_groups)))
    for found, expected in zip(samples, exact):
      statistics.assert_mean_within(found, expected)
    errors = [x.std(axis=0, ddof=1) / np.sqrt(num_groups) for x in samples]
    visible = statistics.NUM_SIGMAS * np.linalg.norm(statistics.flat(errors))
    self.assertLess(visible, 0.01 * np.linalg.norm(statistics.flat(exact)))

  @parameterized.parameters(
    (TINY, 2.0),  # error streams saturate
    # Sobol thresholds depend on each other between ticks, not within a tick.
    (TINY | {'sampler': 'sobol', 'num_steps': 1}, 0.3),
    (DEEP, 1.2),
  )
  def test_mean_update_matches_enumeration(self, options, contrast):
    options = {'num_steps': 2, 'sampler': 'bernoulli'} | options
    config = ssnn_jax.NetworkConfig(**options)
    params = make_params(config, contrast)
    # Of an output error of 1.
    largest = np.abs(np.diff(params[-1].weights)).max()
    self.assertEqual(largest > 1.0, contrast > 1.0)
    image = IMAGE[: config.layer_sizes[0]]
    counts = oracle.expected_counts(config, params, image, LABEL)
    exact = [count / config.num_steps for count in jax.tree.leaves(counts)]
    self.assert_unbiased(ssnn_jax.ssnn(config), params, exact, (128, 4096))

  def test_mean_of_pulses_in_the_update_only_is_the_gradient(self):
    exact = {'exact': ('forward', 'backward', 'winners')}
    config = ssnn_jax.NetworkConfig(
      **TINY, **exact, num_steps=32, input_gain=0.5
    )
    params, image = make_params(config), IMAGE[None, :2]
    exact = jax.jit(functools.partial(oracle.bp_gradient, config))(
      params, jax.random.key(0), image, jnp.array([LABEL])
    )
    # No hidden error saturates.
    self.assertLess(np.max(np.abs(exact[0].biases)), 1.0)
    network = ssnn_jax.ssnn(config)
    self.assert_unbiased(network, params, jax.tree.leaves(exact), (64, 256))
