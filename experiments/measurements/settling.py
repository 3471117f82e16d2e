"""Ticks and spikes until bipolar networks are silent.

  python -m experiments.measurements.settling --num_steps=16 > settling.jsonl

The flags of `experiments.run` describe the networks. They have the weights of
an ANN after some training steps, and are played with the batch after it. Each
JSON line has one way to play a network: with bounds on the spikes of a tick,
and errors that start later.
"""

from collections.abc import Iterator
import itertools
from typing import Any

from absl import flags
import jax
import numpy as np

from experiments import command
from experiments.measurements import fidelity
from experiments.measurements import lines
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
  read = lambda text: None if text == 'none' else int(text)
  caps = [tuple(map(read, text.split(':'))) for text in FLAGS.caps]
  starts = list(map(float, FLAGS.error_starts))
  for described, config, *batch in fidelity.trained_networks():
    for (cap, error_cap), start in itertools.product(caps, starts):
      first = round(start * config.num_steps)
      wires = {'cap': cap, 'error_cap': error_cap, 'error_start': first}
      measured = measure(config, *batch, realtime.Wires(**wires))
      yield described | wires | measured


if __name__ == '__main__':
  fidelity.define_flags()
  flags.DEFINE_list(
    'caps',
    '1:1,1:4,3:3,none:none',
    'most spikes of a neuron in a tick, forward and of errors, as 1:4.',
  )
  flags.DEFINE_list(
    'error_starts', '0,0.5,1', 'first ticks with errors, as fractions of T.'
  )
  command.launch(lambda: lines.write(__spec__.name, _measure()))
