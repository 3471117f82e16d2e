"""Accuracy of an exported network in another library.

  python -m experiments.measurements.nir_consumer --workdir=runs/name

exports the network of a run on images, and prints two JSON lines: with images
as constant currents, and as spikes. Each has the test accuracy of the library,
which loads the NIR graph, and of `ssnn_jax` with the same weights and T.
`output_error` is the relative root mean square distance of the library's mean
output from the output of the ANN. Libraries are installed separately:

  sinabs 3.1.3    Resets by subtraction. `spike_fn` and `min_v_mem` are set,
                  since neurons otherwise fire many times a tick, and clip the
                  membrane at -1.
  snntorch 1.0.0  Resets by subtraction and fires once a tick. `beta` and
                  `init_hidden` are set, since neurons otherwise leak, and pass
                  their state to the next layer, which fails. A neuron above
                  threshold after a spike may miss the next spike.
  norse 1.1.0     Resets to zero: potential above the threshold is lost.

sinabs and norse read graphs of nir up to 1.0.4, a dependency of sinabs.
`start_dim` is set for snntorch and norse, which count the batch among the axes
to flatten.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import importlib
from importlib import metadata
import io
import pathlib
import tempfile
from typing import Any

from absl import flags
import jax
import numpy as np

from experiments import export
from experiments.config import command
from experiments.config import experiment
from experiments.measurements import json_lines
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.runs import provenance

_BATCH_SIZE = 500
_NUM_DRAWS = 8
INPUTS = ('current', 'spikes')

# `[B, I]` or `[B, C, H, W]` inputs of a tick -> `[B, C]` outputs of the tick
Step = Callable[[np.ndarray], np.ndarray]
# `(graph, B)` -> network of the graph with initial membranes, for B samples
Read = Callable[[Any, int], Step]


def _read_sinabs(graph, batch_size):
  names = 'sinabs.nir', 'sinabs.layers', 'sinabs.activation'
  sinabs_nir, layers, activation = map(importlib.import_module, names)
  model = sinabs_nir.from_nir(graph, batch_size=batch_size)
  for layer in model.modules():
    if isinstance(layer, layers.IAF):
      layer.spike_fn, layer.min_v_mem = activation.SingleSpike, None
  return _make_step(lambda frame, state: (model(frame)[0], state))


def _read_snntorch(graph, batch_size):
  del batch_size
  names = 'torch', 'snntorch', 'snntorch.import_nir'
  torch, snntorch, import_nir = map(importlib.import_module, names)
  model = import_nir.import_from_nir(graph)
  for layer in model.modules():
    if isinstance(layer, snntorch.Leaky):
      layer.beta, layer.init_hidden = torch.tensor(1.0), True
  _keep_batch(model)
  return _make_step(lambda frame, state: (model(frame)[0], state))


def _read_norse(graph, batch_size):
  del batch_size
  norse = importlib.import_module('norse.torch')
  model = norse.from_nir(graph)
  _keep_batch(model)
  return _make_step(model)


def _keep_batch(model):
  """Sets layers that flatten, so that they keep the axis of the batch."""
  torch = importlib.import_module('torch')
  for layer in model.modules():
    if isinstance(layer, torch.nn.Flatten):
      layer.start_dim = 1


def _make_step(model):
  """Makes a step of `(frame, state) -> (output, state)`, of torch tensors."""
  torch, state = importlib.import_module('torch'), None

  def step(frame):
    nonlocal state
    output, state = model(torch.from_numpy(frame), state)
    return output.numpy()

  return torch.inference_mode()(step)


CONSUMERS = {
  'sinabs': _read_sinabs,
  'snntorch': _read_snntorch,
  'norse': _read_norse,
}


def present(
  read: Read, graph: Any, rates: np.ndarray, num_steps: int, inputs: str
) -> np.ndarray:
  """Returns the `[N, C]` outputs of a library, averaged over ticks.

  The rates are `[N, I]` or `[N, C, H, W]`, and inputs one of `INPUTS`.
  """
  outputs = []
  for start in range(0, len(rates), _BATCH_SIZE):
    batch = rates[start : start + _BATCH_SIZE]
    with contextlib.redirect_stdout(io.StringIO()):  # snntorch prints
      step = read(graph, len(batch))
    total, rng = 0, np.random.default_rng(start)
    for _ in range(num_steps):
      frame = batch
      if inputs == 'spikes':
        frame = (rng.random(batch.shape) < batch).astype(np.float32)
      total += step(frame)
    outputs.append(total / num_steps)
  return np.concatenate(outputs)


def compare(
  read: Read,
  graph: Any,
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  test: ssnn_jax.datasets.Split,
) -> Iterator[dict[str, Any]]:
  """Yields the accuracies of a library and of `ssnn_jax`, for each of `INPUTS`.

  The other arguments are the network, its parameters, and the test images.
  """
  images, labels = test
  rates = np.array(ssnn_jax.rate_encode(images))  # torch needs a copy
  network, reference = ssnn_jax.ssnn(config), ssnn_jax.ann(config)
  evaluate = jax.jit(training.make_evaluate(network, reference, _BATCH_SIZE))
  ann_key, *keys = jax.random.split(jax.random.key(0), 1 + _NUM_DRAWS)
  draws = [evaluate(params, key, rates, labels) for key in keys]
  ours = jax.tree.map(lambda *values: np.array(values), *draws)
  exact = jax.jit(reference.infer)(params, ann_key, rates).potential
  exact = np.asarray(exact)
  shape = tuple(map(int, graph.nodes['input'].input_type['input']))
  if len(shape) == 3 and config.layers[0].channel_axis == -1:
    rates = rates.reshape(-1, *shape[1:], shape[0])
    rates = np.moveaxis(rates, -1, 1)  # NIR has the channels first
  rates = rates.reshape(-1, *shape)
  for inputs in INPUTS:
    output = present(read, graph, rates, config.num_steps, inputs)
    numbers = {
      'consumer_accuracy': np.mean(output.argmax(axis=1) == labels),
      'output_error': np.linalg.norm(output - exact) / np.linalg.norm(exact),
      'accuracy': np.mean(ours.winner),
      'accuracy_sd': np.std(ours.winner, ddof=1),
      'accuracy_largest': np.mean(ours.largest),
      'accuracy_largest_sd': np.std(ours.largest, ddof=1),
      'accuracy_potential': np.mean(ours.potential),
      'accuracy_potential_sd': np.std(ours.potential, ddof=1),
      'accuracy_rate': np.mean(ours.rate),
    }
    rounded = {name: round(float(value), 4) for name, value in numbers.items()}
    yield {'inputs': inputs, **rounded}


def measure(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """Yields the lines of a run, from the values of the flags."""
  consumer, folder = values['consumer'], command.folder(values['workdir'])
  nir_lib = export.import_nir()
  try:
    importlib.import_module(consumer)
  except ImportError:
    raise ssnn_jax.UserError(
      f'the package {consumer} is not installed; '
      f"pip install {consumer} 'nir<=1.0.4'."
    ) from None
  config, params = export.load(folder)
  name = trainer.read_task(folder).config.dataset
  test = data.load_images(name, command.make(experiment.DataOptions)).test
  with tempfile.TemporaryDirectory() as temporary:
    file = pathlib.Path(temporary, 'network.nir')
    nir_lib.write(file, nir_lib.to_graph(config, params))
    graph = importlib.import_module('nir').read(str(file))
  for line in compare(CONSUMERS[consumer], graph, config, params, test):
    yield {
      'consumer': consumer,
      'version': metadata.version(consumer),
      'dataset': name,
      'num_images': len(test.labels),
      'layer_sizes': config.layer_sizes,
      'num_steps': config.num_steps,
      **line,
    }


def main() -> None:
  """Prints the comparison."""
  measured = measure(flags.FLAGS.flag_values_dict())
  json_lines.write(__spec__.name, provenance.environment(), measured)


if __name__ == '__main__':
  flags.DEFINE_string('workdir', None, 'folder of the run.', required=True)
  command.define_data_dir()
  libraries = list(CONSUMERS)
  flags.DEFINE_enum('consumer', 'sinabs', libraries, 'library to evaluate.')
  command.launch(main)
