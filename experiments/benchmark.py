"""Step times of spiking networks and backpropagation.

  python -m experiments.benchmark --grid='num_steps=64,256;batch_size=1,128'

The flags of `experiments.run` describe the settings, by default the network
that it trains and its ANN. Their times are printed as a table at the end, or
with `--json` as lines, which `experiments.results --study=benchmark` exports.

All settings of a network and batch size are timed alternately in one process,
so that fluctuations of the machine affect all settings; a time in steps of
backpropagation is the median over rounds of the ratio within a round.
`--dataset=random` has random images and labels of the size of MNIST, the worst
case for spikes.

  learn  a training step: spikes, what the synapses collect, and SGD; for
         backpropagation `jax.grad` and SGD
  infer  readout of a batch
  epoch  an epoch of `training.make_train_epoch`, with shuffling and metrics

Steps run in a compiled loop with donated parameters. Seeds that run together
(`--num_seeds`) are compared with as many seeds of backpropagation.
"""

import functools
import statistics
import time

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import tqdm

from experiments import command
from experiments.measurements import lines
from experiments.runs import config as config_lib
from experiments.runs import models
from experiments.runs import train
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax.stochastic import devices
from ssnn_jax.training import loop
from ssnn_jax.training import state as state_lib

FLAGS = flags.FLAGS
_MIN_SECONDS = 0.05  # of one timing
_LEARNING_RATE = 0.1
_NUM_BATCHES = 8  # minibatches that steps alternate between
_TIMES = 'median_ms', 'ratio_to_bp', 'peak_mib'


# Compiled steps.


@functools.lru_cache(maxsize=1)
def _load(name):
  if name != 'random':
    return train.load(config_lib.default(name), FLAGS.data_dir)
  generator, size = np.random.default_rng(0), FLAGS.num_images
  images = generator.integers(256, size=(size, 28, 28), dtype=np.uint8)
  split = datasets.Split(images, generator.integers(10, size=size, dtype='i4'))
  return datasets.Dataset(name, split, split, ('',) * 10)


def _select(dataset, size):
  """Returns the first training samples, again if there are fewer."""
  chosen = np.arange(size) % len(dataset.train.labels)
  return [jnp.asarray(array[chosen]) for array in dataset.train]


def _compile(name, config, num_seeds):
  """Returns a function that runs a number of steps, and its memory in MiB."""
  dataset, resistive = _load(config.dataset), config_lib.device(config)
  device = state_lib.as_device(
    training.make_optimizer(_LEARNING_RATE)
    if resistive is None
    else devices.make_resistive(resistive, _LEARNING_RATE)
  )
  network = config_lib.METHODS[config.method].make(
    config_lib.network_config(config, dataset)
  )

  def infer(params, key, images):
    inference = network.infer(params, key, images)
    # With the readout of the network, so that nothing else is timed.
    is_potential = network.readout == 'potential'
    read = inference.potential if is_potential else inference.winner_counts
    # A negligible dependency, so that the compiler removes no step.
    trace = 1e-30 * jnp.sum(read.astype(jnp.float32))
    *others, last = jax.tree.leaves(params)
    return jax.tree.unflatten(
      jax.tree.structure(params), [*others, last + trace]
    )

  def run_steps(state, number, images, labels):
    present_key = jax.random.fold_in(state.key, training.Stream.PRESENT)
    seed = jax.random.key_data(state.key)[-1]

    def step(index, carry):
      number = (index + seed) % _NUM_BATCHES  # Seeds differ in their minibatch.
      key = jax.random.fold_in(present_key, index)
      if name == 'infer':
        params, opt_state = carry
        return infer(params, key, images[number]), opt_state
      batch = images[number], labels[number]
      return device.learn(network, jax.random.split(key), carry, *batch)[0]

    carry = state.params, state.opt_state
    carry = jax.lax.fori_loop(0, number, step, carry)
    return state._replace(params=carry[0], opt_state=carry[1])

  size = config.batch_size
  programs = loop.make_programs(network, device, size)
  state = programs.start(jnp.arange(num_seeds))
  if name == 'epoch':
    function, split = programs.train_epoch, _select(dataset, FLAGS.num_images)
    arguments = lambda number: (split,)
  else:
    axes = 0, None, None, None
    function = loop.over_seeds(run_steps, axes, donate_argnums=0)
    batches = [
      array.reshape(_NUM_BATCHES, size, *array.shape[1:])
      for array in _select(dataset, _NUM_BATCHES * size)
    ]
    arguments = lambda number: (jnp.int32(number), *batches)
  compiled = function.lower(state, *arguments(1)).compile()
  memory = compiled.memory_analysis()
  memory = memory.temp_size_in_bytes + memory.output_size_in_bytes

  def run(number):
    nonlocal state
    if name == 'epoch':
      for _ in range(number):
        state, *_ = compiled(state, *arguments(1))
    else:
      state = compiled(state, *arguments(number))
    jax.block_until_ready(state)

  return run, round(memory / 2**20, 4)


# Times.


def _seconds(run, number):
  began = time.perf_counter()
  run(number)
  return (time.perf_counter() - began) / number


def _compare(name, configs):
  """Times settings alternately and yields their lines; the first is BP."""
  num_seeds, compiled, numbers = FLAGS.num_seeds or 1, [], []
  for config in configs:
    run, peak_mib = _compile(name, config, num_seeds)
    run(1)
    numbers.append(max(1, round(_MIN_SECONDS / _seconds(run, 1))))
    compiled.append((run, peak_mib))
  times = [
    [1e3 * _seconds(run, number) for (run, _), number in zip(compiled, numbers)]
    for _ in range(FLAGS.rounds)
  ]
  for index, config in enumerate(configs):
    ratios = [timings[index] / timings[0] for timings in times]
    median = statistics.median(timings[index] for timings in times)
    network = config_lib.network_config(config, _load(config.dataset))
    yield {
      'name': name,
      **lines.describe(config, network),
      'batch_size': config.batch_size,
      'num_seeds': num_seeds,
      'device': config.device,
      'median_ms': round(median, 4),
      'ratio_to_bp': round(statistics.median(ratios), 3),
      'peak_mib': compiled[index][1],
      'rounds': FLAGS.rounds,
    }


def _measure():
  """Yields the lines of all settings of the flags."""
  comparisons = {}
  for name in FLAGS.names:
    for config in lines.list_settings():
      if name == 'learn' or config.device == config_lib.IDEAL:
        own = config.neuron, config.layers, config.model, config.model_args
        key = name, *own, config.batch_size
        comparisons.setdefault(key, []).append(config)
  for (name, *_), configs in tqdm.tqdm(comparisons.items(), disable=None):
    if configs[0].method != config_lib.ANN:
      raise ssnn_jax.UserError(
        '--grid has methods, but not bp, whose time is the unit; add it.'
      )
    yield from _compare(name, configs)


def _to_table(measured):
  """Writes what differs between lines, and times, as a table."""
  frame = pd.DataFrame(measured)
  varied = [x for x in frame if frame[x].nunique(dropna=False) > 1]
  shown = frame[[*dict.fromkeys([*varied, *_TIMES])]].fillna('')
  return shown.to_string(index=False, float_format='{:.3g}'.format)


def main() -> None:
  """Prints times."""
  if FLAGS.json:
    lines.write(__spec__.name, _measure())
  else:
    print(_to_table(_measure()))


if __name__ == '__main__':
  lines.define_flags()
  flags.DEFINE_list('names', 'learn,infer', 'timed: learn, infer, epoch.')
  flags.DEFINE_integer('num_images', 12800, 'images of an epoch.', 1)
  flags.DEFINE_integer('rounds', 15, 'number of timings of a median.', 1)
  flags.DEFINE_boolean('json', False, 'print JSON lines instead of a table.')
  command.launch(main, define_flags=models.define_flags)
