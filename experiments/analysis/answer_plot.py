"""Figure of the main result: accuracy against train length and price."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style


def draw(
  runs: pd.DataFrame,
  prices: Mapping[str, Mapping[int, float]],
  margin: float,
) -> figure.Figure:
  """Draws accuracy minus that of the ANN against T, and against the price.

  Args:
    runs: the ANN, and spiking networks that differ from it in T and sampler.
    prices: time of a learning step in steps of backpropagation, by sampler and
      T.
    margin: equivalence margin in points, drawn as a band.

  Returns:
    The figure.
  """
  ann, spiking = frames.split_baseline(runs)
  fig, (lengths, costs) = style.make(2)
  for index, (sampler, label) in enumerate(panels.TRAINS.items()):
    settings = frames.settings(frames.select(spiking, sampler=sampler))
    steps = [frames.field(setting, 'num_steps') for setting in settings]
    places = {lengths: steps, costs: [prices[sampler][t] for t in steps]}
    look = {
      'color': style.COLORS[index],
      'marker': style.MARKERS[index],
      'label': label,
    }
    for axes, place in places.items():
      panels.plot_differences(axes, place, settings, ann, **look)
    for t, price, setting in zip(steps, places[costs], settings):
      difference = statistics.paired_difference(setting, ann)
      costs.annotate(
        f'T = {t}',
        (price, difference.mean),
        xytext=(6, -12),
        textcoords='offset points',
        fontsize=style.SMALL,
      )
  for axes in (lengths, costs):
    panels.shade_margin(axes, margin)
  panels.set_steps(lengths, spiking['num_steps'])
  costs.set_xlabel('time of a learning step, in BP steps (CPU)')
  costs.margins(x=0.18)
  costs.grid(alpha=0.3)
  style.legend_below(fig, [lengths])
  style.set_title(
    fig,
    'Fashion-MNIST, 784-256-10: accuracy against spike-train length and price',
    f'95 % intervals, paired over {panels.describe_seeds(runs)}',
  )
  return fig
