"""Step times of spiking networks and backpropagation, as JSON lines.

  python -m experiments.benchmark --num_steps=64,256 --batch_size=1,128

All settings of a network and batch size are timed in turns in one process, so
that fluctuations of the machine affect all of them; `ratio_to_bp` is the median
over rounds of the ratio within a round. Images and labels are random, the worst
case for spikes.

  learn  a training step: spikes, coincidence counts and SGD; for
         backpropagation `value_and_grad` and SGD
  infer  readout of a batch
  epoch  an epoch of `training.make_train_epoch`, with shuffling and metrics

Steps run in a compiled loop with donated parameters. The representation `naive`
is the naive dense simulation of experiments/measurements/naive.py.
"""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import itertools
import statistics
import time
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import tqdm

from experiments.config import command
from experiments.config import field
from experiments.config import methods
from experiments.config import synapses
from experiments.measurements import json_lines
from experiments.measurements import naive
from experiments.measurements import steps
import ssnn_jax
from ssnn_jax.hardware.presets import PRESETS
from ssnn_jax.runs import provenance
from ssnn_jax.spikes import kernels

NAMES = ('learn', 'infer', 'epoch')
BASELINES = tuple(n for n in methods.METHODS if n not in (methods.ANN, 'ssnn'))
REPRESENTATIONS = ('packed', 'dense', 'naive')
_MIN_SECONDS = 0.05  # of one timing


class Setting(NamedTuple):
  """A timed setting."""

  name: str  # one of NAMES
  config: ssnn_jax.NetworkConfig
  batch_size: int
  method: str
  representation: str | None  # None for methods without coincidence counts
  device: str = synapses.IDEAL


class Subject(NamedTuple):
  """A compiled setting."""

  setting: Setting
  run: Callable[[int], None]  # runs a number of steps
  steps: int  # of one timing
  peak_mib: float


def make_subject(setting: Setting, num_images: int) -> Subject:
  """Compiles a setting, with epochs of `num_images` images."""
  name, config, batch_size, method, representation, device = setting
  if representation == 'naive':
    network = naive.ssnn(config)
  else:
    config = dataclasses.replace(
      config, representation=representation or 'auto'
    )
    network = methods.METHODS[method].make(config, jax.random.key(2))
  if name == 'epoch':
    run, peak = steps.compile_epoch(network, config, batch_size, num_images)
  else:
    step, state = steps.make_step(name, network, config, method, device)
    run, peak = steps.compile_steps(step, state, config, batch_size)
  run(1)
  num_steps = max(1, round(_MIN_SECONDS / _seconds(run, 1)))
  return Subject(setting, run, num_steps, peak)


def _settings(name, layer_sizes, batch_size, values):
  """Yields the settings timed in turns; backpropagation is the first."""

  def make(num_steps, *options):
    config = _network_config(values, layer_sizes, num_steps)
    return Setting(name, config, batch_size, *options)

  yield make(1, methods.ANN, None)
  all_steps, representations = values['num_steps'], values['representations']
  for num_steps, form in itertools.product(all_steps, representations):
    has_devices = name == 'learn' and form != 'naive'
    for device in (synapses.IDEAL, *(values['devices'] if has_devices else ())):
      yield make(num_steps, 'ssnn', form, device)
  for num_steps, method in itertools.product(all_steps, values['methods']):
    has_pulses = methods.METHODS[method].has_pulses
    # Only the spiking network has a naive simulation.
    for form in representations if has_pulses else [None]:
      if form != 'naive':
        yield make(num_steps, method, form)


def _network_config(values, layer_sizes, num_steps):
  window = values['window']
  try:
    return ssnn_jax.NetworkConfig(
      layer_sizes,
      num_steps=num_steps,
      window=window and min(window, num_steps),
      integration=values['integration'],
      sampler=values['sampler'],
      kernels=values['kernels'],
    )
  except ssnn_jax.UserError as error:  # starts with the name of the field
    raise ssnn_jax.UserError(f'--{error}') from None


def _labels(setting):
  """Returns the fields of a line that identify the setting."""
  config, is_naive = setting.config, setting.representation == 'naive'
  spiking = {
    'sampler': 'uniform' if is_naive else config.sampler,
    'window': config.schedule.window,
    'num_steps': config.num_steps,
    'integration': config.integration,
    'kernels': not is_naive and _uses_kernels(config),
  }
  if setting.method == methods.ANN:
    spiking = dict.fromkeys(spiking)
  return {
    'name': setting.name,
    'method': setting.method,
    'representation': setting.representation,
    'layer_sizes': config.layer_sizes,
    'batch_size': setting.batch_size,
    **spiking,
    'synapses': setting.device,
  }


def _uses_kernels(config):
  names = 'ssnn_count', 'ssnn_sample_hashed'
  is_cpu = jax.default_backend() == 'cpu'
  return is_cpu and config.kernels and any(map(kernels.is_available, names))


def _seconds(run, num_steps):
  began = time.perf_counter()
  run(num_steps)
  return (time.perf_counter() - began) / num_steps


def compare(subjects: list[Subject], rounds: int) -> Iterator[dict[str, Any]]:
  """Times subjects in turns.

  Args:
    subjects: the first is backpropagation; subjects with devices follow the
      ideal subject they are compared with.
    rounds: timings of each subject.

  Yields:
    The line of each subject.
  """
  milliseconds = [
    [1e3 * _seconds(subject.run, subject.steps) for subject in subjects]
    for _ in range(rounds)
  ]

  def ratio(index, reference):
    ratios = [timings[index] / timings[reference] for timings in milliseconds]
    return round(statistics.median(ratios), 3)

  ideal = 0
  for index, subject in enumerate(subjects):
    if subject.setting.device == synapses.IDEAL:
      ideal = index
    median = statistics.median(timings[index] for timings in milliseconds)
    yield _labels(subject.setting) | {
      'median_ms': round(median, 4),
      'ratio_to_bp': ratio(index, 0),
      'ratio_to_ideal': ratio(index, ideal),
      'peak_mib': subject.peak_mib,
      'rounds': rounds,
    }


def _measure(values):
  """Yields the lines of all settings of the flags."""
  sizes, batch_sizes = values['layer_sizes'], values['batch_size']
  grid = list(itertools.product(values['names'], sizes, batch_sizes))
  with tqdm.tqdm(grid, disable=None, unit='comparison') as progress:
    for comparison in progress:
      progress.set_postfix_str('{} {} batch {}'.format(*comparison))
      settings = _settings(*comparison, values)
      subjects = [make_subject(each, values['num_images']) for each in settings]
      yield from compare(subjects, values['rounds'])


def main() -> None:
  """Prints the times of all settings of the flags."""
  values = flags.FLAGS.flag_values_dict()
  command.choices(values, 'names', NAMES)
  command.choices(values, 'representations', REPRESENTATIONS)
  for name, allowed in (('devices', list(PRESETS)), ('methods', BASELINES)):
    if values[name]:
      command.choices(values, name, allowed)
  smallest = min(values['batch_size'])
  field.check('batch_size', smallest, smallest >= 1, '1 or more')
  if values['kernels']:
    command.recommend_kernels()
  json_lines.write(__spec__.name, provenance.environment(), _measure(values))


def _define_measurement_flags():
  with command.group('Measurements'):
    flags.DEFINE_list(
      'names', 'learn,infer', f'timed steps, of {", ".join(NAMES)}.'
    )
    representations = ', '.join(REPRESENTATIONS)
    flags.DEFINE_list(
      'representations',
      representations.replace(' ', ''),
      f'representations of spikes, of {representations}.',
    )
    flags.DEFINE_list(
      'devices',
      [],
      f'synaptic devices to time learning with, of {", ".join(PRESETS)}.',
    )
    flags.DEFINE_list(
      'methods', [], f'baseline methods to time, of {", ".join(BASELINES)}.'
    )
    flags.DEFINE_integer(
      'rounds', 15, 'timings of each setting, whose median is printed.', 1
    )
    flags.DEFINE_integer('num_images', 12800, 'images of an epoch.', 1)
  with command.group('Machine'):
    flags.DEFINE_boolean('kernels', True, 'use compiled kernels if available.')


def _define_network_flags():
  numbers = command.NumbersParser(int)
  with command.group('Network'):
    flags.DEFINE_multi(
      numbers,
      flags.ArgumentSerializer(),
      'layer_sizes',
      [(784, 256, 10)],
      'neurons of each layer; may be repeated, for several networks.',
    )
    flags.DEFINE_integer(
      'window',
      None,
      'n, ticks between reads of a membrane; left out: 32, or T if shorter.',
    )
    flags.DEFINE_enum(
      'integration',
      'mean',
      ssnn_jax.neuron.MEMBRANES,
      'integration of a membrane over windows.',
    )
  with command.group('Spikes'):
    flags.DEFINE(numbers, 'num_steps', (64,), 'T, ticks of a presentation.')
    samplers = list(ssnn_jax.spikes.thresholds.SAMPLERS)
    flags.DEFINE_enum(
      'sampler', 'bernoulli', samplers, 'sampler of spike thresholds.'
    )
  with command.group('Training'):
    flags.DEFINE(numbers, 'batch_size', (128,), 'samples of a minibatch.')


if __name__ == '__main__':
  _define_measurement_flags()
  _define_network_flags()
  command.launch(main)
