"""Tests of errors that lag a window behind, and of errors that are softmax."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.neuron import firing
from ssnn_jax.spikes import thresholds
from tests.testing import networks
from tests.testing import oracle
from tests.testing.coincidences import pack
from tests.testing.networks import jit

KEY = jax.random.key(2)
Role = thresholds.Role


@functools.cache
def draw_thresholds(sizes, num_steps, batch_size):
  """Draws all thresholds of a batch: `(role, layer) -> [B, T, N]` integers."""
  keys = thresholds.make_keys(KEY, len(sizes))
  make = thresholds.make_sampler('bernoulli', use_kernels=False)
  hidden = list(enumerate(sizes[1:-1]))
  trains = {
    (Role.INPUT, 0): sizes[0],
    (Role.WINNER, 0): 1,
    **{(Role.FORWARD, layer + 1): size for layer, size in hidden},
    **{(Role.ERROR, layer): size for layer, size in enumerate(sizes[1:])},
  }

  @jit
  def draw(positions, words):
    def planes(train, position, word):
      address = thresholds.Address(*train, word, position)
      source = make(keys, address, trains[train])
      return source.draw(source.shared, source.own, trains[train])

    def of_batch(train):
      over_words = jax.vmap(functools.partial(planes, train), (None, 0))
      return jax.vmap(over_words, (0, None))(positions, words)

    return [of_batch(train) for train in trains]

  drawn = draw(np.arange(batch_size), np.arange(-(-num_steps // 32)))
  return {
    train: number_ticks(np.asarray(planes))[:, :num_steps]
    for train, planes in zip(trains, drawn)
  }


def number_ticks(planes):
  """Reads `[B, K, 16, N]` bit planes of 32 ticks as `[B, 32 K, N]` numbers."""
  ticks = np.arange(32, dtype=np.uint32)[:, None]
  bits = planes[:, :, :, None] >> ticks & 1
  numbers = np.einsum('bkqtn,q->bktn', bits.astype(int), 2 ** np.arange(16))
  return numbers.reshape(len(planes), -1, planes.shape[-1])


def fire(numbers, rates):
  """Fires where thresholds are below rates, in {0, 1}."""
  return 1 * (numbers < np.round(2**16 * rates))


def softmax(potential):
  odds = np.exp(potential - potential.max())
  return odds / odds.sum()


def simulate(config, params, images, labels):
  """Presents a batch, sample by sample and window by window.

  Returns the signed counts of both streams, as `learn` does with `separate`,
  and the ticks won by each class.
  """
  params = jax.tree.map(np.float64, params)
  drawn = draw_thresholds(config.layer_sizes, config.num_steps, len(images))
  both = [jax.tree.map(np.zeros_like, params) for _ in range(2)]
  wins = np.zeros((len(images), config.layer_sizes[-1]))
  for sample, (image, label) in enumerate(zip(images, labels)):
    membranes, past = [np.zeros_like(layer.biases) for layer in params], None
    for start in range(0, config.num_steps, config.schedule.window):
      end = min(start + config.schedule.window, config.num_steps)
      numbers = {k: own[sample, start:end] for k, own in drawn.items()}
      trains, reads = send(
        config, params, numbers, image, membranes, (start, end)
      )
      wins[sample] += compete(numbers, reads[-1]).sum(axis=0)
      causes, past = past if config.delay else reads, reads
      if causes is not None:
        errors = send_back(config, params, numbers, label, causes)
        for counts, sign in zip(both, (1, -1)):
          for layer, train, error in zip(counts, trains, errors):
            stream = np.maximum(sign * error, 0)
            layer.weights[:] += train.T @ stream
            layer.biases[:] += stream.sum(axis=0)
  return both, wins


def send(config, params, numbers, image, membranes, span):
  """Sends a window forward; returns what enters each layer, and its reads."""
  probability = firing.FIRING_FUNCTIONS[config.firing_function]().probability
  trains, reads = [fire(numbers[Role.INPUT, 0], np.float64(image))], []
  for layer, (weights, biases) in enumerate(params):
    drive = trains[layer].mean(axis=0) @ weights + biases
    membranes[layer], read = oracle.integrate(
      config, membranes[layer], drive, span
    )
    reads.append(read)
    if layer < len(params) - 1:
      rates = np.float64(probability(read))
      trains.append(fire(numbers[Role.FORWARD, layer + 1], rates))
  return trains, reads


def compete(numbers, potential):
  """Lets one class win each tick, `[n, C]`."""
  reached = fire(numbers[Role.WINNER, 0], np.cumsum(softmax(potential)))
  return np.eye(potential.size, dtype=int)[reached.argmax(axis=1)]


def send_back(config, params, numbers, label, causes):
  """Makes the errors of a window, `[n, J]` in {-1, 0, 1} behind each layer."""
  gate = firing.FIRING_FUNCTIONS[config.firing_function]().gate
  target = np.eye(causes[-1].size, dtype=int)[label]

  def sample(layer, rates):
    size = np.minimum(np.abs(rates), 1)
    return np.sign(rates).astype(int) * fire(numbers[Role.ERROR, layer], size)

  if config.output_errors == 'softmax':
    errors = [sample(len(params) - 1, softmax(causes[-1]) - target)]
  elif config.output_errors == 'argmax':
    errors = [np.eye(target.size, dtype=int)[causes[-1].argmax()] - target]
    errors = [np.tile(errors[0], (len(numbers[Role.WINNER, 0]), 1))]
  else:
    errors = [compete(numbers, causes[-1]) - target]
  for layer in reversed(range(len(params) - 1)):
    arriving = errors[0].mean(axis=0) / config.gains[layer + 1]
    arriving = params[layer + 1].weights @ arriving
    rates = config.gains[layer] * np.float64(gate(causes[layer])) * arriving
    errors.insert(0, sample(layer, rates))
  return errors


def make_open_params(config):
  """Draws weights that open and shut gates, and change winners, by chance."""
  *hidden, output = network.init(config, jax.random.key(0))
  return (
    *(layer._replace(biases=layer.biases + 0.4) for layer in hidden),
    output._replace(weights=4.0 * output.weights),
  )


class TickByTickTest(parameterized.TestCase):
  @parameterized.parameters(
    # T = 80 are blocks of one window of 32 ticks, or of four of 8; one of 33
    # begins within a word.
    (32, 'leaky', 'winner'),
    (8, 'mean', 'softmax'),
    (33, 'memoryless', 'winner'),
    (32, 'mean', 'argmax'),
  )
  def test_counts_are_those_of_a_loop(self, window, integration, output_errors):
    config = ssnn_jax.NetworkConfig(
      (5, 6, 4, 3),
      num_steps=80,
      window=window,
      integration=integration,
      tau=40.0,
      gain=(1.0, 0.5),
      delay=1,
      output_errors=output_errors,
    )
    params = make_open_params(config)
    images, labels = networks.batch(3, config.layer_sizes)
    (update, inference), (both, wins) = (
      jit(ssnn_jax.ssnn(config, separate_signs=True).learn)(
        params, KEY, images, labels
      ),
      simulate(config, params, images, labels),
    )
    for found, expected in zip(update[:2], both):
      jax.tree.map(np.testing.assert_array_equal, found, tuple(expected))
      self.assertTrue(all(np.any(layer.weights) for layer in found))
    np.testing.assert_array_equal(inference.winner_counts, wins)


class WindowsTest(parameterized.TestCase):
  @parameterized.parameters((8, 'softmax'), (33, 'winner'))
  def test_the_first_window_alone_leaves_no_counts(self, window, output_errors):
    # Class 0 always wins, and is wrong. An input fires in the first window,
    # another in the last, which is shorter, and the third in all.
    config = ssnn_jax.NetworkConfig(
      (3, 2),
      num_steps=70,
      window=window,
      delay=1,
      output_errors=output_errors,
    )
    first_tick = 69 // window * window
    train = np.zeros((1, 70, 3), int)
    train[0, :window, 0] = train[0, first_tick:, 1] = train[:, :, 2] = 1
    params = (types.LayerParams(jnp.zeros((3, 2)), jnp.array([200.0, 0.0])),)
    update, inference = jit(ssnn_jax.ssnn(config, separate_signs=True).learn)(
      params, KEY, pack(train), jnp.array([1])
    )
    spikes = np.array([0, 70 - first_tick, 70 - window])
    for counts, column in ((update.positive, 0), (update.negative, 1)):
      expected = np.zeros((3, 2))
      expected[:, column] = spikes
      np.testing.assert_array_equal(counts[0].weights, expected)
      np.testing.assert_array_equal(counts[0].biases, expected[2])
    # Errors are the mean over the ticks that have some.
    (gradient,) = ssnn_jax.as_gradient(update)
    np.testing.assert_allclose(gradient.biases, [1, -1], rtol=1e-6)
    np.testing.assert_array_equal(inference.winner_counts, [[70, 0]])

  @parameterized.parameters(
    (dict(num_steps=20, window=20), 20),
    (dict(num_steps=32), 32),  # the window is left out, and as long
    (dict(num_steps=1), 1),
  )
  def test_one_window_has_none_to_lag_behind(self, options, num_steps):
    with self.assertRaises(ssnn_jax.UserError) as caught:
      ssnn_jax.NetworkConfig((3, 2), delay=1, **options)
    self.assertEqual(
      str(caught.exception),
      'delay is 1; expected 0 for a presentation of one window '
      f'({num_steps} ticks), or a shorter window.',
    )
    self.assertEqual(
      ssnn_jax.NetworkConfig((3, 2), **options).error_steps, num_steps
    )

  @parameterized.parameters(
    dict(delay=2), dict(delay=-1), dict(output_errors='loser')
  )
  def test_what_cannot_be_is_refused_by_name(self, **options):
    (field,) = options
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} is .*expected'):
      ssnn_jax.NetworkConfig((3, 2), **options)


if __name__ == '__main__':
  absltest.main()
