"""Pulses of the devices of a convolution, which all its positions share."""

from matplotlib.figure import Figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_CONV = 'conv16k5s2', 'conv32k5s2', '10'
_LAYERS = {  # and their numbers of positions
  'conv': (
    '5x5, 16 features:\n144 positions',
    '5x5, 32 features:\n16 positions',
  )
  + ('dense, 10',),
  'dense': ('dense, 256', 'dense, 10'),
}
_BASE = {
  'num_steps': 16,
  'sampler': 'sobol',
  'batch_size': 128,
  'num_epochs': 5,
  'learning_rate': 0.5,
}


def _describe(runs):
  """Adds a column with the kind of network."""
  kinds = ['dense' if layers is None else 'conv' for layers in runs['layers']]
  return runs.assign(network=kinds)


def _mean_pulses(layer):
  """Returns the metric of the mean pulses of a weight of a layer."""

  def compute(runs, base):
    del base
    pulses = [means[layer] for means in runs['layer_pulses']]
    return statistics.over_seeds(pd.DataFrame({'pulses': pulses}), 'pulses')

  return compute


def _count_pulses(runs):
  """Returns the mean pulses of the weights of each layer, by network."""
  counted = _describe(frames.select(runs, device='gokmen_vlasov'))
  return {
    network: [
      _mean_pulses(layer)(frames.select(counted, network=network), None)
      for layer in range(len(names))
    ]
    for network, names in _LAYERS.items()
  }


def _draw(runs: pd.DataFrame) -> Figure:
  """Draws the mean pulses of a weight in each layer."""
  fig, (axes,) = style.make(1, 1)
  names, place = [], 0
  for index, (network, numbers) in enumerate(_count_pulses(runs).items()):
    places = range(place, place + len(numbers))
    look = {'color': style.COLORS[index], 'marker': style.MARKERS[index]}
    label = {'conv': 'convolutional', 'dense': 'dense, 784-256-10'}[network]
    panels.plot_numbers(axes, places, numbers, label=label, **look)
    names += _LAYERS[network]
    place += len(numbers)
  axes.set_xticks(range(place), names)
  axes.set_yscale('log')
  style.set_log(axes.yaxis)
  axes.set_ylabel('pulses of a device')
  axes.grid(alpha=0.3)
  style.legend_below(fig, [axes])
  style.set_title(
    fig,
    f'{style.dataset_name(frames.field(runs, "dataset"))}, T = '
    f'{_BASE["num_steps"]}, {_BASE["num_epochs"]} epochs: mean over the '
    'weights of a layer',
    panels.describe_bars(frames.select(runs, device='gokmen_vlasov')),
  )
  return fig


def _numbers(records):
  runs = _describe(comparisons.join(records))
  pulses = {
    f'{network}_pulses{layer}': number
    for network, numbers in _count_pulses(comparisons.join(records)).items()
    for layer, number in enumerate(numbers, start=1)
  }
  ann, spiking = frames.split_baseline(runs)
  return (
    pulses
    | comparisons.numbers(ann, '{network}_ann', {'': comparisons.ACCURACY})
    | comparisons.numbers(runs, '{network}_{device}_minus_ann')
    | comparisons.numbers(
      spiking, '{network}_{device}_minus_ideal', device='ideal'
    )
  )


_NETWORKS = {'layers': (_CONV, None)}
_DEVICES = {
  'method': ('ssnn',),
  'device': ('gokmen_vlasov',),
  'endurance': (2.0**30,),  # so that pulses are counted
}

STUDY = Study(
  question='What does weight sharing do to the pulses of each device?',
  sweeps={
    'fashion_mnist': (
      Sweep(_NETWORKS, 3, _BASE),
      Sweep(_NETWORKS | _DEVICES, 3, _BASE),
    ),
  },
  figure=_draw,
  numbers=_numbers,
  text="""
""",
)
