"""Statistics of event recordings: number, time and position of events.

  python -m experiments.measurements.event_statistics > event_statistics.jsonl

prints one JSON line per data set, over all recordings found.
"""

from typing import Any

from absl import flags
import numpy as np
import tqdm

from experiments.config import command
from experiments.measurements import json_lines
from ssnn_jax import datasets
from ssnn_jax.datasets import loading
from ssnn_jax.datasets import recordings
from ssnn_jax.runs import provenance

_COUNT_STEP = 250  # events per recording
_TIME_STEP = 5  # milliseconds
_DURATION = 320  # milliseconds


def statistics(splits: list[recordings.Recordings]) -> dict[str, Any]:
  """Computes statistics over the recordings of all splits.

  Returns:
    `count_histogram`: recordings per bin of `count_step` events. `polarity_1`:
    fraction of darkening events. `time_profile`: events per recording and ms,
    in bins of `time_step` ms. `event_map`: `[2, 34, 34]` events per recording.
  """
  counts = np.concatenate([np.diff(split.offsets) for split in splits])
  edges = np.arange(0, _DURATION + 1, _TIME_STEP) * 1000
  profile = sum(np.histogram(split.times, edges)[0] for split in splits)
  shape = recordings.NUM_POLARITIES, recordings.HEIGHT, recordings.WIDTH
  event_map = sum(
    np.bincount(split.addresses, minlength=np.prod(shape)) for split in splits
  ).reshape(shape)
  return {
    'num_recordings': len(counts),
    'mean_count': float(counts.mean()),
    'sd_count': float(counts.std()),
    'count_step': _COUNT_STEP,
    'count_histogram': np.bincount(counts // _COUNT_STEP).tolist(),
    'polarity_1': float(event_map[1].sum() / event_map.sum()),
    'time_step': _TIME_STEP,
    'time_profile': (profile / len(counts) / _TIME_STEP).round(4).tolist(),
    'event_map': (event_map / len(counts)).round(4).tolist(),
  }


def _measure(values):
  """Yields the line of each data set."""
  data_dir = loading.find_data_dir(values['data_dir'])
  names = command.choices(values, 'datasets', datasets.RECORDINGS)
  for name in tqdm.tqdm(names, disable=None, unit='set'):
    splits = loading.load_recordings(name, data_dir, values['download'])
    yield {'dataset': name, **statistics(list(splits.values()))}


def main() -> None:
  """Prints the statistics of all data sets."""
  measured = _measure(flags.FLAGS.flag_values_dict())
  json_lines.write(__spec__.name, provenance.environment(), measured)


if __name__ == '__main__':
  defaults = 'n_mnist,synthetic_events/digits,synthetic_events/fashion_mnist'
  with command.group('Data'):
    flags.DEFINE_list('datasets', defaults, 'data sets of recordings.')
  command.define_data_dir()
  command.launch(main)
