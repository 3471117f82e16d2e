"""Tests for integrate-and-fire neurons and for the spikes of their inputs."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.baselines import integrate_and_fire
from ssnn_jax.training import raster as raster_lib
from tests.testing import networks
from tests.testing.coincidences import pack

KEY = jax.random.key(2)


def input_spikes(config, inputs):
  """Returns the spikes that enter the first layer of weights: `[B, T, I]`."""
  params = networks.make_params(config)
  neuron = integrate_and_fire.Neuron(1.0, jnp.zeros_like, jnp.subtract)

  def sample(inputs):
    batch = integrate_and_fire.prepare(config, params, KEY, inputs)
    response = integrate_and_fire.present(
      config, params, batch, hidden=neuron, output=neuron
    )
    return response.trains[0]

  return jax.jit(sample)(inputs)


class InputsTest(parameterized.TestCase):
  @parameterized.parameters(('sobol', 16), ('bernoulli', 70))
  def test_sampled_spikes_equal_those_of_the_spiking_network(
    self, sampler, num_steps
  ):
    config = networks.stochastic((4, 4), num_steps, sampler=sampler)
    images, _ = networks.batch(1, config.layer_sizes)
    params = networks.make_params(config)
    raster = raster_lib.record(config, params, KEY, images[0], 0)
    found = np.asarray(input_spikes(config, images))
    self.assertBetween(found.mean(), 0.1, 0.9)
    np.testing.assert_array_equal(found, raster.spikes[:1])

  def test_given_spikes_are_kept_up_to_the_last_tick(self):
    config = networks.stochastic((4, 3), num_steps=40)
    given = np.random.default_rng(0).integers(0, 2, (2, 64, 4))
    found = input_spikes(config, pack(given))
    self.assertEqual(found.dtype, jnp.float32)
    np.testing.assert_array_equal(found, given[:, :40])
