"""Additions, time and text of a transformer in spikes.

  python -m experiments.measurements.language --text=own.txt > language.jsonl

It is trained, plays windows of the test text with their labels, and writes. A
JSON line has the additions of spikes for a character, the multiplications of
its ANN, and times of training steps, as ratios to those of a GPT.
"""

from collections.abc import Iterator
import statistics
import time
from typing import Any
from unittest import mock

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import command
from experiments.measurements import lines
from experiments.models import gpt
from experiments.models import transformer
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import realtime
from ssnn_jax import training

FLAGS = flags.FLAGS
_KEY = jax.random.key(0)


def count_products(length: int, size: int, width: int, *args: int) -> int:
  """Counts the multiplications of the ANN forward, for a character."""
  num_layers, num_heads = args
  seen = sum(
    np.mean(np.minimum(np.arange(length) + 1, max(length // 4**head, 2)))
    for head in range(num_heads)
  )
  of_heads = 2 * seen * width // num_heads  # scores, and sums over values
  return int(num_layers * (10 * width**2 + 2 * width + of_heads) + size * width)


def write(
  network: ssnn_jax.Network, params: Any, data: datasets.Dataset, number: int
) -> str:
  """Writes characters after the first window of the test text."""
  infer, rng = jax.jit(network.infer), np.random.default_rng(0)
  window, written = data.test.inputs[0], ''
  for _ in range(number):
    potential = infer(params, _KEY, window[None]).potential[0, -1]
    noise = rng.gumbel(size=data.num_classes)  # of the softmax, a sample
    code = np.argmax(np.asarray(potential) + noise)
    written += data.class_names[code]
    own = 255 * (np.arange(data.num_classes) == code)
    window = np.concatenate([window[1:], np.uint8(own)[None]])
  return written


def measure_steps(
  networks: dict[str, ssnn_jax.Network], batch: tuple[np.ndarray, np.ndarray]
) -> dict[str, float]:
  """Measures training steps in turn, and returns ratios to the last one."""
  seconds, steps = {name: [] for name in networks}, {}
  for name, network in networks.items():
    learn = jax.jit(jax.grad(network.loss, has_aux=True))
    params = network.init(_KEY)
    steps[name] = lambda learn=learn, params=params: learn(params, _KEY, *batch)
  for _ in range(11):
    for name, step in steps.items():
      start = time.perf_counter()
      jax.block_until_ready(step())
      seconds[name].append(time.perf_counter() - start)
  found = {name: statistics.median(own[1:]) for name, own in seconds.items()}
  return {f'{name}_step': own / found['gpt'] for name, own in found.items()}


def count_additions(played: realtime.Played, *args: int) -> dict[str, float]:
  """Counts the additions of a presentation, for a character.

  A spike adds to all that it reaches: potentials, errors and synapses, and the
  factor of a product if the other factor is not 0. They are counted by the
  same circuit with weights, factors, rates and spikes of 1.

  Args:
    played: the presentation.
    *args: of `transformer.make`.
  """
  model = transformer.make(*args)
  circuit = realtime._make_circuit(model)
  ones = jax.tree.map(jnp.ones_like, model.init(_KEY))
  ends = [own.shape[1:] for own in (*played.spikes, *played.errors)]
  before, number = [jnp.zeros(own) for own in ends], len(played.spikes)

  @jax.jit
  def count(before, sent):
    flow = lambda own: realtime._flow(circuit, ones, own[:number], own[number:])
    marks = lambda arrays: [jnp.float32(own != 0) for own in arrays]
    after = [old + new for old, new in zip(before, sent)]
    _, added = jax.jvp(flow, (marks(before),), (marks(sent),))
    return after, [sum(map(jnp.sum, jax.tree.leaves(own))) for own in added]

  totals = np.zeros(3)
  with mock.patch.object(transformer, 'scale', np.ones_like):
    for sent in zip(*played.spikes, *played.errors):
      before, added = count(before, sent)
      totals += jax.device_get(added)
  names = 'forward_events', 'error_events', 'coincidences'
  return dict(zip(names, totals / np.prod(played.potentials.shape[1:3])))


def _measure() -> Iterator[dict[str, Any]]:
  data = datasets.load(FLAGS.text)
  shape, sizes = data.train.inputs.shape[1:], (FLAGS.width, FLAGS.num_layers, 4)
  model = transformer.make(shape, shape[1], *sizes)
  ssnn, ann = ssnn_jax.ssnn(model), ssnn_jax.ann(model)
  fitted = training.fit(
    ssnn, optax.adam(5e-3), data, num_epochs=FLAGS.num_epochs, evaluate=False
  )
  params = fitted.state.params
  batch = tuple(own[: FLAGS.num_windows] for own in data.test)
  played = realtime.play(model, params, _KEY, *batch)
  line = count_additions(played, shape, shape[1], *sizes)
  line['silence'] = float(np.median(played.silence))
  line['products'] = count_products(*shape, *sizes)
  other = ssnn_jax.ann(gpt.make(shape, shape[1], *sizes))
  networks = {'spikes': ssnn, 'exact': ann, 'gpt': other}
  line |= measure_steps(networks, tuple(own[:32] for own in data.train))
  yield line | {'text': write(ssnn, params, data, 300)}


if __name__ == '__main__':
  flags.DEFINE_string('text', None, 'file of the text.', required=True)
  flags.DEFINE_integer('width', 96, 'width of the transformer.', 1)
  flags.DEFINE_integer('num_layers', 3, 'blocks of the transformer.', 1)
  flags.DEFINE_integer('num_epochs', 2, 'epochs of training.', 1)
  flags.DEFINE_integer('num_windows', 4, 'windows to play.', 1)
  command.launch(lambda: lines.write(__spec__.name, _measure()))
