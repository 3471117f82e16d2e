"""Synthetic recordings of events compared with real ones."""

from collections.abc import Mapping

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.study import Study

_CORRELATED = ('time_profile', 'event_map')


def correlate(lines: pd.DataFrame, name: str) -> list[float]:
  """Correlates a quantity of each data set with the first data set."""
  values = [np.ravel(value) for value in lines[name]]
  return [float(np.corrcoef(value, values[0])[0, 1]) for value in values]


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Describes recordings, one row per data set, compared with the first."""
  columns = {
    'recordings': lines['dataset'],
    'number': lines['num_recordings'].map('{:,}'.format),
    'events': lines['mean_count'].map('{:,.0f}'.format),
    'sd': lines['sd_count'].map('{:,.0f}'.format),
    'polarity 1': lines['polarity_1'].map('{:.3f}'.format),
  }
  for name in _CORRELATED:
    heading = f'{name.replace("_", " ")}, r'
    columns[heading] = [f'{r:.3f}' for r in correlate(lines, name)]
  return [pd.DataFrame(columns)]


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws distributions of events over recordings, time and pixels."""
  fig, (counts, profiles, *maps) = style.make(2 + len(lines), 2, 2.7)
  colors = (style.BLACK, *style.COLORS)
  for line, color, axes in zip(lines.to_dict('records'), colors, maps):
    look = {'label': line['dataset'], 'color': color, 'linewidth': 2}
    histogram = np.array(line['count_histogram'])
    edges = np.arange(len(histogram) + 1) * line['count_step']
    counts.stairs(100 * histogram / histogram.sum(), edges, **look)
    profile = line['time_profile']
    profiles.stairs(
      profile, np.arange(len(profile) + 1) * line['time_step'], **look
    )
    image = axes.imshow(np.sum(line['event_map'], axis=0), 'cividis', vmin=0)
    axes.set_title(line['dataset'].replace('/', '/\n'))
    axes.set_xlabel('x (pixels)')
    axes.set_ylabel('y (pixels)')
    fig.colorbar(image, ax=axes, label='events per recording')
  counts.locator_params('x', nbins=3)
  counts.set_xlabel('events in a recording')
  counts.set_ylabel('recordings (%)')
  profiles.set_xlabel('time (ms)')
  profiles.set_ylabel('events per recording and ms')
  style.legend_below(fig, [counts])
  return fig


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes mean events, and correlations with the real recordings."""
  lines = records['n_mnist']
  columns = {'events': lines['mean_count']}
  columns |= {f'{name}_r': correlate(lines, name) for name in _CORRELATED}
  return {
    f'{dataset.replace("synthetic_events/", "synthetic_")}_{name}': (
      statistics.Number(float(value))
    )
    for name, values in columns.items()
    for dataset, value in zip(lines['dataset'], values)
  }


STUDY = Study(
  question='How similar are synthetic recordings of events to real ones?',
  commands={
    'n_mnist': ('python -m experiments.measurements.event_statistics',)
  },
  table=table,
  figure=draw,
  numbers=numbers,
  text="""
The real recordings are `550` of N-MNIST. The synthetic ones were made by

```bash
python -m experiments.prepare --dataset=synthetic_events/digits
python -m experiments.prepare --num_recordings=2000 \\
  --dataset=synthetic_events/fashion_mnist
```

Synthetic digits have {synthetic_digits_events:,.0f} events on average, real
ones {n_mnist_events:,.0f}. Correlations r of synthetic digits with the real
recordings are {synthetic_digits_time_profile_r:.2f} for events over time and
{synthetic_digits_event_map_r:.2f} for the map of events. The simulated camera
was fitted to these recordings: its thresholds and the light of the screen to
the mean number of events, its path to the motion of the maps. The numbers
measure the quality of a fit, not of a prediction.

The simulation has no hot pixels, no slow tails between the bursts, and no small
burst at `205` ms. Networks trained on synthetic recordings are tested on real
ones in [transfer](transfer.md).
""",
)
