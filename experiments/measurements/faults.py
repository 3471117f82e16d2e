"""Faults of wires and synapses: what they cost a network, and its learning.

  python -m experiments.measurements.faults --learn > faults.jsonl

The flags of `experiments.run` describe the networks. Each is trained without
faults, and then plays test batches with each of `--faults`; with `--learn`,
another one also learns with the fault, batch by batch, each played until it is
silent. A JSON line has one network, fault and seed.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from experiments import command
from experiments.measurements import economy
from experiments.measurements import lines
from experiments.runs import train
from experiments.runs.config import ExperimentConfig
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import realtime

FLAGS = flags.FLAGS
_FAULTS = (
  ';loss=1e-6;loss=1e-5;loss=1e-4;loss=1e-3;loss=1e-2;loss=1e-1'
  ';stuck=1e-4;stuck=1e-3;stuck=1e-2;stuck=1e-1;delay=3;delay=7'
)


def make_play(
  network: ssnn_jax.NetworkConfig, fault: str, seed: int
) -> Callable[..., realtime.Played]:
  """Makes `(params, key, inputs, labels) -> Played` of a network with a fault.

  A fault is 'stuck=' and the fraction of weights that are stuck at 0, chosen by
  the seed, or wires of `economy.make_wires`.
  """
  name, _, level = fault.partition('=')
  is_stuck = name == 'stuck'
  fraction, text = (float(level), '') if is_stuck else (0.0, fault)
  wires = economy.make_wires(text, network)
  keys = jax.random.split(jax.random.key(seed), len(network.wirings))
  stuck = [
    jax.random.bernoulli(key, fraction, wiring.weights_shape)
    for key, wiring in zip(keys, network.wirings)
  ]

  def stick(layers):
    return tuple(
      layer._replace(weights=jnp.where(own, 0.0, layer.weights))
      for own, layer in zip(stuck, layers)
    )

  def play(params, key, *batch):
    own = wires._replace(key=jax.random.fold_in(key, 0))
    played = realtime.play(network, stick(params), key, *batch, own)
    return played._replace(update=stick(played.update))

  return play


def learn(
  config: ExperimentConfig,
  network: ssnn_jax.NetworkConfig,
  split: datasets.Split,
  play: Callable[..., realtime.Played],
) -> ssnn_jax.Params:
  """Returns the parameters of a network that learned by played batches."""
  key, size = jax.random.key(config.seed), config.batch_size
  params = ssnn_jax.ssnn(network).init(jax.random.key(config.seed))
  rng, number = np.random.default_rng(config.seed), len(split.labels)
  orders = [rng.permutation(number) for _ in range(config.num_epochs)]
  batches = [
    order[first : first + size]
    for order in orders
    for first in range(0, number - size + 1, size)
  ]
  for step, own in enumerate(batches):
    rate = config.learning_rate * (1 - step / len(batches))
    batch = split.inputs[own], split.labels[own]
    update = play(params, jax.random.fold_in(key, step), *batch).update
    params = jax.tree.map(lambda w, u: w - rate * u, params, update)  # noqa: B023
  return params


def measure(
  config: ExperimentConfig,
  trained: economy.Trained,
  faults: Sequence[str],
  split: datasets.Split | None = None,
) -> Iterator[dict[str, Any]]:
  """Yields the line of each fault; another network learns from a split."""
  described, network, params, batches = trained
  key = jax.random.key(config.seed)
  keys = [jax.random.fold_in(key, number) for number in range(len(batches))]
  settle = jax.jit(jax.grad(ssnn_jax.ssnn(network).loss, has_aux=True))
  settled = [settle(params, k, *own)[0] for k, own in zip(keys, batches)]

  def evaluate(play, params):
    plays = [play(params, k, *own) for k, own in zip(keys, batches)]
    right = [
      np.mean(np.argmax(played.potentials[-1], axis=1) == labels)
      for played, (_, labels) in zip(plays, batches)
    ]
    return float(np.mean(right)), plays

  for fault in faults:
    play = make_play(network, fault, config.seed)
    accuracy, plays = evaluate(play, params)
    updates = [played.update for played in plays]
    distance = _norm(jax.tree.map(jnp.subtract, updates, settled))
    line = {
      'fault': fault,
      'seed': config.seed,
      'num_eval_samples': sum(len(labels) for _, labels in batches),
      'test_accuracy': accuracy,
      'update_error': distance / _norm(settled),
      'median_silence': float(np.median([x.silence for x in plays])),
    }
    if split is not None:
      learned = learn(config, network, split, play)
      line['test_accuracy_learned'], _ = evaluate(play, learned)
    yield described | line


def _norm(tree):
  squares = [np.sum(np.square(leaf)) for leaf in jax.tree.leaves(tree)]
  return float(np.sqrt(sum(squares)))


def _measure():
  settings = [x for x in lines.list_settings() if x.method == 'ssnn']
  for config in tqdm.tqdm(settings, disable=None):
    for seed in range(FLAGS.num_seeds or 1):
      seeded = dataclasses.replace(config, seed=seed)
      dataset = train.load(seeded, FLAGS.data_dir)
      trained = economy.train_network(seeded, dataset, FLAGS.num_samples)
      split = dataset.train if FLAGS.learn else None
      yield from measure(seeded, trained, FLAGS.faults.split(';'), split)


if __name__ == '__main__':
  lines.define_flags()
  flags.DEFINE_string('faults', _FAULTS, 'faults, separated by semicolons.')
  flags.DEFINE_boolean('learn', False, 'also learn with each fault.')
  flags.DEFINE_integer('num_samples', 1024, 'test samples to play.', 1)
  command.launch(lambda: lines.write(__spec__.name, _measure()))
