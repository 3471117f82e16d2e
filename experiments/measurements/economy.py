"""What a sample costs: additions of spikes, and ticks, until silence.

  python -m experiments.measurements.economy --num_steps=16 > economy.jsonl

The flags of `experiments.run` describe the networks. Each is trained, or read
from --init_from, and then plays samples of the evaluation split, with their
labels. A JSON line has the spikes and additions of a sample, for each of
`--wires`, as ratios to the products of the same ANN forward, and in learning,
and how many of these have no factor 0, by the settled rates and errors; a line
of each tick has the accuracy after it, the additions so far, and the fraction
of samples that are silent. An ANN has its products. Of signals the costs are
those of a moment in a network that is never reset, until the shortest of them
ends.
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
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import signals

FLAGS = flags.FLAGS
_KEY = jax.random.key(0)
_EVENTS = 'forward_events', 'error_events', 'coincidences'


class Trained(NamedTuple):
  """A trained network, and what it is to play."""

  described: dict[str, Any]  #: fields that identify it
  network: ssnn_jax.NetworkConfig | ssnn_jax.Model
  params: Any
  batches: list[tuple[np.ndarray, np.ndarray]]  #: inputs and labels


def train_network(
  config: ExperimentConfig, dataset: datasets.Dataset, num_samples: int
) -> Trained:
  """Trains or reads a network; it is to play the first test samples.

  Signals are one batch, of about the same length, from the median on.
  """
  network = config_lib.network_config(config, dataset)
  params = _find_params(config, network, dataset)
  split = train.eval_split(dataset)
  if is_stream(config):
    lengths = np.sum(split.labels >= 0, axis=1)
    middle = np.argsort(lengths, kind='stable')[len(lengths) // 2 :]
    split = datasets.Split(*(array[middle] for array in split))
  most = min(num_samples, len(split.labels))
  size = most if is_stream(config) else min(config.batch_size, most)
  batches = [
    tuple(array[first : first + size] for array in split)
    for first in range(0, most - size + 1, size)  # all of one size
  ]
  described = lines.describe(config, network)
  return Trained(described, network, params, batches)


def _find_params(config, network, dataset):
  """Reads the parameters of --init_from, or trains them."""
  if config.init_from:
    model = network if config.model else None
    return ssnn_jax.load(config.init_from, model).params
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
  return fitted.state.params


def is_stream(config: ExperimentConfig) -> bool:
  """Returns whether a run has signals in time, which are no texts."""
  is_text = signals.is_text_path(config.dataset)
  return catalog.is_signal(config.dataset) and not is_text


def make_wires(text: str, network: ssnn_jax.NetworkConfig) -> realtime.Wires:
  """Makes wires of a text, such as 'cap=4,delay=7', or 'unit'.

  `delay` is the longest delay in ticks; each neuron has its own, drawn evenly.
  Unit spikes are worth one count, or one winner; a layer waits for a quarter of
  the inputs.
  """
  fields = {}
  if 'unit' in text:
    wait = max(1, network.num_steps // 4)
    fields = {'cap': 1, 'error_cap': 1 / 64, 'wait': wait}
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


def relate(
  line: dict[str, Any], model: ssnn_jax.NetworkConfig | ssnn_jax.Model, params
) -> dict[str, Any]:
  """Adds what learning takes, and additions as ratios to the products of BP."""
  products = realtime.count_products(model, params)
  learning = sum(line[name] for name in _EVENTS)
  return line | {
    'learning_events': round(learning, 1),
    'forward_ratio': round(line[_EVENTS[0]] / products.forward, 4),
    'learning_ratio': round(learning / sum(products), 4),
  }


def _count(plays, additions):
  """Counts what a sample takes, in the mean over plays."""
  silence = np.concatenate([played.silence for played in plays])
  mean = lambda total: round(float(total) / len(silence), 1)
  count = lambda layers: sum(map(np.count_nonzero, layers))
  totals = sum(np.sum(layers, axis=(0, 2, 3)) for layers in additions)
  return {
    'median_silence': float(np.median(silence)),
    'late_silence': float(np.quantile(silence, 0.95, method='higher')),
    'forward_spikes': mean(sum(count(played.spikes) for played in plays)),
    'error_spikes': mean(sum(count(played.errors) for played in plays)),
    **dict(zip(_EVENTS, map(mean, totals))),
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


def _count_nonzero(network, params, plays):
  """Counts products of backpropagation without a factor 0, of a sample.

  They are the additions of a network whose neurons all send once.
  """
  total = 0
  for played in plays:
    once = lambda layers: tuple(np.sign(own)[None] for own in layers)
    at_once = played._replace(
      spikes=once(played.counts), errors=once(played.sent_errors)
    )
    total += np.sum(realtime.count(network, params, at_once))
  return round(float(total) / sum(len(own.silence) for own in plays), 1)


def measure(trained: Trained, texts: list[str]) -> Iterator[dict[str, Any]]:
  """Yields the lines of a network, for wires of `make_wires`."""
  described, network, params, batches = trained
  if network.neuron == 'stochastic':
    drawn = _count_drawn(network, params, batches)
    yield described | relate(drawn, network, params)
    return
  labels = np.concatenate([own for _, own in batches])
  for text in texts:
    wires = make_wires(text, network)
    plays = [
      realtime.play(network, params, _KEY, *batch, wires) for batch in batches
    ]
    additions = [realtime.count(network, params, own) for own in plays]
    line = described | {'wires': text}
    counted = relate(_count(plays, additions), network, params)
    answers = getattr(network, 'answers', 'last')
    accuracies, silent = realtime.score(plays, labels, answers)
    is_far = np.abs(accuracies - accuracies[-1]) > 0.01
    counted['answer'] = float(np.max(np.flatnonzero(is_far), initial=-1) + 2)
    if 'delay' in text:  # changes are counted as if spikes arrived at once
      for name in ('coincidences', 'learning_events', 'learning_ratio'):
        del counted[name]
    if not text:
      counted['nonzero_products'] = _count_nonzero(network, params, plays)
    yield line | counted | {'test_accuracy': float(accuracies[-1])}
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


def measure_moments(
  model: ssnn_jax.Model,
  params: Any,
  batch: tuple[np.ndarray, np.ndarray],
  *,
  reset: bool = False,
) -> dict[str, Any]:
  """Measures a moment of a batch of signals, with labels, on average.

  With `reset` each moment is presented from rest.
  """
  inputs, labels = batch
  length = np.min(np.sum(labels >= 0, axis=1))
  rates = ssnn_jax.rate_encode(inputs).reshape(inputs.shape)
  batch = rates[:, :length], labels[:, :length]
  costs = realtime.stream(model, params, _KEY, *batch, reset=reset).costs
  mean = lambda numbers: round(float(np.mean(numbers)), 1)
  line = {
    'forward_spikes': mean(costs.spikes),
    'error_spikes': mean(costs.error_spikes),
    'median_silence': float(np.median(costs.ticks)),
  }
  events = costs.forward, costs.backward, costs.changes
  return relate(line | dict(zip(_EVENTS, map(mean, events))), model, params)


def _score(network, trained):
  """Returns the accuracy on samples to play, of all moments with a label."""
  inputs, labels = map(np.concatenate, zip(*trained.batches))
  found = training.predict(network, trained.params, inputs)
  counts = found.confusion(labels)
  return float(np.trace(counts) / np.sum(counts))


def _measure_network(config, trained, dataset):
  """Yields the lines of a network of spikes."""
  described, network, params, batches = trained
  inputs, labels = train.eval_split(dataset)
  found = training.predict(
    ssnn_jax.ssnn(network), params, inputs, seed=config.seed
  )
  whole = {'calibration_error': round(found.calibration_error(labels), 5)}
  if is_stream(config):
    whole |= {'test_accuracy': _score(ssnn_jax.ssnn(network), trained)}
    yield described | whole | measure_moments(network, params, batches[0])
    return
  measured = measure(trained, FLAGS.wires.split(';'))
  yield next(measured) | whole
  yield from measured


def _measure_ann(trained):
  """Returns the line of an ANN, with its accuracy on the same samples."""
  described, network, params, _ = trained
  line = {'test_accuracy': _score(ssnn_jax.ann(network), trained)}
  line |= zip(_EVENTS, realtime.count_products(network, params))
  return described | relate(line, network, params)


def _measure():
  for config in tqdm.tqdm(lines.list_settings(), disable=None):
    dataset = train.load(config, FLAGS.data_dir)
    trained = train_network(config, dataset, FLAGS.num_samples)
    if config.method == config_lib.ANN:
      yield _measure_ann(trained)
    else:
      yield from _measure_network(config, trained, dataset)


if __name__ == '__main__':
  lines.define_flags(without=())
  flags.DEFINE_string(
    'wires',
    '',
    'fields of realtime.Wires unlike the defaults, as cap=4,wait=8, longest '
    'delays, as delay=7, or unit spikes, as unit; several are separated by '
    'semicolons.',
  )
  flags.DEFINE_integer('num_samples', 1024, 'samples that are played.', 1)
  command.launch(
    lambda: lines.write(__spec__.name, _measure()),
    define_flags=models.define_flags,
  )
