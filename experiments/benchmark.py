"""Step times of spiking networks and backpropagation, as JSON lines.

  python -m experiments.benchmark --num_steps=64,256 --batch_size=1,128

All settings of a network and batch size are timed alternately in one process,
so that fluctuations of the machine affect all settings; `ratio_to_bp` is the
median over rounds of the ratio within a round. Images and labels are random,
the worst case for spikes, or those of a `--dataset`.

  learn  a training step: spikes, what the synapses collect, and SGD; for
         backpropagation `jax.grad` and SGD
  infer  readout of a batch
  epoch  an epoch of `training.make_train_epoch`, with shuffling and metrics

Steps run in a compiled loop with donated parameters. Seeds that run together
(`--num_seeds`) are compared with as many seeds of backpropagation. `bits_to_bp`
of an epoch are the bits that are stored of a sample, relative to
backpropagation.
"""

from collections.abc import Iterator
import itertools
import statistics
import time
from typing import Any

from absl import flags
import tqdm

from experiments import command
from experiments import config as config_lib
from experiments.config import ANN
from experiments.config import IDEAL
from experiments.measurements import json_lines
from experiments.measurements import steps
import ssnn_jax
from ssnn_jax.hardware.device_config import PRESETS

FLAGS = flags.FLAGS
NAMES = ('learn', 'infer', 'epoch')
_MIN_SECONDS = 0.05  # of one timing


def _networks() -> list[tuple[str | None, dict[str, Any]]]:
  """Returns the text of layers that are not dense, and fields of networks."""
  sizes = FLAGS.layer_sizes or ([] if FLAGS.layers else ['784,256,10'])
  shape = tuple(map(int, FLAGS.input_shape))
  return [
    (None, {'layer_sizes': tuple(map(int, own.split(',')))}) for own in sizes
  ] + [
    (own, {'layers': config_lib.parse_layers(own), 'input_shape': shape})
    for own in FLAGS.layers or ()
  ]


def _settings(name, network, batch_size, num_seeds) -> Iterator[steps.Setting]:
  """Yields the settings to time; backpropagation is the first."""
  text, layers = network

  def make(num_steps, method, device=IDEAL):
    neuron = config_lib.neuron_of(method, FLAGS.neuron)
    if device != IDEAL and neuron != 'stochastic':
      raise ssnn_jax.UserError(
        f'--devices is {device}; expected {IDEAL}, or --neuron=stochastic, '
        'whose coincidences are pulses.'
      )
    window = FLAGS.window and min(FLAGS.window, num_steps)
    with config_lib.named():
      config = ssnn_jax.NetworkConfig(
        num_steps=num_steps,
        window=window,
        neuron=neuron,
        sampler=FLAGS.sampler,
        **layers,
      )
    return steps.Setting(
      name, config, batch_size, method, device, num_seeds, FLAGS.dataset, text
    )

  all_steps = list(map(int, FLAGS.num_steps))
  yield make(all_steps[0], ANN)
  for num_steps, method in itertools.product(all_steps, FLAGS.methods):
    has_devices = name == 'learn' and method == 'ssnn'
    for device in FLAGS.devices if has_devices else (IDEAL,):
      yield make(num_steps, method, device)


def _describe(setting: steps.Setting) -> dict[str, Any]:
  """Returns the fields of a line that identify the setting."""
  config, method = setting.config, setting.method
  values = {
    'neuron': config.neuron,
    'sampler': config.input_sampler,
    'window': config.schedule.window,
    'num_steps': config.num_steps,
  }
  for name in values:
    is_window = name == 'window' and config.neuron == 'bipolar'
    if is_window or not config_lib.concerns(method, name):
      values[name] = None
  return {
    'name': setting.name,
    'layer_sizes': None if setting.layers else config.layer_sizes,
    'layers': setting.layers,
    'dataset': setting.dataset or 'random',
    'batch_size': setting.batch_size,
    'num_seeds': setting.num_seeds,
    'method': method,
    **values,
    'device': setting.device,
  }


def _seconds(run, num_steps):
  began = time.perf_counter()
  run(num_steps)
  return (time.perf_counter() - began) / num_steps


def _compare(settings: list[steps.Setting]) -> Iterator[dict[str, Any]]:
  """Times settings alternately and yields their lines; the first is BP."""
  compiled, counts = [], []
  for setting in settings:
    compiled.append(steps.compile_setting(setting, FLAGS.num_images))
    compiled[-1].run(1)
    counts.append(max(1, round(_MIN_SECONDS / _seconds(compiled[-1].run, 1))))
  times = [
    [1e3 * _seconds(own.run, count) for own, count in zip(compiled, counts)]
    for _ in range(FLAGS.rounds)
  ]
  for index, setting in enumerate(settings):
    ratios = [timings[index] / timings[0] for timings in times]
    median = statistics.median(timings[index] for timings in times)
    line = _describe(setting) | {
      'median_ms': round(median, 4),
      'ratio_to_bp': round(statistics.median(ratios), 3),
      'peak_mib': compiled[index].peak_mib,
      'rounds': FLAGS.rounds,
    }
    if setting.name == 'epoch' and setting.method in steps.MEMORY:
      bits, base = (
        steps.MEMORY[method](setting.config).total
        for method in (setting.method, ANN)
      )
      line['bits_to_bp'] = round(bits / base, 3)
    yield line


def _measure():
  """Yields the lines of all settings of the flags."""
  axes = (
    FLAGS.names,
    _networks(),
    map(int, FLAGS.batch_size),
    map(int, FLAGS.num_seeds),
  )
  for comparison in tqdm.tqdm(list(itertools.product(*axes)), disable=None):
    yield from _compare(list(_settings(*comparison)))


def main() -> None:
  """Prints the times of all settings of the flags."""
  json_lines.write(__spec__.name, _measure())


def _define_flags():
  methods = ('ssnn', *steps.BASELINES)
  flags.DEFINE_list('names', 'learn,infer', f'timed: {", ".join(NAMES)}.')
  flags.DEFINE_list('methods', 'ssnn', f'methods: {", ".join(methods)}.')
  flags.DEFINE_list(
    'devices', IDEAL, f'devices of learn: {IDEAL}, {", ".join(PRESETS)}.'
  )
  flags.DEFINE_multi_string(
    'layer_sizes',
    None,
    'neurons of each layer; may be repeated, for several networks; default: '
    '784,256,10.',
  )
  flags.DEFINE_multi_string(
    'layers',
    None,
    'layers of weights, as conv16k5s2,conv32k5s2,10; may be repeated.',
  )
  flags.DEFINE_list('input_shape', '28,28', 'shape of the inputs of --layers.')
  flags.DEFINE_list('num_steps', '64', 'numbers of ticks T.')
  flags.DEFINE_integer(
    'window',
    None,
    'window n of stochastic neurons in ticks, at most T; default: T.',
    1,
  )
  flags.DEFINE_enum(
    'neuron', 'bipolar', config_lib.CHOICES['neuron'], 'hidden neurons.'
  )
  flags.DEFINE_enum(
    'sampler', None, config_lib.CHOICES['sampler'], 'spike sampler.'
  )
  flags.DEFINE_list('batch_size', '128', 'samples of a minibatch.')
  flags.DEFINE_list('num_seeds', '1', 'numbers of seeds that run together.')
  flags.DEFINE_string(
    'dataset', None, 'data set of the images, as mnist; default: random ones.'
  )
  flags.DEFINE_integer('num_images', 12800, 'images of an epoch.', 1)
  flags.DEFINE_integer('rounds', 15, 'number of timings of a median.', 1)


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
