"""Measures how far a spiking update is from backpropagation.

  python -m experiments.measurements.fidelity --dataset=fashion_mnist > fidelity.jsonl

The weights are those of the ANN after some steps of training, the same for all
settings; the gradient is that of one batch. For each network, sampler, window
and T a JSON line tells the distance of the update from the gradient: the root
mean square over the weights of each layer, and over all, and over draws of the
spikes, relative to that of the gradient. The `error` is that of spikes
throughout; in the `quantisation_error` forward and backward are on exact rates,
so that the update alone is discrete.
"""

from collections.abc import Iterator
import dataclasses
import itertools
import json
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from experiments.config import command as cli
from experiments.config import field as fields
from experiments.training import data
import ssnn_jax
from ssnn_jax import training

_LEARNING_RATE = 0.5


def partly_trained(
  config: ssnn_jax.NetworkConfig,
  dataset: ssnn_jax.datasets.Dataset,
  batch_size: int,
  num_steps: int,
) -> ssnn_jax.Params:
  """Trains the ANN for a number of steps.

  Args:
    config: its architecture.
    dataset: what it is trained on.
    batch_size: samples a step.
    num_steps: steps of plain SGD.

  Returns:
    Its parameters.
  """
  ann = ssnn_jax.ann(config)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  state = training.init_state(ann, optimizer, seed=0)
  size = batch_size * num_steps
  train_epoch = jax.jit(training.make_train_epoch(ann, optimizer, batch_size))
  images, labels = (part[:size] for part in dataset.train)
  return train_epoch(state, images, labels)[0].params


def relative_errors(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  images: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> np.ndarray:
  """Measures the update's distance from the gradient, draw by draw.

  Args:
    config: the spiking network.
    params: the weights at which both are taken.
    images: `[B, ...]` the batch.
    labels: `[B]` its classes.
    num_draws: draws of the spikes.

  Returns:
    `[draws, layers + 1]` squared distances over the weights of each layer, and
    of all layers, relative to the squared norm of the gradient.
  """

  def gradient(network, key):
    update, _ = network.learn(params, key, images, labels)
    return [layer.weights for layer in ssnn_jax.as_gradient(update)]

  exact = gradient(ssnn_jax.ann(config), jax.random.key(0))
  norms = [float(jnp.sum(layer**2)) for layer in exact]

  @jax.jit
  def squares(key):
    ours = gradient(ssnn_jax.ssnn(config), key)
    return jnp.stack([jnp.sum((a - b) ** 2) for a, b in zip(ours, exact)])

  drawn = np.array([squares(jax.random.key(seed)) for seed in range(num_draws)])
  total = drawn.sum(axis=1, keepdims=True) / sum(norms)
  return np.concatenate([drawn / norms, total], axis=1)


def settings(
  networks: list[tuple[int, ...]],
  samplers: list[str],
  windows: list[int],
  all_steps: list[int],
) -> Iterator[ssnn_jax.NetworkConfig]:
  """Lists the spiking networks to measure.

  Args:
    networks: layer sizes of each.
    samplers: names of samplers.
    windows: of these, those that fit T; 0 is T itself.
    all_steps: values of T.

  Yields:
    Their configurations, those of a network together.
  """
  for sizes, sampler, num_steps in itertools.product(
    networks, samplers, all_steps
  ):
    lengths = {window or num_steps for window in windows}
    for window in sorted(length for length in lengths if length <= num_steps):
      try:
        yield ssnn_jax.NetworkConfig(
          sizes, num_steps=num_steps, window=window, sampler=sampler
        )
      except ssnn_jax.UserError as error:
        raise ssnn_jax.UserError(f'--{error}') from None  # it begins so


def measure(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  images: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> dict[str, Any]:
  """Makes the line of a setting.

  Args:
    config: the spiking network.
    params: the weights at which it is measured.
    images: `[B, ...]` the batch.
    labels: `[B]` its classes.
    num_draws: draws of the spikes.

  Returns:
    The setting, its errors, and the standard deviations of the draws' own.
  """
  # Exact rates are the same in all windows, and one window is quickest.
  quantised = dataclasses.replace(
    config, forward='rates', backward='rates', window=config.num_steps
  )
  told = {}
  for prefix, network in {'': config, 'quantisation_': quantised}.items():
    squares = relative_errors(network, params, images, labels, num_draws)
    told |= _summarise(squares, prefix)
  return {
    'layer_sizes': config.layer_sizes,
    'sampler': config.sampler,
    'window': config.schedule.window,
    'num_steps': config.num_steps,
    'batch_size': len(labels),
    **told,
    'num_draws': num_draws,
  }


def _summarise(squares, prefix):
  """Makes errors of draws those of a line, each name with the prefix."""
  *layers, error = np.sqrt(squares.mean(axis=0))
  own = np.sqrt(squares[:, -1])
  deviation = own.std(ddof=1) if len(own) > 1 else 0.0
  return {
    f'{prefix}layer_errors': [round(float(each), 5) for each in layers],
    f'{prefix}error': round(float(error), 5),
    f'{prefix}error_sd': round(float(deviation), 5),
  }


def main() -> None:
  """Measures all that the flags ask for, and prints a line of each."""
  values = flags.FLAGS.flag_values_dict()
  samplers = cli.choices(
    values, 'samplers', tuple(ssnn_jax.spikes.thresholds.SAMPLERS)
  )
  dataset = data.load_images(values)
  ends = dataset.num_inputs, dataset.num_classes
  networks = [(ends[0], *hidden, ends[1]) for hidden in values['hidden_sizes']]
  size = values['batch_size']
  batch = [part[-size:] for part in dataset.train]
  listed = list(
    settings(networks, samplers, values['windows'], values['num_steps'])
  )
  cli.recommend_kernels()
  params, of_sizes = None, None
  for config in tqdm.tqdm(listed, disable=None, unit='setting'):
    if config.layer_sizes != of_sizes:
      of_sizes = config.layer_sizes
      params = partly_trained(config, dataset, size, values['train_steps'])
    line = {'dataset': dataset.name, 'train_steps': values['train_steps']}
    line |= measure(config, params, *batch, values['draws'])
    print(json.dumps(line), flush=True)


def _define_flags():
  numbers = cli.NumbersParser(int)
  with cli.group('Data'):
    flags.DEFINE_string(
      *('dataset', 'digits'),
      '`name` of the images that weights are trained on: digits, mnist, '
      f'fashion_mnist, emnist/<split>, or {fields.OWN_FILE}.',
    )
  cli.define_data_dir()
  with cli.group('Network'):
    flags.DEFINE_multi(
      *(numbers, flags.ArgumentSerializer()),
      *('hidden_sizes', [(256,), (256, 256)]),
      'neurons of the hidden layers; given several times, several networks.',
    )
    flags.DEFINE(
      *(numbers, 'windows', (1, 4, 32, 0)),
      'n, ticks between reads of a membrane, where they fit; 0 is T.',
    )
  with cli.group('Spikes'):
    steps = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
    flags.DEFINE(numbers, 'num_steps', steps, 'T, length of a presentation.')
    samplers = ', '.join(ssnn_jax.spikes.thresholds.SAMPLERS)
    flags.DEFINE_list(
      *('samplers', 'bernoulli,sobol'),
      f'where thresholds come from, of {samplers}.',
    )
    flags.DEFINE_integer('draws', 8, 'draws of the spikes.', 1)
  with cli.group('Training'):
    flags.DEFINE_integer('train_steps', 400, 'steps before measuring.', 0)
    flags.DEFINE_integer(
      'batch_size', 128, 'size of a batch, also of the one measured on.', 1
    )


if __name__ == '__main__':
  _define_flags()
  cli.launch(main)
