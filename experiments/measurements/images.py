"""Intervals over test images: what another test set might have shown.

  python -m experiments.measurements.images --workdir=runs/parity-mnist

The networks of a sweep are compared with its ANN image by image. A JSON line
has the difference in points of a setting, and half widths of 95 % intervals of
normal means.
"""

from collections.abc import Iterator
from typing import Any

from absl import flags
import numpy as np

from experiments import command
from experiments.measurements import lines
from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs import train
from experiments.studies import frames
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training

FLAGS = flags.FLAGS


def find_widths(gains: np.ndarray) -> tuple[float, float]:
  """Returns the half widths of 95 % intervals of the mean.

  Args:
    gains: `[S, n]` differences of S seeds at each of n images.

  Returns:
    That over images, and that over seeds and images; NaN of one seed.
  """
  of_seeds, of_images = (
    np.var(means, ddof=1) / len(means)
    for means in (gains.mean(axis=1), gains.mean(axis=0))
  )
  return 1.96 * of_images**0.5, 1.96 * (of_images + of_seeds) ** 0.5


def _find_right(task, dataset):
  """Returns which images `[S, n]` the networks of a task classify rightly."""
  inputs, labels = dataset.test
  config = config_lib.network_config(task.config, dataset)
  network, right = config_lib.METHODS[task.config.method].make(config, None), []
  for seed in task.seeds:
    params = ssnn_jax.load(task.folder, config, seed=seed).params
    found = training.predict(network, params, inputs, seed=seed)
    right.append(found.classes == labels)
  return np.array(right)


def measure(
  tasks: list[records.Task], dataset: datasets.Dataset
) -> Iterator[dict[str, Any]]:
  """Yields the line of each task with spikes whose ANN is there."""
  shared = lambda task: {
    name: own
    for name, own in config_lib.to_json(task.config).items()
    if name != 'method' and config_lib.concerns(config_lib.ANN, name)
  }
  anns = [own for own in tasks if own.config.method == config_lib.ANN]
  for task in tasks:
    base = [own for own in anns if shared(own) == shared(task)]
    if task.config.method == 'ssnn' and base:
      right, of_base = (_find_right(own, dataset) for own in (task, base[0]))
      gains = 100.0 * (right - np.float64(of_base))
      numbers = gains.mean(), *find_widths(gains)
      names = 'points', 'images', 'seeds_and_images'
      yield {
        'setting': task.folder.parent.name,
        'num_seeds': len(gains),
        **{name: round(float(own), 3) for name, own in zip(names, numbers)},
      }


def _measure():
  workdir = command.folder(FLAGS.workdir)
  frames.read(workdir)  # refuses a folder without finished runs
  files = sorted(workdir.rglob(records.CONFIG))
  tasks = [records.read_task(file.parent) for file in files]
  tasks = [own for own in tasks if records.is_finished(own)]
  yield from measure(tasks, train.load(tasks[0].config, FLAGS.data_dir))


if __name__ == '__main__':
  flags.DEFINE_string('workdir', None, 'folder of a sweep.', required=True)
  flags.DEFINE_string('data_dir', None, 'folder of the data sets.')
  command.launch(lambda: lines.write(__spec__.name, _measure()))
