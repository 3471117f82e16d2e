"""Synthetic recordings of events compared with real ones."""

from collections.abc import Mapping

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.study import Study

_COLORS = (style.BLACK, style.ORANGE, style.BLUE, style.GREEN)
_LINES = ('-', '--', '-.', ':')
_POLARITIES = ('brightens (p = 0)', 'darkens (p = 1)')
_CORRELATED = ('time_profile', 'event_map')


def correlate(lines: pd.DataFrame, name: str) -> list[float]:
  """Correlates a quantity of each set of recordings with that of the first."""
  values = [np.ravel(value) for value in lines[name]]
  return [float(np.corrcoef(value, values[0])[0, 1]) for value in values]


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Describes recordings, one row a set, compared with the first set."""
  columns = {
    'recordings': lines['dataset'],
    'number': [f'{number:,}' for number in lines['num_recordings']],
    'events': [
      f'{mean:,.0f} ± {deviation:,.0f}'
      for mean, deviation in zip(lines['mean_count'], lines['sd_count'])
    ],
    'polarity 1': [f'{share:.3f}' for share in lines['polarity_1']],
  }
  for name in _CORRELATED:
    heading = f'{name.replace("_", " ")}, r'
    columns[heading] = [f'{r:.3f}' for r in correlate(lines, name)]
  return [pd.DataFrame(columns)]


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws events per recording, events over time, and maps of events."""
  fig = figure.Figure(figsize=(6.2, 9), layout='constrained')
  top, bottom = fig.subfigures(nrows=2, height_ratios=(5, 4))
  counts, profiles = top.subplots(nrows=2)
  for index, line in enumerate(lines.to_dict('records')):
    look = {
      'label': f'{line["dataset"]}: {line["mean_count"]:,.0f} events',
      'color': _COLORS[index % len(_COLORS)],
      'linestyle': _LINES[index % len(_LINES)],
      'linewidth': 2,
    }
    histogram = np.array(line['count_histogram'])
    edges = np.arange(len(histogram) + 1) * line['count_step']
    counts.stairs(100 * histogram / histogram.sum(), edges, **look)
    profile = line['time_profile']
    edges = np.arange(len(profile) + 1) * line['time_step']
    profiles.stairs(profile, edges, **look)
  counts.xaxis.set_major_formatter('{x:,.0f}')
  counts.set_xlabel('events in a recording')
  counts.set_ylabel('recordings (%)')
  counts.legend(title='mean')
  profiles.set_xlabel('time (ms)')
  profiles.set_ylabel('events per recording and ms')
  for axes in (counts, profiles):
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
  _draw_maps(bottom, lines)
  return fig


def _draw_maps(fig, lines):
  """Draws a map for each polarity, in rows, and each set, in columns."""
  maps = [np.array(event_map) for event_map in lines['event_map']]
  highest = max(event_map.max() for event_map in maps)
  panels = fig.subplots(2, len(maps), sharex=True, sharey=True, squeeze=False)
  for column, (name, event_map) in enumerate(zip(lines['dataset'], maps)):
    panels[0, column].set_title(name.replace('/', '/\n'), fontsize=style.TITLE)
    panels[1, column].set_xlabel('x (pixels)')
    for axes, polarity in zip(panels[:, column], event_map):
      image = axes.imshow(polarity, cmap='cividis', vmin=0, vmax=highest)
  for axes, polarity in zip(panels[:, 0], _POLARITIES):
    axes.set_ylabel(f'{polarity}\ny (pixels)')
  bar = fig.colorbar(image, ax=panels, shrink=0.8)
  bar.set_label('events per recording and pixel')


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes mean events, and correlations with the real recordings."""
  lines = records['n_mnist']
  columns = {
    'events': lines['mean_count'],
    **{f'{name}_r': correlate(lines, name) for name in _CORRELATED},
  }
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
{synthetic_digits_event_map_r:.2f} for the map of events, both polarities
together. The simulated camera was fitted to these recordings: its thresholds
and the light of the screen to the mean number of events, its path to the motion
of the maps. The numbers say how well it could be fitted, not how well it
predicts.

The simulation has no hot pixels, no slow tails between the bursts, and not the
small burst at `205` ms. The `8 x 8` digits, stretched to one box each, differ
less from each other than those of MNIST. Networks trained on synthetic
recordings are tested on real ones in [transfer](transfer.md).
""",
)
