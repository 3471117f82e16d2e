"""Ticks, spikes, additions and answers of networks until they are silent.

  python -m experiments.measurements.settling --num_steps=16 > settling.jsonl

The flags of `experiments.run` describe the networks. Each is trained, and then
plays batches of the evaluation split, with their labels. A JSON line has the
spikes and synaptic events of a sample, for each of `--wires`; a line of each
tick has the accuracy after it, the additions so far, and the fraction of
samples that are silent. An ANN has the products of the same layers.
"""

import ast
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import numpy as np
import tqdm

from experiments import command
from experiments.measurements import lines
from experiments.runs import config as config_lib
from experiments.runs import models
from experiments.runs import train
from experiments.runs.config import ExperimentConfig
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import realtime
from ssnn_jax import training

FLAGS = flags.FLAGS
_KEY = jax.random.key(0)


class Trained(NamedTuple):
  """A trained network, and what it is to play."""

  described: dict[str, Any]  #: fields that identify it
  network: ssnn_jax.NetworkConfig | ssnn_jax.Model
  params: Any
  batches: list[tuple[np.ndarray, np.ndarray]]  #: inputs and labels


def train_network(
  config: ExperimentConfig, dataset: datasets.Dataset, num_batches: int
) -> Trained:
  """Trains the network of a run; it is to play the first full test batches."""
  network = config_lib.network_config(config, dataset)
  schedule = train.make_schedule(config, len(dataset.train.labels))
  optimizer = training.make_optimizer(
    config.learning_rate, schedule, config.weight_decay, config.optimizer
  )
  build = ssnn_jax.ssnn if config.method == 'ssnn' else ssnn_jax.ann
  fitted = training.fit(
    build(network),
    optimizer,
    dataset,
    num_epochs=config.num_epochs,
    batch_size=config.batch_size,
    seed=config.seed,
    evaluate=False,
    progress=False,
  )
  size, split = config.batch_size, train.eval_split(dataset)
  most = min(num_batches, len(split.labels) // size)
  batches = [
    tuple(array[first : first + size] for array in split)
    for first in range(0, most * size, size)
  ]
  described = lines.describe(config, network)
  return Trained(described, network, fitted.state.params, batches)


def make_wires(text: str, network: ssnn_jax.NetworkConfig) -> realtime.Wires:
  """Makes wires of a text, such as 'cap=4,delay=7', or 'unit'.

  `delay` is the longest delay in ticks; each neuron has its own, drawn evenly.
  Unit spikes are worth one count, or one winner; their errors wait for half of
  the inputs.
  """
  fields = {}
  if 'unit' in text:
    start = network.num_steps // 2
    fields = {'cap': 1, 'error_cap': 1 / 64, 'error_start': start}
  for part in text.split(','):
    name, is_field, value = part.partition('=')
    if is_field:
      fields[name] = ast.literal_eval(value)
  if 'delay' in fields:
    rng, ends = np.random.default_rng(0), 1 + fields.pop('delay')
    draw = lambda sizes: tuple(rng.integers(0, ends, size) for size in sizes)
    sizes = network.layer_sizes
    fields |= {'forward': draw(sizes[:-1]), 'backward': draw(sizes[1:])}
  return realtime.Wires(**fields)


def _count(plays, additions, layers):
  """Counts what a sample takes in consecutive layers, from 0, the inputs.

  `additions` are those of the plays; synapses are those into the layers.
  """
  forward = slice(layers.start, layers.stop)
  backward = slice(max(0, layers.start - 1), layers.stop - 1)
  plays = [
    played._replace(
      spikes=played.spikes[forward], errors=played.errors[backward]
    )
    for played in plays
  ]
  silence = np.concatenate([played.silence for played in plays])

  def mean(find):
    """Returns the mean over samples of what is found in each play."""
    totals = [np.sum(find(*own), dtype=float) for own in zip(plays, additions)]
    return round(float(np.sum(totals)) / len(silence), 1)

  def count_spikes(layers):
    return sum(map(np.count_nonzero, layers))

  return {
    'median_silence': float(np.median(silence)),
    'late_silence': float(np.quantile(silence, 0.95, method='higher')),
    'forward_spikes': mean(lambda own, _: count_spikes(own.spikes)),
    'error_spikes': mean(lambda own, _: count_spikes(own.errors)),
    'forward_events': mean(lambda _, own: [x.forward for x in own[backward]]),
    'error_events': mean(lambda _, own: [x.backward for x in own[backward]]),
    'coincidences': mean(lambda _, own: [x.changes for x in own[backward]]),
  }


def _count_products(network, params, inputs, labels):
  """Counts the products of backpropagation, those of a sample.

  Each learned weight is one of the forward pass and of the update, and one of
  the errors for neurons below.
  """
  played = realtime.play(network, params, _KEY, inputs, labels)
  mark = lambda layers: tuple(np.ones_like(own[:1]) for own in layers)
  ends = {'spikes': mark(played.spikes), 'errors': mark(played.errors)}
  layers = realtime.count(network, params, played._replace(**ends))
  _, back, weights = np.sum(layers, axis=(0, 2, 3))
  return {
    'forward_events': int(weights),
    'error_events': int(back),
    'coincidences': int(weights),
  }


def _count_drawn(network, params, batches):
  """Counts what a sample of stochastic neurons takes."""
  observe = jax.jit(ssnn_jax.observe.make_observe(network))
  seen = [observe(params, _KEY, *batch) for batch in batches]
  seen = jax.tree.map(lambda *own: np.mean(own, axis=0), *seen)
  ticks, sizes = network.num_steps, network.layer_sizes
  multiply = lambda rates, sizes: [
    float(rate) * size * ticks for rate, size in zip(rates, sizes)
  ]
  spikes = multiply(seen.firing_rates, sizes)
  errors = multiply(seen.error_rates, sizes[1:])
  reached = seen.row_spikes or spikes
  reads = [n * x.num_columns for n, x in zip(reached, network.wirings)]
  back = [n * x.num_rows for n, x in zip(errors[1:], network.wirings[1:])]
  biases = ticks * sum(sizes[1:])  # their inputs spike in each tick
  counts = {
    'forward_spikes': sum(spikes),
    'forward_events': float(sum(reads)) + biases,
    'error_spikes': sum(errors),
    'error_events': sum(back),
    'coincidences': sum(map(float, seen.coincidences)),
  }
  return {name: round(count, 1) for name, count in counts.items()}


def measure(
  trained: Trained, texts: list[str], by_layer: bool = False
) -> Iterator[dict[str, Any]]:
  """Yields the lines of a network, for wires of `make_wires`."""
  described, network, params, batches = trained
  if network.neuron == 'stochastic':
    yield described | _count_drawn(network, params, batches)
    return
  labels = np.concatenate([own for _, own in batches])
  for text in texts:
    wires = make_wires(text, network)
    plays = [
      realtime.play(network, params, _KEY, *batch, wires) for batch in batches
    ]
    additions = [realtime.count(network, params, own) for own in plays]
    line = described | {'wires': text}
    layers = range(1 + len(plays[0].spikes))
    counted = _count(plays, additions, layers)
    accuracies, silent = realtime.score(plays, labels)
    is_far = np.abs(accuracies - accuracies[-1]) > 0.01
    counted['answer'] = float(np.max(np.flatnonzero(is_far), initial=-1) + 2)
    if 'delay' in text:  # changes are counted as if spikes arrived at once
      del counted['coincidences']
    yield line | counted
    if text not in ('', 'unit'):
      continue
    reads = [np.mean(sum(x.forward for x in own), axis=1) for own in additions]
    lengths = [(0, len(accuracies) - len(own)) for own in reads]
    reads = np.mean([np.pad(*own) for own in zip(reads, lengths)], axis=0)
    scores = zip(accuracies, np.cumsum(reads), silent)
    for tick, (accuracy, num_reads, is_silent) in enumerate(scores, 1):
      yield line | {
        'tick': tick,
        'test_accuracy': float(accuracy),
        'forward_events': round(float(num_reads), 1),
        'silent': float(is_silent),
      }
    for layer in layers[1:] if by_layer and not text else ():
      own = range(layer, layer + 1)
      yield line | {'layer': layer} | _count(plays, additions, own)


def _calibrate(config, trained, dataset):
  """Measures how sure a network is, of all samples of the evaluation split."""
  inputs, labels = train.eval_split(dataset)
  network = ssnn_jax.ssnn(trained.network)
  found = training.predict(network, trained.params, inputs, seed=config.seed)
  return {'calibration_error': round(found.calibration_error(labels), 5)}


def _measure_ann(config, dataset):
  """Returns the line of an ANN, with its accuracy on the same samples."""
  trained = train_network(config, dataset, FLAGS.num_batches)
  inputs, labels = map(np.concatenate, zip(*trained.batches))
  ann = ssnn_jax.ann(trained.network)
  found = training.predict(ann, trained.params, inputs)
  accuracy = float(np.mean(found.classes == labels))
  line = trained.described | {'test_accuracy': accuracy}
  batch = inputs[:1], labels[:1]
  return line | _count_products(trained.network, trained.params, *batch)


def _measure():
  for config in tqdm.tqdm(lines.list_settings(), disable=None):
    dataset = train.load(config, FLAGS.data_dir)
    if config.method == 'ssnn':
      trained = train_network(config, dataset, FLAGS.num_batches)
      found = measure(trained, FLAGS.wires.split(';'), FLAGS.by_layer)
      yield next(found) | _calibrate(config, trained, dataset)
      yield from found
    elif config.method == 'bp':
      yield _measure_ann(config, dataset)


if __name__ == '__main__':
  lines.define_flags(without=())
  flags.DEFINE_string(
    'wires',
    '',
    'fields of realtime.Wires unlike the defaults, as cap=4,error_start=8, '
    'longest delays, as delay=7, or unit spikes, as unit; several are '
    'separated by semicolons.',
  )
  flags.DEFINE_boolean('by_layer', False, 'also count each layer.')
  flags.DEFINE_integer('num_batches', 8, 'batches to play.', 1)
  command.launch(
    lambda: lines.write(__spec__.name, _measure()),
    define_flags=models.define_flags,
  )
