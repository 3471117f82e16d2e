"""Trains all settings of a study or grid: `experiments.run` by another name.

  python -m experiments.sweep --study=spike_train_length --dataset=digits
  python -m experiments.sweep --grid='num_steps=16,64;learning_rate=0.1,0.3'

Without --study and --grid, the study is spike_train_length.
"""

import sys

from absl import flags

from experiments import run
from experiments.config import command


def main() -> None:
  """Trains what the flags describe."""
  if not flags.FLAGS.grid and not flags.FLAGS.study:
    sys.argv.append('--study=spike_train_length')
    flags.FLAGS(sys.argv)
  run.main()


if __name__ == '__main__':
  run.define_flags()
  command.launch(main)
