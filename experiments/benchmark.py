"""Times spiking networks beside plain backpropagation, as JSON lines.

  python -m experiments.benchmark --num_steps=64,256 --batch_size=1,128

Everything that shares a network and a batch size is timed in turns in one
process, so that what slows the machine down slows all of it; `ratio_to_bp` is
the median over rounds of the ratio within a round. Images and labels are
random, which is the worst case for spikes.

  learn  one step of training: draw spikes, count, and step by SGD. That of
         backpropagation is `value_and_grad` and SGD
  infer  reading a batch out
  epoch  a whole epoch of `training.make_train_epoch`: order and metrics, too

Steps run in a compiled loop whose parameters are donated. `naive` is the
yardstick: the obvious simulation (`naive.py`).
"""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import itertools
import json
import statistics
import time
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm

from experiments import cli
from experiments import naive
import ssnn_jax
from ssnn_jax import kernels
from ssnn_jax import training
from ssnn_jax.config import INTEGRATIONS

NAMES = ('learn', 'infer', 'epoch')
REPRESENTATIONS = ('packed', 'dense', 'naive')
_NUM_BATCHES = 8  # that the steps take turns with
_LEARNING_RATE = 0.1
_MIN_SECONDS = 0.05  # of one measurement


class Subject(NamedTuple):
  """Something to time."""

  labels: dict[str, Any]  # what its line says of it
  run: Callable[[int], None]  # takes so many steps
  steps: int  # of one measurement
  peak_mib: float


def learn_step(network: ssnn_jax.Network, is_spiking: bool):
  """Makes one step of training, `(params, key, images, labels) -> params`."""

  def loss(params, key, images, labels):
    potential = network.infer(params, key, images).potential
    losses = optax.softmax_cross_entropy_with_integer_labels(potential, labels)
    return jnp.mean(losses)

  def gradient(params, key, images, labels):
    if is_spiking:
      return ssnn_jax.as_gradient(network.learn(params, key, images, labels)[0])
    return jax.value_and_grad(loss)(params, key, images, labels)[1]

  def step(params, *batch):
    return jax.tree.map(
      lambda leaf, slope: leaf - _LEARNING_RATE * slope,
      params,
      gradient(params, *batch),
    )

  return step


def infer_step(network: ssnn_jax.Network):
  """Makes one readout, which leaves a trace in the parameters."""

  def step(params, key, images, labels):
    del labels
    counts = network.infer(params, key, images).winner_counts
    last = params[-1]
    # A sum of 0, so that the parameters stay and no step can be left out.
    trace = 1e-30 * jnp.sum(counts.astype(jnp.float32))
    return *params[:-1], last._replace(biases=last.biases + trace)

  return step


def time_steps(step, config: ssnn_jax.NetworkConfig, batch_size: int):
  """Compiles a loop over steps.

  Returns:
    A function that takes so many steps, and the compiled loop's peak memory in
    MiB: temporaries and outputs.
  """
  images, labels = _random_images(config, _NUM_BATCHES * batch_size)
  images = images.reshape(_NUM_BATCHES, batch_size, -1)
  labels = labels.reshape(_NUM_BATCHES, batch_size)

  def loop(params, key, num_steps, images, labels):
    def body(index, params):
      batch = index % _NUM_BATCHES
      step_key = jax.random.fold_in(key, index)
      return step(params, step_key, images[batch], labels[batch])

    return jax.lax.fori_loop(0, num_steps, body, params)

  key = jax.random.key(0)
  state = ssnn_jax.ssnn(config).init(key)
  arguments = state, key, jnp.int32(1), images, labels
  compiled = jax.jit(loop, donate_argnums=0).lower(*arguments).compile()

  def run(num_steps):
    nonlocal state
    state = compiled(state, key, jnp.int32(num_steps), images, labels)
    jax.block_until_ready(state)

  return run, _peak_mib(compiled)


def time_epoch(
  network: ssnn_jax.Network,
  config: ssnn_jax.NetworkConfig,
  batch_size: int,
  num_images: int,
):
  """Compiles an epoch; returns as `time_steps` does, a step being an epoch."""
  images, labels = _random_images(config, num_images)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  train_epoch = training.make_train_epoch(network, optimizer, batch_size)
  state = training.init_state(network, optimizer, seed=0)
  compiled = jax.jit(train_epoch, donate_argnums=0)
  compiled = compiled.lower(state, images, labels).compile()

  def run(num_epochs):
    nonlocal state
    for _ in range(num_epochs):
      state, _ = compiled(state, images, labels)
    jax.block_until_ready(state.params)

  return run, _peak_mib(compiled)


def _random_images(config, size):
  image_key, label_key = jax.random.split(jax.random.key(1))
  shape = size, config.layer_sizes[0]
  images = jax.random.bits(image_key, shape, jnp.uint8)
  labels = jax.random.randint(label_key, (size,), 0, config.layer_sizes[-1])
  return images, labels


def _peak_mib(compiled):
  memory = compiled.memory_analysis()
  size = memory.temp_size_in_bytes + memory.output_size_in_bytes
  return round(size / 2**20, 4)


def make_subject(
  name: str,
  config: ssnn_jax.NetworkConfig,
  representation: str | None,
  batch_size: int,
  num_images: int,
) -> Subject:
  """Compiles what one line tells of.

  Args:
    name: 'learn', 'infer' or 'epoch'.
    config: the network.
    representation: of its spikes; None is backpropagation.
    batch_size: samples a step.
    num_images: images of an epoch.

  Returns:
    The subject, with as many steps a measurement as make it last.
  """
  if representation is None:
    network = ssnn_jax.ann(config)
  elif representation == 'naive':
    network = naive.ssnn(config)
  else:
    config = dataclasses.replace(config, representation=representation)
    network = ssnn_jax.ssnn(config)
  if name == 'epoch':
    run, peak_mib = time_epoch(network, config, batch_size, num_images)
  else:
    is_spiking = representation is not None
    step = infer_step(network)
    if name == 'learn':
      step = learn_step(network, is_spiking)
    run, peak_mib = time_steps(step, config, batch_size)
  run(1)
  steps = max(1, round(_MIN_SECONDS / _seconds(run, 1)))
  labels = _labels(name, config, representation, batch_size)
  return Subject(labels, run, steps, peak_mib)


def _labels(name, config, representation, batch_size):
  spiking = {
    'sampler': 'uniform' if representation == 'naive' else config.sampler,
    'window': config.schedule.window,
    'num_steps': config.num_steps,
    'integration': config.integration,
    'kernels': representation != 'naive' and _uses_kernels(config),
  }
  if representation is None:
    spiking = dict.fromkeys(spiking)
  return {
    'name': name,
    'method': 'bp' if representation is None else 'ssnn',
    'representation': representation,
    'layer_sizes': config.layer_sizes,
    'batch_size': batch_size,
    **spiking,
  }


def _uses_kernels(config):
  names = 'ssnn_count', 'ssnn_sample_hashed'
  is_cpu = jax.default_backend() == 'cpu'
  return is_cpu and config.kernels and any(map(kernels.is_available, names))


def _seconds(run, steps):
  began = time.perf_counter()
  run(steps)
  return (time.perf_counter() - began) / steps


def compare(subjects: list[Subject], rounds: int) -> Iterator[dict[str, Any]]:
  """Times subjects in turns.

  Args:
    subjects: what is timed; the first is backpropagation.
    rounds: measurements of each.

  Yields:
    The line of each subject.
  """
  milliseconds = [
    [1e3 * _seconds(subject.run, subject.steps) for subject in subjects]
    for _ in range(rounds)
  ]
  for index, subject in enumerate(subjects):
    times = [turn[index] for turn in milliseconds]
    ratios = [turn[index] / turn[0] for turn in milliseconds]
    yield subject.labels | {
      'median_ms': round(statistics.median(times), 4),
      'ratio_to_bp': round(statistics.median(ratios), 3),
      'peak_mib': subject.peak_mib,
      'rounds': rounds,
      'device': jax.devices()[0].device_kind,
      'jax': jax.__version__,
    }


def main() -> None:
  """Times all that the flags ask for, and prints a line of each."""
  values = flags.FLAGS.flag_values_dict()
  representations = cli.choices(values, 'representations', REPRESENTATIONS)
  names = cli.choices(values, 'names', NAMES)
  for name in ('batch_size', 'rounds', 'num_images'):
    if min(np.atleast_1d(values[name])) < 1:
      raise ssnn_jax.UserError(
        f'--{name} is {np.min(values[name])}; expected 1 or more.'
      )
  grid = list(
    itertools.product(names, values['layer_sizes'], values['batch_size'])
  )
  if values['kernels']:
    cli.recommend_kernels()
  with tqdm.tqdm(grid, disable=None, unit='comparison') as progress:
    for name, layer_sizes, batch_size in progress:
      progress.set_postfix_str(f'{name} {layer_sizes} batch {batch_size}')
      made = [None, *itertools.product(values['num_steps'], representations)]
      subjects = []
      for spiking in made:
        num_steps, representation = spiking or (1, None)
        config = _config(values, layer_sizes, num_steps)
        subjects.append(
          make_subject(
            name, config, representation, batch_size, values['num_images']
          )
        )
      for line in compare(subjects, values['rounds']):
        print(json.dumps(line), flush=True)


def _config(values, layer_sizes, num_steps):
  window = values['window']
  try:
    return ssnn_jax.NetworkConfig(
      layer_sizes,
      num_steps=num_steps,
      window=window and min(window, num_steps),
      integration=values['integration'],
      sampler=values['sampler'],
      kernels=values['kernels'],
    )
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{error}') from None  # it starts with the name


def _define_flags():
  numbers = cli.NumbersParser(int)
  with cli.group('Measurements'):
    flags.DEFINE_list('names', 'learn,infer', f'of {", ".join(NAMES)}.')
    flags.DEFINE_list(
      'representations',
      ','.join(REPRESENTATIONS),
      f'of {", ".join(REPRESENTATIONS)}; backpropagation is timed beside them.',
    )
    flags.DEFINE_integer('rounds', 15, 'timings of each; medians are told.')
    flags.DEFINE_integer('num_images', 12800, 'images of an epoch.')
  with cli.group('Network'):
    flags.DEFINE_multi(
      *(numbers, flags.ArgumentSerializer(), 'layer_sizes', [(784, 256, 10)]),
      'neurons of each layer; given several times, several networks.',
    )
    flags.DEFINE_integer(
      *('window', None),
      'n, ticks between reads of a membrane; left out: 32, or T if shorter.',
    )
    flags.DEFINE_enum(
      *('integration', 'mean', INTEGRATIONS),
      'what a membrane keeps of earlier windows.',
    )
  with cli.group('Spikes'):
    flags.DEFINE(numbers, 'num_steps', (64,), 'T, length of a presentation.')
    samplers = list(ssnn_jax.thresholds.SAMPLERS)
    flags.DEFINE_enum(
      'sampler', 'bernoulli', samplers, 'where thresholds come from.'
    )
  with cli.group('Training'):
    flags.DEFINE(numbers, 'batch_size', (128,), 'size of a batch.')
  with cli.group('Machine'):
    flags.DEFINE_boolean('kernels', True, 'use compiled kernels, if any.')


if __name__ == '__main__':
  _define_flags()
  cli.launch(main)
