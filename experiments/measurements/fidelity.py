"""Distance of spiking updates from the gradient of backpropagation.

  python -m experiments.measurements.fidelity --dataset=digits > fidelity.jsonl

Each JSON line has the distance for one network, at the weights of an ANN after
some training steps: the root mean square over all weights and draws of the
spikes, relative to the gradient. `update_error` has spikes in all passes,
`quantisation_error`, of stochastic neurons, in the update only. It also has
what a sample takes: spikes and synaptic events, forward and of errors, and
changes of synapses; bipolar neurons are played until they are silent.
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
from ssnn_jax import realtime
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
  learn = jax.grad(make(config).loss, has_aux=True)
  gradient, _ = learn(params, key, images, labels)
  return [layer.weights for layer in gradient]


def measure(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  images: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> dict[str, Any]:
  """Returns the line of a spiking network; see `squared_errors`."""
  measured = {'update_error': config}
  if config.neuron == 'stochastic':  # counts have no update of their own
    measured['quantisation_error'] = dataclasses.replace(
      config,
      rates=('forward', 'backward'),
      window=config.num_steps,  # exact rates do not change between windows
    )
  line = describe(config)
  for name, network in measured.items():
    squares = squared_errors(network, params, images, labels, num_draws)
    deviation = np.sqrt(squares).std(ddof=1) if num_draws > 1 else 0.0
    line[name] = round(float(np.sqrt(squares.mean())), 5)
    line[f'{name}_sd'] = round(float(deviation), 5)
  return line | _count(config, params, images, labels)


def describe(config: ssnn_jax.NetworkConfig) -> dict[str, Any]:
  """Returns the fields of a line that identify the network."""
  is_stochastic = config.neuron == 'stochastic'
  return {
    'method': 'ssnn',
    'layers': FLAGS.layers if config.layers else None,
    'layer_sizes': None if config.layers else config.layer_sizes,
    'neuron': config.neuron,
    'gain': config.gains[0],
    'sampler': config.input_sampler,
    'window': config.schedule.window if is_stochastic else None,
    'num_steps': config.num_steps,
  }


def _count(config, params, images, labels):
  """Counts the spikes and events of a sample, means over the batch."""
  if config.neuron == 'bipolar':
    played = realtime.play(config, params, jax.random.key(0), images, labels)
    seen = realtime.count_events(config, played)
    counts = {
      'forward_spikes': sum(seen.sent) + config.num_steps,  # and the winners
      'forward_events': sum(seen.reads),
      'error_spikes': sum(seen.errors_sent),
      'error_events': sum(seen.transposed_reads),
      'coincidences': sum(seen.updates),
    }
  else:
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


def train_ann(
  config: ssnn_jax.NetworkConfig,
  dataset: ssnn_jax.datasets.Dataset,
  batch_size: int,
  num_steps: int,
) -> ssnn_jax.Params:
  """Returns the parameters of the ANN after a number of SGD steps."""
  ann = ssnn_jax.ann(config)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  state = training.init_state(ann, optimizer, seed=0)
  train_epoch = jax.jit(training.make_train_epoch(ann, optimizer, batch_size))
  of_epoch = len(dataset.train.labels) // batch_size
  while num_steps > 0:
    size = batch_size * min(num_steps, of_epoch)
    state, _ = train_epoch(state, *(array[:size] for array in dataset.train))
    num_steps -= of_epoch
  return state.params


def list_networks(dataset: Any) -> Iterator[ssnn_jax.NetworkConfig]:
  """Yields the networks of the flags, those of equal layers together."""
  layers = [
    {
      'layer_sizes': (
        dataset.num_inputs, *map(int, hidden.split(',')), dataset.num_classes
      )
    }
    for hidden in FLAGS.hidden_sizes or ([] if FLAGS.layers else ['256'])
  ]  # fmt: skip
  if FLAGS.layers:
    parsed = config_lib.parse_layers(FLAGS.layers)
    shape = tuple(dataset.input_shape)
    layers.append({'layers': parsed, 'input_shape': shape})
  for own, sampler, num_steps, neuron, gain in itertools.product(
    layers,
    FLAGS.samplers,
    map(int, FLAGS.num_steps),
    FLAGS.neurons,
    [float(gain) for gain in FLAGS.gains] or [None],
  ):
    windows = {None}
    if neuron == 'stochastic':
      windows = {int(window) or num_steps for window in FLAGS.windows}
    for window in sorted(windows, key=lambda n: n or 0):
      if window and window > num_steps:
        continue
      with config_lib.named():
        yield ssnn_jax.NetworkConfig(
          **own,
          num_steps=num_steps,
          window=window,
          sampler=None if sampler == 'default' else sampler,
          neuron=neuron,
          gain=gain,
        )


def load() -> ssnn_jax.datasets.Dataset:
  """Loads the set of images of the flags; refuses recordings."""
  if catalog.is_recorded(FLAGS.dataset):
    raise ssnn_jax.UserError(
      f'--dataset={FLAGS.dataset} holds recordings; give a set of images.'
    )
  return train.load(config_lib.default(FLAGS.dataset), FLAGS.data_dir)


def _measure():
  """Yields the lines of all networks of the flags."""
  dataset, size = load(), FLAGS.batch_size
  batch = [array[-size:] for array in dataset.train]
  sizes = None
  networks = list(dict.fromkeys(list_networks(dataset)))
  for config in tqdm.tqdm(networks, disable=None, unit='network'):
    if config.wirings != sizes:
      sizes = config.wirings
      params = train_ann(config, dataset, size, FLAGS.train_steps)
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
  flags.DEFINE_list(
    'windows',
    '32,0',
    'windows n of stochastic neurons, where at most T; 0 is T.',
  )
  flags.DEFINE_string(
    'layers', None, 'layers of a network, as conv16k5s2,conv32k5s2,10.'
  )
  flags.DEFINE_list(
    'samplers', 'bernoulli,sobol', "spike samplers; default is the neuron's."
  )
  flags.DEFINE_list('neurons', 'stochastic', 'bipolar or stochastic neurons.')
  flags.DEFINE_list(
    'gains', '', 'gains of the error spikes; default: those of the neurons.'
  )
  flags.DEFINE_integer('draws', 8, 'draws of the spikes.', 1)
  flags.DEFINE_integer('train_steps', 400, 'SGD steps before measuring.', 0)
  flags.DEFINE_integer('batch_size', 128, 'samples of the batch.', 1)


if __name__ == '__main__':
  define_flags()
  command.launch(main)
