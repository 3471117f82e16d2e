"""A first look: a spiking network, its ANN, and what a spike is worth.

  python -m experiments.demo

Compares the network with its ANN on digits, in five seeds, and draws the
accuracy of one of them against the additions so far, tick by tick: of graded
spikes, and of unit spikes, which settle to the same.
"""

import pathlib

from absl import flags
import jax
from matplotlib import figure
import numpy as np

from experiments import command
from experiments.measurements import economy
import ssnn_jax
from ssnn_jax import realtime
from ssnn_jax import training

_STEPS, _EPOCHS = 16, 10


def draw(network, params, samples, products) -> figure.Figure:
  """Draws accuracies after each tick against the additions so far."""
  fig = figure.Figure(figsize=(5.6, 4.2), layout='constrained')
  axes = fig.add_subplot()
  for wires, name in (('', 'graded spikes'), ('unit', 'unit spikes')):
    wires = economy.make_wires(wires, network)
    played = realtime.play(network, params, jax.random.key(0), *samples, wires)
    accuracies, _ = realtime.score([played], samples[1])
    layers = realtime.count(network, params, played)
    reads = np.cumsum(np.mean(sum(own.forward for own in layers), axis=1))
    label = f'{name}: {len(accuracies)} ticks to silence'
    axes.plot(reads, 100 * accuracies, marker='.', label=label)
  axes.axvline(products, color='k', ls=':', label='products of the ANN')
  axes.set(xscale='log', ylabel='test accuracy of seed 0, %')
  axes.set(xlabel=f'additions forward, for an image, N = {_STEPS}')
  ticks = 1000, 3000, 10_000, 30_000
  axes.set_xticks(ticks, [f'{tick:,}' for tick in ticks])
  axes.minorticks_off()
  fig.legend(loc='outside lower center')
  axes.grid(alpha=0.3)
  return fig


def main() -> None:
  """Prints the comparison, and saves the figure."""
  digits = ssnn_jax.datasets.load('digits')
  config = ssnn_jax.NetworkConfig((64, 64, 10), num_steps=_STEPS)
  print(training.compare(config, digits, num_epochs=_EPOCHS))
  network = ssnn_jax.ssnn(config)
  state = training.fit(network, 0.5, digits, num_epochs=_EPOCHS).state
  products = realtime.count_products(config, state.params).forward
  path = pathlib.Path(flags.FLAGS.figure)
  path.parent.mkdir(parents=True, exist_ok=True)
  draw(config, state.params, digits.test, products).savefig(path, dpi=150)
  print(f'{path}: accuracy against additions, tick by tick')


if __name__ == '__main__':
  flags.DEFINE_string('figure', 'runs/demo.png', 'the figure to write')
  command.launch(main)
