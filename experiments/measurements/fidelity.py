"""Distance of spiking updates from the gradient of backpropagation.

  python -m experiments.measurements.fidelity --dataset=digits > fidelity.jsonl

Each JSON line has the distance for one network, at the weights of an ANN after
some training steps: the root mean square over all weights and draws of the
spikes, relative to the gradient. `update_error` has spikes in all passes,
`quantisation_error` in the update only. It also has what a sample takes: spikes
and synaptic events, forward and of errors, and coincidences at the weights.
"""

from collections.abc import Iterator
import dataclasses
import functools
import itertools
from typing import Any

from absl import flags
import jax
import numpy as np
import tqdm

from experiments import command
from experiments import config as config_lib
from experiments import train
from experiments.measurements import json_lines
import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax import training
from ssnn_jax.datasets import catalog

FLAGS = flags.FLAGS
_LEARNING_RATE = 0.5


def squared_errors(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  images: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> np.ndarray:
  """Computes squared distances `[draws]` from the gradient.

  They are over all weights, relative to the squared norm of the gradient.
  """

  def gradient(make, key):
    return jax.device_get(_gradient(make, config, params, key, images, labels))

  exact = gradient(ssnn_jax.ann, jax.random.key(0))
  norm = sum(np.sum(layer**2) for layer in exact)
  distances = []
  for draw in range(num_draws):
    sampled = gradient(ssnn_jax.ssnn, jax.random.key(draw))
    distances.append(sum(np.sum((a - b) ** 2) for a, b in zip(sampled, exact)))
  return np.array(distances) / norm


@functools.partial(jax.jit, static_argnums=(0, 1))
def _gradient(make, config, params, key, images, labels):
  """Returns the gradients of the weights of all layers of a kind of network."""
  update, _ = make(config).learn(params, key, images, labels)
  return [layer.weights for layer in ssnn_jax.as_gradient(update)]


def measure(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  images: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> dict[str, Any]:
  """Returns the line of a spiking network; see `squared_errors`."""
  # Windows do not change exact rates, and one window is fastest.
  quantised = dataclasses.replace(
    config,
    rates=('forward', 'backward'),
    timing='buffered',
    neuron=None,
    window=config.num_steps,
  )
  line = {
    'method': 'ssnn',
    'layer_sizes': config.layer_sizes,
    'timing': config.timing,
    'neuron': config.neuron,
    'gain': config.gains[0],
    'sampler': config.sampler,
    'window': config.schedule.window,
    'num_steps': config.num_steps,
  }
  for name, network in (
    ('update_error', config),
    ('quantisation_error', quantised),
  ):
    squares = squared_errors(network, params, images, labels, num_draws)
    deviation = np.sqrt(squares).std(ddof=1) if num_draws > 1 else 0.0
    line[name] = round(float(np.sqrt(squares.mean())), 5)
    line[f'{name}_sd'] = round(float(deviation), 5)
  return line | _count(config, params, images, labels)


def _count(config, params, images, labels):
  """Counts the spikes and events of a sample, means over the batch."""
  observe = jax.jit(training.activity.make_observe(config))
  seen = observe(params, jax.random.key(0), images, labels)
  forward, backward = hardware.counts.spiking_events(config, seen)
  counts = {
    'forward_spikes': forward.spikes,
    'forward_events': forward.synaptic_events,
    'error_spikes': backward.spikes,
    'error_events': backward.synaptic_events,
    'coincidences': sum(map(float, seen.coincidences)),
  }
  return {name: round(count, 1) for name, count in counts.items()}


def _train_ann(config, dataset, batch_size, num_steps):
  """Returns the parameters of the ANN after a number of SGD steps."""
  ann = ssnn_jax.ann(config)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  state = training.init_state(ann, optimizer, seed=0)
  train_epoch = jax.jit(training.make_train_epoch(ann, optimizer, batch_size))
  images, labels = (array[: batch_size * num_steps] for array in dataset.train)
  return train_epoch(state, images, labels)[0].params


def _networks(dataset) -> Iterator[ssnn_jax.NetworkConfig]:
  """Yields the networks of the flags, those of equal layers together."""
  for (
    hidden,
    sampler,
    num_steps,
    timing,
    neuron,
    gain,
  ) in itertools.product(
    FLAGS.hidden_sizes or ['256'],
    FLAGS.samplers,
    map(int, FLAGS.num_steps),
    FLAGS.timings,
    FLAGS.neurons,
    [float(gain) for gain in FLAGS.gains] or [None],
  ):
    sizes = [dataset.num_inputs, *map(int, hidden.split(','))]
    windows = {int(window) or num_steps for window in FLAGS.windows}
    if timing == 'realtime':
      windows = {1}
    else:
      neuron = None
    for window in sorted(n for n in windows if n <= num_steps):
      with config_lib.named():
        yield ssnn_jax.NetworkConfig(
          (*sizes, dataset.num_classes),
          num_steps=num_steps,
          window=window,
          sampler=sampler,
          timing=timing,
          neuron=neuron,
          gain=gain,
        )


def _measure():
  """Yields the lines of all networks of the flags."""
  if catalog.is_recorded(FLAGS.dataset):
    raise ssnn_jax.UserError(
      f'--dataset={FLAGS.dataset} holds recordings; give a set of images.'
    )
  config = config_lib.default(FLAGS.dataset)
  dataset, size = train.load(config, FLAGS.data_dir), FLAGS.batch_size
  batch = [array[-size:] for array in dataset.train]
  sizes = None
  networks = list(dict.fromkeys(_networks(dataset)))
  for config in tqdm.tqdm(networks, disable=None, unit='network'):
    if config.layer_sizes != sizes:
      sizes = config.layer_sizes
      params = _train_ann(config, dataset, size, FLAGS.train_steps)
    yield {'dataset': dataset.name} | measure(
      config, params, *batch, FLAGS.draws
    )


def main() -> None:
  """Prints the errors of all networks of the flags."""
  json_lines.write(__spec__.name, _measure())


def define_flags() -> None:
  """Defines the flags of this command."""
  flags.DEFINE_string('dataset', 'digits', 'name of the set of images.')
  flags.DEFINE_string(
    'data_dir',
    None,
    'folder of data sets; default: $TFDS_DATA_DIR, or ~/tensorflow_datasets.',
  )
  flags.DEFINE_multi_string(
    'hidden_sizes',
    None,
    'neurons of the hidden layers, as 256,256; repeated for several networks; '
    'default: 256.',
  )
  flags.DEFINE_list(
    'num_steps',
    '4,8,16,32,64,128,256,512,1024',
    'numbers of ticks T.',
  )
  flags.DEFINE_list('windows', '32,0', 'windows n, where at most T; 0 is T.')
  flags.DEFINE_list('samplers', 'bernoulli,sobol', 'spike samplers.')
  flags.DEFINE_list(
    'timings', 'buffered', 'buffered, realtime; real time has windows of 1.'
  )
  flags.DEFINE_list(
    'neurons', 'integrate_and_fire', 'hidden neurons in real time.'
  )
  flags.DEFINE_list(
    'gains', '', 'gains of the error spikes; default: those of the neurons.'
  )
  flags.DEFINE_integer('draws', 8, 'draws of the spikes.', 1)
  flags.DEFINE_integer('train_steps', 400, 'SGD steps before measuring.', 0)
  flags.DEFINE_integer('batch_size', 128, 'samples of the batch.', 1)


if __name__ == '__main__':
  define_flags()
  command.launch(main)
