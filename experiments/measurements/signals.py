"""Signals in time: how early the answer is, what a moment costs, and memory.

  python -m experiments.measurements.signals --dataset=braille > signals.jsonl

The flags of `experiments.run` describe the network. It is trained; JSON lines
have the accuracy after each part of the test signals, and the spikes and
additions of a moment of some of them, with their labels, of a network that is
never reset and of one that is presented each moment from rest. With `--lengths`
they also have the bytes of temporary arrays of one compiled training step, by
the number of moments: errors that are local in time need the traces alone
(`streams.make_gradient`), backpropagation through time the whole signal.
"""

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from experiments import command
from experiments.measurements import economy
from experiments.measurements import lines
from experiments.models import signals
from experiments.runs import models
from experiments.runs import train
import ssnn_jax
from ssnn_jax import streams
from ssnn_jax import training

FLAGS = flags.FLAGS
ERRORS = 'local', 'through time'
_KEY, _PARTS = jax.random.key(0), 10
_CHANNELS, _WIDTH, _BATCH_SIZE = 12, 128, 8  # of the network whose bytes count


def find_accuracies(
  classes: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
  """Returns the accuracy after each tenth of signals, by its name.

  Args:
    classes: `[N, L]` answers at each moment.
    labels: `[N, L]` classes, -1 after the end of a signal.
  """
  lengths = np.sum(labels >= 0, axis=1)
  found = {}
  for part in range(1, _PARTS + 1):
    last = np.int64(np.ceil(lengths * part / _PARTS)) - 1
    place = np.arange(len(labels)), last
    accuracy = float(np.mean(classes[place] == labels[place]))
    found[f'{100 * part // _PARTS} %'] = accuracy
  return found


def count_bytes(errors: str, length: int) -> int:
  """Counts the bytes of temporary arrays of a step on L moments."""
  shape, is_local = (length, _CHANNELS), errors == ERRORS[0]
  model = signals.make(shape, width=_WIDTH, bptt=not is_local)
  if is_local:
    learn = streams.make_gradient(model)
  else:
    learn = jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True)
  params = jax.eval_shape(model.init, jax.random.key(0))
  inputs = jax.ShapeDtypeStruct((_BATCH_SIZE, *shape), jnp.float32)
  labels = jax.ShapeDtypeStruct((_BATCH_SIZE,), jnp.int32)
  lowered = jax.jit(learn).lower(params, jax.random.key(0), inputs, labels)
  return int(lowered.compile().memory_analysis().temp_size_in_bytes)


def _measure():
  for config in tqdm.tqdm(lines.list_settings(), disable=None):
    if config.method != 'ssnn':
      continue
    dataset = train.load(config, FLAGS.data_dir)
    trained = economy.train_network(config, dataset, FLAGS.num_signals)
    described, model, params, (batch,) = trained
    inputs, labels = dataset.test
    found = training.predict(ssnn_jax.ssnn(model), params, inputs)
    for part, accuracy in find_accuracies(found.classes, labels).items():
      yield described | {'part': part, 'test_accuracy': accuracy}
    for name in ('stream', 'reset'):
      moment = economy.measure_moments(
        model, params, batch, reset=name == 'reset'
      )
      yield described | {'presentation': name} | moment
  for length in map(int, FLAGS.lengths):
    for errors in ERRORS:
      line = {'dataset': 'random signals', 'method': 'ssnn', 'errors': errors}
      found = count_bytes(errors, length)
      yield line | {'length': length, 'temporary_bytes': found}


if __name__ == '__main__':
  lines.define_flags(without=())
  flags.DEFINE_list('lengths', [], 'moments whose memory is measured.')
  flags.DEFINE_integer('num_signals', 4, 'signals that are played.', 1)
  command.launch(
    lambda: lines.write(__spec__.name, _measure()),
    define_flags=models.define_flags,
  )
