"""Settings of measurements, by the flags of a run, and their JSON lines."""

from collections.abc import Iterable
import json
import shlex
import sys
from typing import Any

from absl import flags

from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.studies import sweeps
import ssnn_jax
from ssnn_jax.spiking.functions import Function

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # --help has those of a measurement alone


def define_flags() -> None:
  """Defines the flags of `experiments.run` that describe settings."""
  config_lib.define_flags()
  config_lib.define_sweep_flags()


def list_settings() -> list[config_lib.ExperimentConfig]:
  """Lists the settings that the flags of `experiments.run` describe.

  Each of `--grid` also has the ANN, the first of all, unless it has methods.
  """
  given = config_lib.given_fields()
  base = config_lib.default(**{'dataset': FLAGS.dataset} | given)
  found = sweeps.find_sweeps(given, FLAGS.grid, num_seeds=FLAGS.num_seeds)
  settings = sweeps.list_settings(base, found)
  return [config for config, _ in settings.values()]


def describe(
  config: config_lib.ExperimentConfig,
  network: ssnn_jax.NetworkConfig | Function,
) -> dict[str, Any]:
  """Returns the fields of a line that identify a setting, None if not used."""
  line = records.describe(config, network) | {
    'model': config.model,
    'model_args': config.model_args or None,
    'digits': getattr(network, 'digits', None),
    'timing': getattr(network, 'timing', None),
    'forgetting': getattr(network, 'forgetting', None),
  }
  unused = {x for x in line if not config_lib.concerns(config.method, x)}
  if line['neuron'] == 'stochastic':
    unused |= {'digits'}
  if line.get('timing') != 'leaky':
    unused |= {'timing', 'forgetting'}
  return line | dict.fromkeys(unused)


def write(module: str, measured: Iterable[dict[str, Any]]) -> None:
  """Prints the header of a measurement, then each line when measured.

  Fields of lines have types of JSON.
  """
  words = shlex.join(['python', '-m', module, *sys.argv[1:]])
  header = {'event': 'header', 'command': words, **records.environment()}
  for line in measured:
    if header:  # not before the first line: flags may be invalid
      print(json.dumps(header))
      header = None
    print(json.dumps(line), flush=True)
