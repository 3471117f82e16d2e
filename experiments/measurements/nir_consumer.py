"""Accuracy of an exported network in another library.

  python -m experiments.measurements.nir_consumer --file=network.nir

prints one JSON line with the test accuracy of the library, which loads the NIR
file, and of `ssnn_jax` with the same weights. `output_error` is the relative
root mean square distance of the library's mean output from the output of the
ANN. Libraries are installed separately:

  sinabs 3.1.3    Resets by subtraction. `spike_fn` and `min_v_mem` are set,
                  since neurons otherwise fire many times a tick, and clip the
                  membrane at -1.
  snntorch 1.0.0  Resets by subtraction and fires once a tick. `beta` and
                  `init_hidden` are set, since neurons otherwise leak, and pass
                  their state to the next layer, which fails. A neuron above
                  threshold after a spike may miss the next spike.
  norse 1.1.0     Resets to zero: potential above the threshold is lost.

sinabs and norse read graphs of nir up to 1.0.4, a dependency of sinabs. A
network of convolutions reads images `[B, 1, H, W]`. `start_dim` is set for
snntorch and norse, which count the batch among the axes to flatten.
"""

from collections.abc import Callable
import contextlib
import dataclasses
import importlib
from importlib import metadata
import io
from typing import NamedTuple

from absl import flags
import jax
import numpy as np

from experiments.config import command
from experiments.measurements import json_lines
from experiments.training import data
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.runs import provenance

_BATCH_SIZE = 500
_NUM_DRAWS = 8
INPUTS = ('current', 'spikes')

# `[B, I]` or `[B, 1, H, W]` inputs of a tick -> `[B, C]` outputs of the tick
Step = Callable[[np.ndarray], np.ndarray]
# `(file, B)` -> network of the file with initial membranes, for B samples
Read = Callable[[str, int], Step]


class Task(NamedTuple):
  """Test samples and their presentation."""

  rates: np.ndarray  # [N, I] or [N, 1, H, W] float32 grey values in [0, 1]
  labels: np.ndarray  # [N] classes
  num_steps: int  # T
  inputs: str  # one of INPUTS


def _read_sinabs(file, batch_size):
  names = 'nir', 'sinabs.nir', 'sinabs.layers', 'sinabs.activation'
  nir, sinabs_nir, layers, activation = _import(*names)
  model = sinabs_nir.from_nir(nir.read(file), batch_size=batch_size)
  for layer in model.modules():
    if isinstance(layer, layers.IAF):
      layer.spike_fn, layer.min_v_mem = activation.SingleSpike, None
  return _make_step(lambda frame, state: (model(frame)[0], state))


def _read_snntorch(file, batch_size):
  del batch_size
  names = 'nir', 'torch', 'snntorch', 'snntorch.import_nir'
  nir, torch, snntorch, import_nir = _import(*names)
  model = import_nir.import_from_nir(nir.read(file))
  for layer in model.modules():
    if isinstance(layer, snntorch.Leaky):
      layer.beta, layer.init_hidden = torch.tensor(1.0), True
  _keep_batch(model)
  return _make_step(lambda frame, state: (model(frame)[0], state))


def _read_norse(file, batch_size):
  del batch_size
  nir, norse = _import('nir', 'norse.torch')
  model = norse.from_nir(nir.read(file))
  _keep_batch(model)
  return _make_step(model)


def _keep_batch(model):
  """Sets layers that flatten, so that they keep the axis of the batch."""
  (torch,) = _import('torch')
  for layer in model.modules():
    if isinstance(layer, torch.nn.Flatten):
      layer.start_dim = 1


CONSUMERS = {
  'sinabs': _read_sinabs,
  'snntorch': _read_snntorch,
  'norse': _read_norse,
}


def _import(*names):
  return [importlib.import_module(name) for name in names]


def _make_step(model):
  """Makes a step of `(frame, state) -> (output, state)`, of torch tensors."""
  (torch,), state = _import('torch'), None

  def step(frame):
    nonlocal state
    output, state = model(torch.from_numpy(frame), state)
    return output.numpy()

  return torch.inference_mode()(step)


def require(package: str, requirement: str) -> str:
  """Returns the version of a package; raises UserError if it is missing."""
  try:
    _import(package)
    return metadata.version(package)
  except ImportError:
    raise ssnn_jax.UserError(
      f'the package {package} is not installed; pip install {requirement}.'
    ) from None


def run(read: Read, file: str, task: Task, key: jax.Array) -> np.ndarray:
  """Returns the `[N, C]` outputs for a task, averaged over ticks."""
  outputs = []
  for start in range(0, len(task.rates), _BATCH_SIZE):
    rates = task.rates[start : start + _BATCH_SIZE]
    try:
      with contextlib.redirect_stdout(io.StringIO()):  # snntorch prints
        step = read(file, len(rates))
    except Exception as error:  # libraries raise various errors
      raise ssnn_jax.UserError(
        f'the library cannot read {file} ({error}); try another version of '
        "nir: pip install 'nir<=1.0.4'."
      ) from None
    total, own_key = 0, jax.random.fold_in(key, start)
    for tick in range(task.num_steps):
      frame = rates
      if task.inputs == 'spikes':
        train = jax.random.bernoulli(jax.random.fold_in(own_key, tick), rates)
        frame = np.array(train, np.float32)
      total += step(frame)
    outputs.append(total / task.num_steps)
  return np.concatenate(outputs)


def _compare(read, file, config, params, task, key):
  """Returns accuracies and output error of the library and `ssnn_jax`."""
  consumer_key, spikes_key = jax.random.split(key)
  output = run(read, file, task, consumer_key)
  config = dataclasses.replace(config, num_steps=task.num_steps)
  network, reference = ssnn_jax.ssnn(config), ssnn_jax.ann(config)
  evaluate = jax.jit(training.make_evaluate(network, reference, _BATCH_SIZE))
  ann_key, *keys = jax.random.split(spikes_key, 1 + _NUM_DRAWS)
  exact = jax.jit(reference.infer)(params, ann_key, task.rates).potential
  exact = np.asarray(exact)
  draws = [evaluate(params, key, task.rates, task.labels) for key in keys]
  winner, potential, rate = (np.array(values) for values in zip(*draws))
  numbers = {
    'consumer_accuracy': np.mean(output.argmax(axis=1) == task.labels),
    'output_error': np.linalg.norm(output - exact) / np.linalg.norm(exact),
    'accuracy': np.mean(winner),
    'accuracy_sd': np.std(winner, ddof=1),
    'accuracy_potential': np.mean(potential),
    'accuracy_potential_sd': np.std(potential, ddof=1),
    'accuracy_rate': np.mean(rate),
  }
  return {name: round(float(value), 4) for name, value in numbers.items()}


def _check_inputs(dataset, config):
  """Refuses a data set whose images do not fit the network."""
  given, expected = dataset.input_shape, config.input_shape
  if expected is None:  # pixels in any arrangement
    given, expected = (dataset.num_inputs,), config.layer_sizes[:1]
  if given != expected:
    given, expected = (' x '.join(map(str, n)) for n in (given, expected))
    raise ssnn_jax.UserError(
      f'--dataset={dataset.name} has {given} inputs, but the network of --file '
      f'has {expected}; choose its training data set.'
    )


def _measure(values):
  """Yields the line of the comparison."""
  if not values['file']:
    raise ssnn_jax.UserError('--file is missing; give an exported network.')
  require('nir', "'.[nir]'")
  from ssnn_jax.hardware import nir

  file, consumer = str(command.folder(values['file'])), values['consumer']
  config, params = nir.from_graph(nir.read(file))
  version = require(consumer, f"{consumer} 'nir<=1.0.4'")
  dataset = data.load_images(values)
  _check_inputs(dataset, config)
  images, labels = dataset.test
  rates = np.array(ssnn_jax.rate_encode(images))  # torch needs a copy
  if config.layers is not None:
    rates = rates.reshape(-1, 1, *config.input_shape)
  task = Task(rates, labels, values['num_steps'], values['inputs'])
  yield {
    'consumer': consumer,
    'version': version,
    'dataset': values['dataset'],
    'num_images': len(labels),
    'layer_sizes': config.layer_sizes,
    'num_steps': task.num_steps,
    'inputs': task.inputs,
    **_compare(
      CONSUMERS[consumer], file, config, params, task, jax.random.key(0)
    ),
  }


def main() -> None:
  """Prints the comparison."""
  values = flags.FLAGS.flag_values_dict()
  json_lines.write(__spec__.name, provenance.environment(), _measure(values))


def _define_flags():
  with command.group('Records'):
    flags.DEFINE_string('file', None, '`file` of an exported network.')
  with command.group('Data'):
    flags.DEFINE_string('dataset', 'digits', '`name` of the set of images.')
  command.define_data_dir()
  with command.group('Spikes'):
    flags.DEFINE_integer('num_steps', 64, 'number of ticks T.', 1)
    flags.DEFINE_enum('inputs', 'current', INPUTS, 'inputs of each tick.')
  with command.group('Evaluation'):
    libraries = list(CONSUMERS)
    flags.DEFINE_enum('consumer', 'sinabs', libraries, 'library to evaluate.')


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
