"""Pulses of the devices of a convolution, which all its positions share."""

from matplotlib.figure import Figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_CONV = 'conv16k5s2', 'conv32k5s2', '10'
_NETWORKS = {'conv': 'two convolutions, dense', 'dense': '784-256-10'}
# Layers of each network, and the positions that share a weight.
_LAYERS = {
  'conv': ('5 x 5\n(144)', '5 x 5\n(16)', 'dense\n(1)'),
  'dense': ('dense\n(1)', 'dense\n(1)'),
}
_BASE = {
  'num_steps': 16,
  'sampler': 'sobol',
  'batch_size': 128,
  'num_epochs': 5,
  'learning_rate': 0.5,
}
_DEVICE = 'gokmen_vlasov'


def _describe(runs):
  """Adds a column with the kind of network."""
  kinds = ['dense' if layers is None else 'conv' for layers in runs['layers']]
  return runs.assign(network=kinds)


def _count_pulses(runs):
  """Returns the mean pulses of the weights of each layer, by network."""
  counted = {}
  for network in _LAYERS:
    own = frames.select(runs, device=_DEVICE, network=network)
    counted[network] = [
      statistics.over_seeds(own.assign(pulses=pulses), 'pulses')
      for pulses in zip(*own['layer_pulses'])
    ]
  return counted


def _draw(runs: pd.DataFrame) -> Figure:
  """Draws the mean pulses of a weight in each layer."""
  fig, (axes,) = figures.make(1)
  names = sum(_LAYERS.values(), ())
  first = 0
  for index, (network, own) in enumerate(
    _count_pulses(_describe(runs)).items()
  ):
    figures.plot_numbers(
      axes,
      range(first, first + len(own)),
      own,
      label=_NETWORKS[network],
      color=figures.COLORS[index],
      marker=figures.MARKERS[index],
    )
    first += len(own)
  axes.set_xticks(range(len(names)), names)
  axes.set_xlabel('layer (positions that share a weight)')
  figures.set_log(axes.yaxis)
  axes.set_ylabel('pulses of a device')
  figures.finish(
    fig,
    [axes],
    figures.describe(frames.select(runs, device=_DEVICE)),
    f'pulses per device in {_BASE["num_epochs"]} epochs, averaged over the '
    'weights of a layer: mean ± standard deviation over seeds',
  )
  return fig


def _numbers(records):
  runs = _describe(comparisons.join(records))
  ann, spiking = frames.split_baseline(runs)
  numbers, name = comparisons.numbers, '{network}_{device}_minus_'
  return (
    {
      f'{network}_pulses{layer}': number
      for network, own in _count_pulses(runs).items()
      for layer, number in enumerate(own, start=1)
    }
    | numbers(ann, '{network}_ann', {'': comparisons.ACCURACY})
    | numbers(runs, f'{name}ann')
    | numbers(spiking, f'{name}ideal', device='ideal')
  )


_GRID = {'layers': (_CONV, None)}
_DEVICES = {
  'method': ('ssnn',),
  'device': (_DEVICE,),
  'endurance': (2.0**30,),  # so that pulses are counted
}

STUDY = Study(
  question='What does weight sharing do to the pulses of each device?',
  sweeps={
    'fashion_mnist': (
      Sweep(_GRID, 3, _BASE),
      Sweep(_GRID | _DEVICES, 3, _BASE),
    ),
  },
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'On Fashion-MNIST at T = 16, gokmen_vlasov devices cost a network of two '
      'convolutions more than 2 points of accuracy.',
      ('conv_gokmen_vlasov_minus_ideal',),
      below=-2,
    ),
  ),
  text="""
A weight of a convolution is one device, which the spikes of all positions pulse
([convolution](convolution.md)). Devices of `gokmen_vlasov` store the weights of
`conv16k5s2,conv32k5s2,10` and of 784-256-10, networks with about equal numbers
of products, and count their pulses. Sobol trains have 16 ticks; both
networks are trained for `5` epochs.

A weight of the first convolution, which `144` positions share, receives
{conv_pulses1:,.0f} pulses on average, one of the second, which `16` share,
{conv_pulses2:,.0f}, and one of the output layer {conv_pulses3:,.0f}. In the
dense network a weight of the hidden layer receives {dense_pulses1:,.0f} and one
of the output layer {dense_pulses2:,.0f}. Few shared devices take the pulses of
many: their endurance limits how long a convolution can learn. The variability
of all their pulses adds up as well, which may be why convolutions lose more
accuracy here.

Accuracy minus that of the ANN is {conv_gokmen_vlasov_minus_ann} points with
convolutions and {dense_gokmen_vlasov_minus_ann} with dense layers, minus that
of ideal devices {conv_gokmen_vlasov_minus_ideal} and
{dense_gokmen_vlasov_minus_ideal}.
""",
)
