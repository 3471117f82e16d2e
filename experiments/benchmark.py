"""Times spiking networks beside plain backpropagation, as JSON lines.

  python -m experiments.benchmark --num_steps=64,256 --batch_size=1,128

Everything that shares a network and a batch size is timed in turns in one
process, so that what slows the machine down slows all of it; `ratio_to_bp` is
the median over rounds of the ratio within a round. Images and labels are
random, which is the worst case for spikes.

  learn  one step of training: draw spikes, count, and step by SGD. That of
         backpropagation is `value_and_grad` and SGD
  infer  reading a batch out
  epoch  a whole epoch of `training.make_train_epoch`: order and metrics, too

Steps run in a compiled loop whose parameters are donated. `naive` is the
yardstick: the obvious simulation (`naive.py`).
"""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import itertools
import json
import statistics
import time
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import numpy as np
import tqdm

from experiments.config import command as cli
from experiments.config import methods
from experiments.config import synapses
from experiments.measurements import naive
from experiments.measurements import steps as benchmark_steps
import ssnn_jax
from ssnn_jax.hardware import devices
from ssnn_jax.hardware.presets import PRESETS
from ssnn_jax.spikes import kernels

NAMES = ('learn', 'infer', 'epoch')
RIVALS = tuple(n for n in methods.METHODS if n not in (methods.ANN, 'ssnn'))
REPRESENTATIONS = ('packed', 'dense', 'naive')
_MIN_SECONDS = 0.05  # of one measurement


class Subject(NamedTuple):
  """Something to time."""

  labels: dict[str, Any]  # what its line says of it
  run: Callable[[int], None]  # takes so many steps
  steps: int  # of one measurement
  peak_mib: float


def make_subject(
  name: str,
  config: ssnn_jax.NetworkConfig,
  method: str,
  representation: str | None,
  device: str,
  batch_size: int,
  num_images: int,
) -> Subject:
  """Compiles what one line tells of.

  Args:
    name: 'learn', 'infer' or 'epoch'.
    config: the network.
    method: what trains it.
    representation: of its spikes; None where coincidences are not counted.
    device: what holds the weights.
    batch_size: samples a step.
    num_images: images of an epoch.

  Returns:
    The subject, with as many steps a measurement as make it last.
  """
  if representation == 'naive':
    network = naive.ssnn(config)
  else:
    config = dataclasses.replace(
      config, representation=representation or 'auto'
    )
    network = methods.METHODS[method].make(config, jax.random.key(2))
  if name == 'epoch':
    run, peak_mib = benchmark_steps.time_epoch(
      network, config, batch_size, num_images
    )
  else:
    step = _step(name, network, config, method, device)
    run, peak_mib = benchmark_steps.time_steps(*step, config, batch_size)
  run(1)
  steps = max(1, round(_MIN_SECONDS / _seconds(run, 1)))
  labels = _labels(name, config, method, representation, batch_size)
  labels['synapses'] = device
  return Subject(labels, run, steps, peak_mib)


def _step(name, network, config, method, device):
  """Makes a step and what it starts from."""
  params = ssnn_jax.ssnn(config).init(jax.random.key(0))
  if name == 'infer':
    return benchmark_steps.infer_step(network), params
  if device == synapses.IDEAL:
    is_ann = method == methods.ANN
    return benchmark_steps.learn_step(network, is_spiking=not is_ann), params
  held = devices.make_resistive(PRESETS[device], benchmark_steps.LEARNING_RATE)
  network = ssnn_jax.ssnn(config, separate_signs=held.separate_signs)
  state = held.init(jax.random.key(1), params)
  return benchmark_steps.device_step(network, held), state


def _labels(name, config, method, representation, batch_size):
  spiking = {
    'sampler': 'uniform' if representation == 'naive' else config.sampler,
    'window': config.schedule.window,
    'num_steps': config.num_steps,
    'integration': config.integration,
    'kernels': representation != 'naive' and _uses_kernels(config),
  }
  if method == methods.ANN:
    spiking = dict.fromkeys(spiking)
  return {
    'name': name,
    'method': method,
    'representation': representation,
    'layer_sizes': config.layer_sizes,
    'batch_size': batch_size,
    **spiking,
  }


def _uses_kernels(config):
  names = 'ssnn_count', 'ssnn_sample_hashed'
  is_cpu = jax.default_backend() == 'cpu'
  return is_cpu and config.kernels and any(map(kernels.is_available, names))


def _seconds(run, steps):
  began = time.perf_counter()
  run(steps)
  return (time.perf_counter() - began) / steps


def compare(subjects: list[Subject], rounds: int) -> Iterator[dict[str, Any]]:
  """Times subjects in turns.

  Args:
    subjects: what is timed; the first is backpropagation, and devices follow
      the ideal one that they are compared with.
    rounds: measurements of each.

  Yields:
    The line of each subject.
  """
  milliseconds = [
    [1e3 * _seconds(subject.run, subject.steps) for subject in subjects]
    for _ in range(rounds)
  ]
  is_ideal = [s.labels['synapses'] == synapses.IDEAL for s in subjects]
  for index, subject in enumerate(subjects):

    def ratio(to, index=index):
      ratios = [turn[index] / turn[to] for turn in milliseconds]
      return round(statistics.median(ratios), 3)

    ideal = next(place for place in range(index, -1, -1) if is_ideal[place])
    yield subject.labels | {
      'median_ms': round(
        statistics.median(turn[index] for turn in milliseconds), 4
      ),
      'ratio_to_bp': ratio(0),
      'ratio_to_ideal': ratio(ideal),
      'peak_mib': subject.peak_mib,
      'rounds': rounds,
      'device': jax.devices()[0].device_kind,
      'jax': jax.__version__,
    }


def main() -> None:
  """Times all that the flags ask for, and prints a line of each."""
  values = flags.FLAGS.flag_values_dict()
  representations = cli.choices(values, 'representations', REPRESENTATIONS)
  names = cli.choices(values, 'names', NAMES)
  held = values['devices'] and cli.choices(values, 'devices', list(PRESETS))
  rivals = values['methods'] and cli.choices(values, 'methods', RIVALS)
  for name in ('batch_size', 'rounds', 'num_images'):
    if min(np.atleast_1d(values[name])) < 1:
      raise ssnn_jax.UserError(
        f'--{name} is {np.min(values[name])}; expected 1 or more.'
      )
  grid = list(
    itertools.product(names, values['layer_sizes'], values['batch_size'])
  )
  if values['kernels']:
    cli.recommend_kernels()
  with tqdm.tqdm(grid, disable=None, unit='comparison') as progress:
    for name, layer_sizes, batch_size in progress:
      progress.set_postfix_str(f'{name} {layer_sizes} batch {batch_size}')
      timed = _timed(name, values['num_steps'], representations, held, rivals)
      subjects = [
        make_subject(
          *(name, _config(values, layer_sizes, num_steps)),
          *(method, representation, device),
          *(batch_size, values['num_images']),
        )
        for num_steps, method, representation, device in timed
      ]
      for line in compare(subjects, values['rounds']):
        print(json.dumps(line), flush=True)


def _timed(name, all_steps, representations, held, rivals):
  """Lists what takes turns: T, method, representation and devices of each."""
  ideal = synapses.IDEAL
  timed = [(1, methods.ANN, None, ideal)]
  for steps, representation in itertools.product(all_steps, representations):
    is_plain = name != 'learn' or representation == 'naive'
    for device in (ideal, *(() if is_plain else held)):
      timed.append((steps, 'ssnn', representation, device))
  for steps, method in itertools.product(all_steps, rivals):
    has_pulses = methods.METHODS[method].has_pulses
    # Naive is a simulation of ours; of some there is nothing to count.
    for representation in representations if has_pulses else [None]:
      if representation != 'naive':
        timed.append((steps, method, representation, ideal))
  return timed


def _config(values, layer_sizes, num_steps):
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
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{error}') from None  # it starts with the name


def _define_flags():
  numbers = cli.NumbersParser(int)
  with cli.group('Measurements'):
    flags.DEFINE_list('names', 'learn,infer', f'of {", ".join(NAMES)}.')
    flags.DEFINE_list(
      'representations',
      ','.join(REPRESENTATIONS),
      f'of {", ".join(REPRESENTATIONS)}; backpropagation is timed beside them.',
    )
    flags.DEFINE_list(
      'devices',
      [],
      f'of {", ".join(PRESETS)}; learn is timed with them, too.',
    )
    flags.DEFINE_list(
      'methods', [], f'rivals: of {", ".join(RIVALS)}; timed beside ours.'
    )
    flags.DEFINE_integer('rounds', 15, 'timings of each; medians are told.')
    flags.DEFINE_integer('num_images', 12800, 'images of an epoch.')
  with cli.group('Network'):
    flags.DEFINE_multi(
      *(numbers, flags.ArgumentSerializer(), 'layer_sizes', [(784, 256, 10)]),
      'neurons of each layer; given several times, several networks.',
    )
    flags.DEFINE_integer(
      *('window', None),
      'n, ticks between reads of a membrane; left out: 32, or T if shorter.',
    )
    flags.DEFINE_enum(
      *('integration', 'mean', ssnn_jax.neuron.MEMBRANES),
      'what a membrane keeps of earlier windows.',
    )
  with cli.group('Spikes'):
    flags.DEFINE(numbers, 'num_steps', (64,), 'T, length of a presentation.')
    samplers = list(ssnn_jax.spikes.thresholds.SAMPLERS)
    flags.DEFINE_enum(
      'sampler', 'bernoulli', samplers, 'where thresholds come from.'
    )
  with cli.group('Training'):
    flags.DEFINE(numbers, 'batch_size', (128,), 'size of a batch.')
  with cli.group('Machine'):
    flags.DEFINE_boolean('kernels', True, 'use compiled kernels, if any.')


if __name__ == '__main__':
  _define_flags()
  cli.launch(main)
