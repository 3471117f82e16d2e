"""A first look: the paper's network learns digits, then a model by `spike`.

  python -m experiments.demo

Each is trained beside its ANN, which has the same seed and settings. A figure
has the spikes of the paper's network for a digit that it takes for another one,
forward and backward, in the same ticks.
"""

import pathlib

from absl import flags
import flax.linen as nn
import jax
import numpy as np

from experiments import command
import ssnn_jax
from ssnn_jax import figures
from ssnn_jax import training

_EPOCHS = 10
_PAPER = ssnn_jax.NetworkConfig((64, 64, 10), num_steps=32, timing='leaky')
_MODEL = nn.Sequential(
  [
    lambda x: x.reshape(len(x), -1),
    *(nn.Dense(64), nn.LayerNorm(), nn.gelu, nn.Dense(10)),
  ]
)


def learn(name, network, rate, digits):
  """Trains a network, and prints its accuracy; returns its parameters."""
  trained = training.fit(network, rate, digits, num_epochs=_EPOCHS)
  print(f'{name}: {trained.history.eval_accuracy[-1]:.2%}', flush=True)
  return trained.state.params


def main() -> None:
  """Trains both networks and their ANNs, and saves the figure."""
  digits = ssnn_jax.datasets.load('digits')
  print('64-64-10, both directions at once in 32 ticks:')
  network = ssnn_jax.ssnn(_PAPER)
  params = learn('  spikes', network, 0.5, digits)
  learn('  ANN', ssnn_jax.ann(_PAPER), 0.5, digits)
  print('a model with layer normalization and GELU, unchanged:')
  model = ssnn_jax.as_function(_MODEL, digits.train.inputs)
  learn('  spikes', ssnn_jax.ssnn(model), 0.3, digits)
  learn('  ANN', ssnn_jax.ann(model), 0.3, digits)
  found = training.predict(network, params, digits.test.inputs)
  wrong = np.flatnonzero(found.classes != digits.test.labels)[0]
  sample = digits.test.inputs[wrong], digits.test.labels[wrong]
  recorded = ssnn_jax.stochastic.record(
    _PAPER, params, jax.random.key(0), *sample
  )
  path = pathlib.Path(flags.FLAGS.figure)
  path.parent.mkdir(parents=True, exist_ok=True)
  figures.raster.draw(recorded).savefig(path, dpi=150)
  print(f'all spikes of a digit, both ways: {path}')


if __name__ == '__main__':
  flags.DEFINE_string('figure', 'runs/demo.png', 'the figure to write')
  command.launch(main)
