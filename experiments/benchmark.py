"""Step times of spiking networks and backpropagation, as JSON lines.

  python -m experiments.benchmark --num_steps=64,256 --batch_size=1,128

All settings of a network and batch size are timed alternately in one process,
so that fluctuations of the machine affect all settings; `ratio_to_bp` is the
median over rounds of the ratio within a round. Images and labels are random,
the worst case for spikes, or those of a `--dataset`.

  learn  a training step: spikes, coincidence counts and SGD; for
         backpropagation `value_and_grad` and SGD
  infer  readout of a batch
  epoch  an epoch of `training.make_train_epoch`, with shuffling and metrics

Steps run in a compiled loop with donated parameters. Seeds that run together
(`--num_seeds`) are compared with as many seeds of backpropagation. The
representation `naive` is `ssnn_jax.reference`, for dense layers.
"""

import itertools
import statistics
import time

from absl import flags
import jax
import tqdm

from experiments.config import command
from experiments.config import field
from experiments.config import layers
from experiments.config import methods
from experiments.config import synapses
from experiments.measurements import json_lines
from experiments.measurements import steps
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax.config import TIMINGS
from ssnn_jax.hardware.device_config import PRESETS
from ssnn_jax.runs import provenance
from ssnn_jax.spikes import kernels

NAMES = ('learn', 'infer', 'epoch')
BASELINES = tuple(
  name for name in methods.MINIBATCH if name not in (methods.ANN, 'ssnn')
)
REPRESENTATIONS = ('packed', 'dense', 'naive')
_DEFAULT_NETWORKS = ((784, 256, 10),)
_MIN_SECONDS = 0.05  # of one timing
_CHOICES = {
  'names': NAMES,
  'representations': REPRESENTATIONS,
  'devices': tuple(PRESETS),
  'methods': BASELINES,
}


def _networks(values):
  """Lists the text of each network's layers, and the fields that it sets."""
  sizes, texts = values['layer_sizes'], values['layers'] or ()
  if not sizes and not texts:
    sizes = _DEFAULT_NETWORKS
  return [(None, {'layer_sizes': own}) for own in sizes or ()] + [
    (own, layers.connect(own, values['input_shape'])) for own in texts
  ]


def _settings(name, network, batch_size, num_seeds, values):
  """Yields the settings to time; backpropagation is the first."""
  layer_texts, fields = network

  def make(num_steps, *options):
    config = _network_config(values, fields, num_steps)
    setting = steps.Setting(name, config, batch_size, *options)
    return setting._replace(
      layers=layer_texts, num_seeds=num_seeds, dataset=values['dataset']
    )

  all_steps, representations = values['num_steps'], values['representations']
  if layer_texts is not None:
    representations = [form for form in representations if form != 'naive']
  yield make(all_steps[0], methods.ANN, None)
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


def _network_config(values, fields, num_steps):
  window = values['window']
  if window is None and values['timing'] == 'buffered':
    window = ssnn_jax.spikes.TICKS_PER_WORD
  names = 'timing', 'integration', 'sampler', 'kernels'
  options = {name: values[name] for name in names}
  try:
    return ssnn_jax.NetworkConfig(
      num_steps=num_steps,
      window=window and min(window, num_steps),
      **fields,
      **options,
    )
  except ssnn_jax.UserError as error:  # starts with the name of the field
    raise ssnn_jax.UserError(f'--{error}') from None


def _labels(setting):
  """Returns the fields of a line that identify the setting."""
  config, is_naive = setting.config, setting.representation == 'naive'
  spiking = {
    'sampler': config.sampler,
    'timing': config.timing,
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
    'layers': setting.layers,
    'batch_size': setting.batch_size,
    'num_seeds': setting.num_seeds,
    'images': setting.dataset or 'random',
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


def _compare(settings, values):
  """Times settings alternately and yields their lines.

  The first setting is backpropagation; settings with devices follow their ideal
  baseline.
  """
  runs, peaks, counts = [], [], []
  for setting in settings:
    run, peak_mib = steps.compile_setting(setting, values['num_images'])
    run(1)
    runs.append(run)
    peaks.append(peak_mib)
    counts.append(max(1, round(_MIN_SECONDS / _seconds(run, 1))))
  milliseconds = [
    [1e3 * _seconds(run, count) for run, count in zip(runs, counts)]
    for _ in range(values['rounds'])
  ]

  def ratio(index, reference):
    ratios = [timings[index] / timings[reference] for timings in milliseconds]
    return round(statistics.median(ratios), 3)

  ideal = 0
  for index, setting in enumerate(settings):
    if setting.device == synapses.IDEAL:
      ideal = index
    median = statistics.median(timings[index] for timings in milliseconds)
    yield _labels(setting) | {
      'median_ms': round(median, 4),
      'ratio_to_bp': ratio(index, 0),
      'ratio_to_ideal': ratio(index, ideal),
      'peak_mib': peaks[index],
      'rounds': values['rounds'],
    }


def _measure(values):
  """Yields the lines of all settings of the flags."""
  sizes = values['batch_size'], values['num_seeds']
  axes = values['names'], _networks(values), *sizes
  for comparison in tqdm.tqdm(list(itertools.product(*axes)), disable=None):
    yield from _compare(list(_settings(*comparison, values)), values)


def main() -> None:
  """Prints the times of all settings of the flags."""
  values = flags.FLAGS.flag_values_dict()
  for name in ('batch_size', 'num_seeds'):
    sizes, expected = values[name], f'numbers, each {checks.COUNT}'
    field.check(name, sizes, all(map(checks.is_count, sizes)), expected)
  json_lines.write(__spec__.name, provenance.environment(), _measure(values))


def _define_flags():
  numbers = field.TupleParser(int)
  samplers = list(ssnn_jax.spikes.samplers.SAMPLERS)
  defaults = {'names': NAMES[:2], 'representations': REPRESENTATIONS}
  for name, allowed in _CHOICES.items():
    parser, listed = field.TupleParser(str, allowed), defaults.get(name, ())
    flags.DEFINE(parser, name, listed, f'timed {name}: {", ".join(allowed)}.')
  flags.DEFINE_integer('rounds', 15, 'number of timings per median.', 1)
  flags.DEFINE_string(
    'dataset', None, 'data set of the images, as mnist; default: random ones.'
  )
  flags.DEFINE_integer(
    'num_images',
    12800,
    'number of images per epoch.',
    1,
    checks.MAX_COUNT,
  )
  flags.DEFINE_multi(
    numbers,
    flags.ArgumentSerializer(),
    'layer_sizes',
    None,
    'neurons of each layer; may be repeated, for several networks; default: '
    '784,256,10.',
  )
  flags.DEFINE_multi(
    field.TupleParser(str),
    flags.ArgumentSerializer(),
    'layers',
    None,
    'layers of weights of a network, as conv16k5s2,conv32k5s2,10; may be '
    'repeated.',
  )
  flags.DEFINE(
    numbers, 'input_shape', (28, 28), 'shape of the inputs of --layers.'
  )
  flags.DEFINE_integer(
    'window',
    None,
    'window n in ticks; default: 1 in real time, otherwise 32, or T if '
    'smaller.',
  )
  flags.DEFINE_enum('timing', 'buffered', TIMINGS, 'timing of the layers.')
  membranes = list(ssnn_jax.neuron.MEMBRANES)
  flags.DEFINE_enum('integration', 'mean', membranes, 'kind of membrane.')
  flags.DEFINE(numbers, 'num_steps', (64,), 'number of ticks T.')
  flags.DEFINE_enum('sampler', 'bernoulli', samplers, 'spike sampler.')
  flags.DEFINE(numbers, 'batch_size', (128,), 'size of a minibatch.')
  flags.DEFINE(numbers, 'num_seeds', (1,), 'number of seeds that run together.')
  flags.DEFINE_boolean('kernels', True, 'use compiled kernels if available.')


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
