"""Ticks, spikes and synaptic events until bipolar networks are silent.

  python -m experiments.measurements.settling --dataset=digits > settling.jsonl

Networks have the weights of an ANN after some training steps, and are played
with the batch after it. Each JSON line has one way to play a network: with
bounds on the spikes of a tick, and errors that start later.
"""

from collections.abc import Iterator
import itertools
from typing import Any

from absl import flags
import jax
import numpy as np
import tqdm

from experiments import command
from experiments.measurements import fidelity
from experiments.measurements import json_lines
import ssnn_jax
from ssnn_jax import realtime

FLAGS = flags.FLAGS


def measure(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  images: jax.Array,
  labels: jax.Array,
  wires: realtime.Wires,
) -> dict[str, Any]:
  """Returns the line of a network that is played with such wires."""
  key = jax.random.key(0)
  played = realtime.play(config, params, key, images, labels, wires)
  seen = realtime.count_events(config, played)
  sent, errors = sum(seen.sent[1:]), sum(seen.errors_sent)
  # Of hidden layers; the spikes of inputs are never taken back.
  stayed = sum(seen.stayed[1:])
  return {
    'median_silence': float(np.median(played.silence)),
    'last_silence': int(played.silence.max()),
    'forward_spikes': round(sent, 1),
    'forward_ratio': round(sent / stayed, 3) if stayed else None,
    'error_spikes': round(errors, 1),
    'error_ratio': round(errors / sum(seen.errors_stayed), 3),
    'coincidences': round(sum(seen.updates), 1),
  }


def _measure() -> Iterator[dict[str, Any]]:
  """Yields the lines of all networks and wires of the flags."""
  dataset, size = fidelity.load(), FLAGS.batch_size
  batch = [array[-size:] for array in dataset.train]
  networks = list(dict.fromkeys(fidelity.list_networks(dataset)))
  caps = [tuple(map(_read_cap, cap.split(':'))) for cap in FLAGS.caps]
  starts = list(map(float, FLAGS.error_starts))
  settings = list(itertools.product(networks, caps, starts))
  wirings = None
  for config, (cap, error_cap), start in tqdm.tqdm(settings, disable=None):
    if config.wirings != wirings:
      wirings = config.wirings
      params = fidelity.train_ann(config, dataset, size, FLAGS.train_steps)
    first = round(start * config.num_steps)
    wires = realtime.Wires(cap=cap, error_cap=error_cap, error_start=first)
    yield {
      'dataset': dataset.name,
      **fidelity.describe(config),
      'cap': cap,
      'error_cap': error_cap,
      'error_start': first,
      **measure(config, params, *batch, wires),
    }


def _read_cap(text):
  return None if text == 'none' else int(text)


def main() -> None:
  """Prints the lines of all settings of the flags."""
  json_lines.write(__spec__.name, _measure())


def _define_flags():
  fidelity.define_flags()
  flags.DEFINE_list(
    'caps',
    '1:1,1:4,3:3,none:none',
    'most spikes of a neuron in a tick, forward and of errors, as 1:4.',
  )
  flags.DEFINE_list(
    'error_starts', '0,0.5,1', 'first ticks with errors, as fractions of T.'
  )
  FLAGS.set_default('neurons', 'bipolar')
  FLAGS.set_default('samplers', 'default')
  FLAGS.set_default('num_steps', '16')


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
