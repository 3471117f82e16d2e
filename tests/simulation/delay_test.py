"""Tests of errors delayed by one window, and of the kinds of output errors."""

import functools

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

KEY = jax.random.key(2)
Role = thresholds.Role


@functools.cache
def draw_thresholds(sizes, num_steps, batch_size):
  """Draws all thresholds of a batch: integers `[B, T, N]` by role and layer."""
  keys = thresholds.make_keys(KEY, len(sizes))
  make = thresholds.make_sampler('bernoulli', use_kernels=False)
  hidden = list(enumerate(sizes[1:-1]))
  trains = {
    (Role.INPUT, 0): sizes[0],
    (Role.WINNER, 0): 1,
    **{(Role.FORWARD, layer + 1): size for layer, size in hidden},
    **{(Role.ERROR, layer): size for layer, size in enumerate(sizes[1:])},
  }

  @jax.jit
  def draw(positions, words):
    def ticks(train, position, word):
      address = thresholds.Address(*train, word, position)
      source = make(keys, address, trains[train])
      return source.draw_ticks(trains[train])

    def of_batch(train):
      over_words = jax.vmap(functools.partial(ticks, train), (None, 0))
      return jax.vmap(over_words, (0, None))(positions, words)

    return [of_batch(train) for train in trains]

  drawn = draw(np.arange(batch_size), np.arange(-(-num_steps // 32)))
  return {
    train: np.asarray(values, int).reshape(batch_size, -1, size)[:, :num_steps]
    for (train, size), values in zip(trains.items(), drawn)
  }


def fire(numbers, rates):
  """Returns spikes, 0 or 1: a spike is a threshold below the rate."""
  return 1 * (numbers < np.round(2**16 * rates))


def softmax(potential):
  odds = np.exp(potential - potential.max())
  return odds / odds.sum()


def simulate(config, params, images, labels):
  """Simulates a batch, sample by sample and window by window, in doubles.

  Returns the counts of the positive and of the negative stream, and the ticks
  won by each class.
  """
  params = jax.tree.map(np.float64, params)
  drawn = draw_thresholds(config.layer_sizes, config.num_steps, len(images))
  both = [jax.tree.map(np.zeros_like, params) for _ in range(2)]
  wins = np.zeros((len(images), config.layer_sizes[-1]))
  for sample, (image, label) in enumerate(zip(images, labels)):
    membranes, past = [np.zeros_like(layer.biases) for layer in params], None
    for start in range(0, config.num_steps, config.schedule.window):
      span = start, min(start + config.schedule.window, config.num_steps)
      numbers = {k: own[sample, slice(*span)] for k, own in drawn.items()}
      trains, reads = propagate_forward(
        config, params, numbers, image, membranes, span
      )
      wins[sample] += compete(numbers, reads[-1]).sum(axis=0)
      used, past = past if config.delay else reads, reads
      if used is not None:
        errors = propagate_back(config, params, numbers, label, used)
        add_coincidences(both, trains, errors)
  return both, wins


def propagate_forward(config, params, numbers, image, membranes, span):
  """Runs one window; returns presynaptic trains and read potentials.

  Updates `membranes`, the membranes of each layer, in place.
  """
  probability = firing.find(config.firing_function).probability
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
  """Returns the winner of each tick, one-hot: `[n, C]`."""
  reached = fire(numbers[Role.WINNER, 0], np.cumsum(softmax(potential)))
  return np.eye(potential.size, dtype=int)[reached.argmax(axis=1)]


def propagate_back(config, params, numbers, label, potentials):
  """Returns the error spikes `[n, J]` in {-1, 0, 1} of each layer."""
  derivative = firing.find(config.firing_function).derivative
  errors = [output_errors(config, numbers, label, potentials[-1])]
  for layer in reversed(range(len(params) - 1)):
    error = errors[0].mean(axis=0) / config.gains[layer + 1]
    error = params[layer + 1].weights @ error
    gate = np.float64(derivative(potentials[layer]))
    rates = config.gains[layer] * gate * error
    errors.insert(0, fire_errors(numbers[Role.ERROR, layer], rates))
  return errors


def output_errors(config, numbers, label, potential):
  """Returns the error spikes `[n, C]` of the output layer."""
  classes = np.eye(potential.size, dtype=int)
  if config.output_errors == 'softmax':
    rates = softmax(potential) - classes[label]
    return fire_errors(numbers[Role.ERROR, len(config.gains) - 1], rates)
  if config.output_errors == 'argmax':
    error = classes[potential.argmax()] - classes[label]
    return np.tile(error, (len(numbers[Role.WINNER, 0]), 1))
  return compete(numbers, potential) - classes[label]


def fire_errors(numbers, rates):
  """Returns the spikes of signed errors, -1, 0 or 1."""
  magnitudes = np.minimum(np.abs(rates), 1)
  return np.sign(rates).astype(int) * fire(numbers, magnitudes)


def add_coincidences(both, trains, errors):
  """Adds the coincidences with positive and with negative error spikes."""
  for counts, sign in zip(both, (1, -1)):
    for layer, train, error in zip(counts, trains, errors):
      stream = np.maximum(sign * error, 0)
      layer.weights[:] += train.T @ stream
      layer.biases[:] += stream.sum(axis=0)


def make_open_params(config):
  """Draws weights for which gates open and shut, and winners change."""
  *hidden, output = network.init(config, jax.random.key(0))
  return (
    *(layer._replace(biases=layer.biases + 0.4) for layer in hidden),
    output._replace(weights=4.0 * output.weights),
  )


class ReferenceTest(parameterized.TestCase):
  @parameterized.parameters(
    # 80 ticks are blocks of one window of 32 ticks, or of four windows of 8;
    # a window of 33 ticks begins within a word.
    (32, 'leaky', 'winner'),
    (8, 'mean', 'softmax'),
    (33, 'memoryless', 'winner'),
    (32, 'mean', 'argmax'),
  )
  def test_counts_match_reference(self, window, integration, output_errors):
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
    learn = jax.jit(ssnn_jax.ssnn(config, separate_signs=True).learn)
    update, inference = learn(params, KEY, images, labels)
    both, wins = simulate(config, params, images, labels)
    for found, expected in zip(update[:2], both):
      jax.tree.map(np.testing.assert_array_equal, found, tuple(expected))
      self.assertTrue(all(np.any(layer.weights) for layer in found))
    np.testing.assert_array_equal(inference.winner_counts, wins)


class DelayTest(parameterized.TestCase):
  @parameterized.parameters((8, 'softmax'), (33, 'winner'))
  def test_only_the_first_window_has_no_counts(self, window, output_errors):
    # Class 0 always wins, and is wrong. Input 0 fires in the first window,
    # input 1 in the last one, which is shorter, and input 2 in all windows.
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
    update, inference = jax.jit(
      ssnn_jax.ssnn(config, separate_signs=True).learn
    )(params, KEY, pack(train), jnp.array([1]))
    spikes = np.array([0, 70 - first_tick, 70 - window])
    for counts, column in ((update.positive, 0), (update.negative, 1)):
      expected = np.zeros((3, 2))
      expected[:, column] = spikes
      np.testing.assert_array_equal(counts[0].weights, expected)
      np.testing.assert_array_equal(counts[0].biases, expected[2])
    # Errors are averaged over the ticks of windows with errors.
    (gradient,) = ssnn_jax.as_gradient(update)
    np.testing.assert_allclose(gradient.biases, [1, -1], rtol=1e-6)
    np.testing.assert_array_equal(inference.winner_counts, [[70, 0]])
