"""Distance of spiking updates from the gradient of backpropagation.

  python -m experiments.measurements.fidelity --dataset=digits > fidelity.jsonl

Each JSON line has the distance for one network, sampler, window and T, at the
weights of an ANN after some training steps: the root mean square over weights
(of each layer, and of all layers) and draws of the spikes, relative to the
gradient. `error` has spikes in all passes, `quantisation_error` in the update
only.
"""

import dataclasses
import functools
import itertools
from typing import Any

from absl import flags
import jax
import numpy as np
import tqdm

from experiments.config import command
from experiments.config import experiment
from experiments.config import field
from experiments.measurements import json_lines
from experiments.training import data
import ssnn_jax
from ssnn_jax import config as choices
from ssnn_jax import training
from ssnn_jax.runs import provenance
from ssnn_jax.spikes import samplers

_LEARNING_RATE = 0.5


def relative_errors(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  images: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> np.ndarray:
  """Computes squared distances `[draws, layers + 1]` from the gradient.

  Distances over the weights of each layer, and of all layers, are relative to
  the squared norm of the gradient.
  """

  def gradient(make, key):
    return jax.device_get(_gradient(make, config, params, key, images, labels))

  exact = gradient(ssnn_jax.ann, jax.random.key(0))
  norms = [np.sum(layer**2) for layer in exact]
  drawn = np.empty((num_draws, len(exact)))
  for draw in range(num_draws):
    sampled = gradient(ssnn_jax.ssnn, jax.random.key(draw))
    drawn[draw] = [np.sum((a - b) ** 2) for a, b in zip(sampled, exact)]
  total = drawn.sum(axis=1, keepdims=True) / sum(norms)
  return np.concatenate([drawn / norms, total], axis=1)


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
  """Returns the line of a spiking network; see `relative_errors`."""
  # Windows do not change exact rates, and one window is fastest.
  quantised = dataclasses.replace(
    config,
    forward='rates',
    backward='rates',
    timing='buffered',
    window=config.num_steps,
  )
  errors = {}
  for prefix, network in {'': config, 'quantisation_': quantised}.items():
    squares = relative_errors(network, params, images, labels, num_draws)
    errors |= _summarize(squares, prefix)
  return {
    'layer_sizes': config.layer_sizes,
    'sampler': config.sampler,
    'timing': config.timing,
    'integration': config.integration,
    'gain': config.gain,
    'window': config.schedule.window,
    'num_steps': config.num_steps,
    'batch_size': len(labels),
    **errors,
    'num_draws': num_draws,
  }


def _summarize(squares, prefix):
  """Returns the root mean squares over draws and their standard deviation."""
  *layers, error = np.sqrt(squares.mean(axis=0))
  errors = np.sqrt(squares[:, -1])
  deviation = errors.std(ddof=1) if len(errors) > 1 else 0.0
  return {
    f'{prefix}layer_errors': [round(float(each), 5) for each in layers],
    f'{prefix}error': round(float(error), 5),
    f'{prefix}error_sd': round(float(deviation), 5),
  }


def _train_ann(config, dataset, batch_size, num_steps):
  """Returns the parameters of the ANN after a number of SGD steps."""
  ann = ssnn_jax.ann(config)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  state = training.init_state(ann, optimizer, seed=0)
  size = batch_size * num_steps
  train_epoch = jax.jit(training.make_train_epoch(ann, optimizer, batch_size))
  images, labels = (array[:size] for array in dataset.train)
  return train_epoch(state, images, labels)[0].params


def _networks(values, dataset):
  """Yields the configurations to measure, by layer sizes, sampler and T."""
  names = 'hidden_sizes samplers num_steps timings integrations gains'.split()
  for hidden, sampler, num_steps, *own in itertools.product(
    *map(values.get, names)
  ):
    timing, integration, gain = own
    sizes = dataset.num_inputs, *hidden, dataset.num_classes
    windows = {window or num_steps for window in values['windows']}
    if timing == 'realtime':
      windows = {1}
    for window in sorted(n for n in windows if n <= num_steps):
      try:
        yield ssnn_jax.NetworkConfig(
          sizes,
          num_steps=num_steps,
          window=window,
          sampler=sampler,
          timing=timing,
          integration=integration,
          gain=gain,
        )
      except ssnn_jax.UserError as error:  # starts with the name of the field
        raise ssnn_jax.UserError(f'--{error}') from None


def _measure(values):
  """Yields the lines of all networks of the flags."""
  dataset = data.load_images(
    values['dataset'], command.make(experiment.DataOptions)
  )
  size, num_steps, sizes = values['batch_size'], values['train_steps'], None
  batch = [array[-size:] for array in dataset.train]
  networks = list(_networks(values, dataset))
  for config in tqdm.tqdm(networks, disable=None, unit='network'):
    if config.layer_sizes != sizes:
      sizes = config.layer_sizes
      params = _train_ann(config, dataset, size, num_steps)
    line = measure(config, params, *batch, values['draws'])
    yield {'dataset': dataset.name, 'train_steps': num_steps} | line


def main() -> None:
  """Prints the errors of all networks of the flags."""
  values = flags.FLAGS.flag_values_dict()
  json_lines.write(__spec__.name, provenance.environment(), _measure(values))


def _define_flags():
  def define_names(name, default, known, text):
    parser = field.TupleParser(str, tuple(known))
    flags.DEFINE(parser, name, default, f'{text}: {", ".join(known)}.')

  numbers = field.TupleParser(int)
  flags.DEFINE_string('dataset', 'digits', 'name of the set of images.')
  command.define_data_dir()
  flags.DEFINE_multi(
    numbers,
    flags.ArgumentSerializer(),
    'hidden_sizes',
    [(256,), (256, 256)],
    'neurons of the hidden layers; may be repeated, for several networks.',
  )
  windows = 'windows n in ticks, where at most T; 0 is T.'
  flags.DEFINE(numbers, 'windows', (1, 4, 32, 0), windows)
  membranes = ssnn_jax.neuron.MEMBRANES
  define_names('integrations', ('mean',), membranes, 'membranes')
  timings = 'timings; windows have 1 tick in real time'
  define_names('timings', ('buffered',), choices.TIMINGS, timings)
  gains = 'gains of the error spikes.'
  flags.DEFINE(field.TupleParser(float), 'gains', (1.0,), gains)
  steps = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
  flags.DEFINE(numbers, 'num_steps', steps, 'numbers of ticks T.')
  known = samplers.SAMPLERS
  define_names('samplers', ('bernoulli', 'sobol'), known, 'spike samplers')
  flags.DEFINE_integer('draws', 8, 'number of draws of the spikes.', 1)
  flags.DEFINE_integer('train_steps', 400, 'SGD steps before measuring.', 0)
  flags.DEFINE_integer('batch_size', 128, 'size of a minibatch.', 1)


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
