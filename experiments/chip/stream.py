r"""Trains the twin of the chip on signals, and prints its accuracy.

  python -m experiments.chip stream --dataset=spoken_digits --traces=0,1,2,3,5 \
    --layers=64,10 --num_steps=16 --fraction_bits=12,11

An epoch is one stream of all training signals, in random order, from whose
moments the chip learns one after another. The answer to a signal is that of its
last moment.
"""

from collections.abc import Callable
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments import command
from experiments.chip import settings
from ssnn_jax import chip
from ssnn_jax import training


def make_train_epoch(
  run: settings.Run, stream: settings.Stream
) -> Callable[..., tuple[Any, np.ndarray]]:
  """Builds `(carry, signals) -> (carry, classes)`, an epoch of a stream.

  The carry has the parameters and the state of the chip; of signals, their
  numbers in the order of the epoch, and whether each answer is right.
  """
  inputs, labels = jnp.asarray(stream.inputs), jnp.asarray(stream.labels)
  ends = np.flatnonzero(~stream.more) + 1
  moments = np.split(np.arange(len(labels)), ends[:-1])

  @jax.jit
  def learn(carry, batches):
    def step(carry, own):
      samples = inputs[own], labels[own]
      carry, inference = run.device.learn(None, None, carry, *samples)
      return carry, jnp.argmax(inference.potential, axis=1) == samples[1]

    return jax.lax.scan(step, carry, batches)

  def train_epoch(carry, signals):
    order = np.concatenate([moments[n] for n in signals])
    order = order[: len(order) // run.batch_size * run.batch_size]
    carry, is_right = learn(carry, order.reshape(-1, run.batch_size))
    return carry, np.ravel(is_right)[~stream.more[order]]

  return train_epoch


def main() -> None:
  """Prints the accuracy on the training signals of each epoch, and at last."""
  run, _, stream, test = settings.load_streams()
  train_epoch = make_train_epoch(run, stream)
  rng = np.random.default_rng(flags.FLAGS.seed)
  carry, size = (run.state.params, run.state.opt_state), np.sum(~stream.more)
  for epoch in range(run.num_epochs):
    carry, is_right = train_epoch(carry, rng.permutation(size))
    accuracy = np.mean(is_right)
    print(f'epoch {epoch + 1}: train accuracy {accuracy:.2%}', flush=True)
  found = training.predict(chip.make_network(run.config), carry[0], test.inputs)
  is_right = (found.classes == test.labels)[~test.more]
  print(f'test accuracy {np.mean(is_right):.2%}')


if __name__ == '__main__':
  settings.define(has_traces=True)
  command.launch(main)
