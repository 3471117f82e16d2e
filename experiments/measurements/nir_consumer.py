"""Runs an exported network in a library that is not ours, and compares.

  python -m experiments.measurements.nir_consumer --file=network.nir --dataset=digits

presents the test split for T ticks and prints a JSON line with the accuracy of
the library, which reads the file by itself, and with ours for the same weights,
averaged over draws of the spikes. `output_error` is the distance of the
library's mean output from the output of the ANN, root mean square and relative:
it tells a wrong neuron where the accuracy does not.

The library has to be installed by hand. What each makes of integrate-and-fire
neurons, and what is set through the attributes of its layers where that is not
what `ssnn_jax.hardware.nir` asks for:

  sinabs 3.1.3    Resets by subtraction. A neuron fires many times a tick, and
                  its membrane is cut at -1: `spike_fn`, `min_v_mem` are set.
  snntorch 1.0.0  Resets by subtraction and fires once a tick. A neuron leaks,
                  and hands its state on to the next layer, which fails: `beta`,
                  `init_hidden` are set. One that keeps more than its threshold
                  after a spike may miss the next one.
  norse 1.1.0     Resets to zero, which no option changes: what overshoots the
                  threshold is lost. Fires once a tick.

sinabs and norse read graphs with nir up to 1.0.4, which sinabs brings along.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import importlib
from importlib import metadata
import io
import json
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import numpy as np

from experiments import export
from experiments.config import command as cli
from experiments.config import field as fields
from experiments.training import data
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax.training import metrics

_BATCH_SIZE = 500
_NUM_DRAWS = 8
INPUTS = ('current', 'spikes')

# `[B, I]` inputs of the next tick -> `[B, C]` outputs of that tick
Step = Callable[[np.ndarray], np.ndarray]
# `(file, B)` -> the network of the file, at rest, for a batch of that size
Read = Callable[[str, int], Step]


class Task(NamedTuple):
  """What a network is shown, and how."""

  rates: np.ndarray  # [N, I] float32 grey values in [0, 1]
  labels: np.ndarray  # [N] classes
  num_steps: int  # T
  inputs: str  # one of INPUTS


def read_sinabs(file: str, batch_size: int) -> Step:
  """Reads a network with sinabs; see `Read`."""
  nir, torch, sinabs_nir, layers, activation = _import(
    *('nir', 'torch', 'sinabs.nir', 'sinabs.layers', 'sinabs.activation')
  )
  model = sinabs_nir.from_nir(nir.read(file), batch_size=batch_size)
  for layer in model.modules():
    if isinstance(layer, layers.IAF):
      layer.spike_fn, layer.min_v_mem = activation.SingleSpike, None

  def step(frame):
    return model(torch.from_numpy(frame))[0].numpy()

  return torch.inference_mode()(step)


def read_snntorch(file: str, batch_size: int) -> Step:
  """Reads a network with snnTorch; see `Read`."""
  del batch_size
  nir, torch, snntorch, import_nir = _import(
    *('nir', 'torch', 'snntorch', 'snntorch.import_nir')
  )
  model = import_nir.import_from_nir(nir.read(file))
  for layer in model.modules():
    if isinstance(layer, snntorch.Leaky):
      layer.beta, layer.init_hidden = torch.tensor(1.0), True

  def step(frame):
    return model(torch.from_numpy(frame))[0].numpy()

  return torch.inference_mode()(step)


def read_norse(file: str, batch_size: int) -> Step:
  """Reads a network with Norse; see `Read`."""
  del batch_size
  nir, torch, norse = _import('nir', 'torch', 'norse.torch')
  model, state = norse.from_nir(nir.read(file)), None

  def step(frame):
    nonlocal state
    output, state = model(torch.from_numpy(frame), state)
    return output.numpy()

  return torch.inference_mode()(step)


CONSUMERS = {
  'sinabs': read_sinabs,
  'snntorch': read_snntorch,
  'norse': read_norse,
}


def _import(*names):
  return [importlib.import_module(name) for name in names]


def check_installed(consumer: str) -> str:
  """Returns the version of a library; refuses one that is not installed."""
  try:
    _import(consumer)
    return metadata.version(consumer)
  except ImportError:
    raise ssnn_jax.UserError(
      f'--consumer={consumer} needs the package {consumer}, which is not '
      f"installed; pip install {consumer} 'nir<=1.0.4'."
    ) from None


def run(read: Read, file: str, task: Task, key: jax.Array) -> np.ndarray:
  """Presents a task to the network of a file.

  Args:
    read: reads the file.
    file: the file.
    task: what is presented.
    key: PRNG key of the spikes, if inputs are spikes; consumed.

  Returns:
    `[N, C]` outputs, averaged over ticks.

  Raises:
    UserError: if the library cannot read the file.
  """
  outputs = []
  for start in range(0, len(task.rates), _BATCH_SIZE):
    rates = task.rates[start : start + _BATCH_SIZE]
    try:
      with contextlib.redirect_stdout(io.StringIO()):  # what snntorch tells
        step = read(file, len(rates))
    except Exception as error:  # libraries raise what they do not expect
      raise ssnn_jax.UserError(
        f'the library cannot read {file} ({error}); try it with another '
        "version of nir, as by pip install 'nir<=1.0.4'."
      ) from None
    batch_key = jax.random.fold_in(key, start)
    frames = _frames(batch_key, rates, task.num_steps, task.inputs)
    outputs.append(sum(step(frame) for frame in frames) / task.num_steps)
  return np.concatenate(outputs)


def _frames(key, rates, num_steps, inputs) -> Iterator[np.ndarray]:
  """Makes what is presented in each tick."""
  for tick in range(num_steps):
    if inputs == 'current':
      yield rates
    else:
      train = jax.random.bernoulli(jax.random.fold_in(key, tick), rates)
      yield np.array(train, np.float32)


def compare(
  read: Read, file: str, params: ssnn_jax.Params, task: Task, key: jax.Array
) -> dict[str, Any]:
  """Compares the network of a file, run by a library, with ours.

  Args:
    read: reads the file, by the library.
    file: the file.
    params: its parameters.
    task: what both are shown; ours is shown spikes always.
    key: PRNG key; consumed.

  Returns:
    The library's accuracy and the error of its output; our accuracies, by
    winner counts, by final potential and read as an ANN: the mean over draws
    of the spikes, and the standard deviation of one draw.
  """
  theirs_key, ours_key = jax.random.split(key)
  output = run(read, file, task, theirs_key)
  exact, ours = _evaluate_ours(params, task, ours_key)
  figures = {
    'consumer_accuracy': np.mean(output.argmax(axis=1) == task.labels),
    'output_error': np.linalg.norm(output - exact) / np.linalg.norm(exact),
    'accuracy': np.mean(ours.winner),
    'accuracy_sd': np.std(ours.winner, ddof=1),
    'accuracy_potential': np.mean(ours.potential),
    'accuracy_potential_sd': np.std(ours.potential, ddof=1),
    'accuracy_rate': np.mean(ours.rate),
  }
  return {name: round(float(value), 4) for name, value in figures.items()}


def _evaluate_ours(params, task, key):
  """Returns the outputs of the ANN, and our accuracies for draws of spikes."""
  sizes = params[0].weights.shape[0], *(layer.biases.size for layer in params)
  config = ssnn_jax.NetworkConfig(sizes, num_steps=task.num_steps)
  network, reference = ssnn_jax.ssnn(config), ssnn_jax.ann(config)
  evaluate = training.make_evaluate(network, reference, _BATCH_SIZE)
  evaluate = jax.jit(evaluate)
  ann_key, *keys = jax.random.split(key, 1 + _NUM_DRAWS)
  exact = jax.jit(reference.infer)(params, ann_key, task.rates).potential
  draws = [evaluate(params, key, task.rates, task.labels) for key in keys]
  return np.asarray(exact), metrics.Accuracy(*map(np.array, zip(*draws)))


def load_task(
  dataset: datasets.Dataset, num_inputs: int, num_steps: int, inputs: str
) -> Task:
  """Makes the task of a data set's test split.

  Args:
    dataset: the data set, of images.
    num_inputs: inputs that the network has.
    num_steps: T, ticks of a presentation.
    inputs: one of INPUTS.

  Returns:
    The task.

  Raises:
    UserError: if the network has not the inputs of the data set.
  """
  if dataset.num_inputs != num_inputs:
    raise ssnn_jax.UserError(
      f'--dataset={dataset.name} has {dataset.num_inputs} inputs and the '
      f'network of --file {num_inputs}; choose the data set of its training.'
    )
  images, labels = dataset.test
  rates = np.array(ssnn_jax.rate_encode(images))  # torch asks for a copy
  return Task(rates, labels, num_steps, inputs)


def main() -> None:
  """Compares as the flags ask for."""
  values = flags.FLAGS.flag_values_dict()
  name, num_steps = values['dataset'], values['num_steps']
  if not values['file']:
    raise ssnn_jax.UserError('--file is left out; give an exported network.')
  nir, file = export.import_nir(), str(cli.folder(values['file']))
  sizes, params = nir.from_graph(nir.read(file))
  version = check_installed(values['consumer'])
  dataset = data.load_images(values)
  task = load_task(dataset, sizes[0], num_steps, values['inputs'])
  read = CONSUMERS[values['consumer']]
  figures = compare(read, file, params, task, jax.random.key(0))
  line = {
    'consumer': values['consumer'],
    'version': version,
    'dataset': name,
    'num_images': len(task.labels),
    'layer_sizes': sizes,
    'num_steps': num_steps,
    'inputs': task.inputs,
  }
  print(json.dumps(line | figures))


if __name__ == '__main__':
  with cli.group('Records'):
    flags.DEFINE_string(
      'file', None, '`file` that experiments.export has written; required.'
    )
  with cli.group('Data'):
    flags.DEFINE_string(
      *('dataset', 'digits'),
      '`name` of the images: digits, mnist, fashion_mnist, emnist/<split>, or '
      f'{fields.OWN_FILE}.',
    )
  cli.define_data_dir()
  with cli.group('Spikes'):
    flags.DEFINE_integer(
      'num_steps', 64, 'T, ticks of a presentation.', lower_bound=1
    )
    flags.DEFINE_enum(
      'inputs', 'current', INPUTS, 'what a grey value drives the library with.'
    )
  with cli.group('Evaluation'):
    flags.DEFINE_enum(
      'consumer', 'sinabs', list(CONSUMERS), 'library that runs the network.'
    )
  cli.launch(main)
