"""A first look: a model as anyone writes it, with itself by spikes.

  python -m experiments.demo

Compares a module of flax with its network of spiking neurons on digits, in five
seeds, and explains what each line of it adds, also in a figure.
"""

import pathlib

from absl import flags
import flax.linen as nn
import jax
import jax.numpy as jnp
from matplotlib import figure

from experiments import command
import ssnn_jax
from ssnn_jax import figures
from ssnn_jax import training

_EPOCHS, _RATE = 10, 0.1


class Model(nn.Module):
  """Layer normalization and GELU, `[B, 8, 8]` images to logits."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""
    x = nn.Dense(64)(x.reshape(len(x), -1))
    x = nn.Dense(64)(nn.gelu(nn.LayerNorm()(x)))
    return nn.Dense(10)(nn.gelu(nn.LayerNorm()(x)))


def explain(dataset: ssnn_jax.datasets.Dataset) -> figure.Figure:
  """Prints what the lines of the trained model add; returns the figure."""
  module, images = Model(), jnp.float32(dataset.test.inputs) / 255
  network = ssnn_jax.ssnn(ssnn_jax.as_function(module, images))
  state = training.fit(network, _RATE, dataset, num_epochs=_EPOCHS).state
  explained = ssnn_jax.explain(module.apply, state.params, images)
  print(explained)
  return figures.explained.draw(explained)


def main() -> None:
  """Prints the comparison and the explanation, and saves the figure."""
  digits = ssnn_jax.datasets.load('digits')
  options = {'num_epochs': _EPOCHS, 'optimizer': _RATE}
  print(training.compare(Model(), digits, num_steps=(None, 8, 4), **options))
  path = pathlib.Path(flags.FLAGS.figure)
  path.parent.mkdir(parents=True, exist_ok=True)
  explain(digits).savefig(path, dpi=150)
  print(f'figure: {path}')


if __name__ == '__main__':
  flags.DEFINE_string('figure', 'runs/demo.png', 'the figure to write')
  command.launch(main)
