"""Additions, time and text of a transformer in spikes.

  python -m experiments.measurements.language --text=own.txt > language.jsonl

It is trained, plays windows of the test text with their labels, and writes. The
JSON line has the additions of spikes for a character, the multiplications of
its ANN, and times of training steps, as ratios to those of a GPT.
"""

import time
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


def count_additions(played, make):
  """Counts the additions of a presentation, for a character, by their kinds.

  A spike adds to all that it reaches: potentials, errors and synapses, and the
  factor of a product if the other factor is not 0. The same circuit counts
  them, with 1 for all weights, factors, rates and spikes.
  """
  circuit = realtime._make_circuit(make())
  ones = jax.tree.map(jnp.ones_like, make().init(_KEY))
  ticks, size = [*played.spikes, *played.errors], len(played.spikes)
  before, totals = [jnp.zeros(own.shape[1:]) for own in ticks], np.zeros(3)

  @jax.jit
  def count(before, sent):
    flow = lambda x: realtime._flow(circuit, ones, (), x[:size], x[size:])
    marks = lambda arrays: ([jnp.float32(own != 0) for own in arrays],)
    _, added = jax.jvp(flow, marks(before), marks(sent))
    after = [old + new for old, new in zip(before, sent)]
    return after, added

  with mock.patch.object(transformer, 'scale', np.ones_like):
    for sent in zip(*ticks):
      before, added = count(before, sent)
      # In 64 bits, as float32 does not hold such counts.
      added = map(jax.tree.leaves, jax.device_get(added))
      totals += [sum(np.sum(x, dtype=float) for x in own) for own in added]
  names = 'forward_events', 'error_events', 'coincidences'
  return dict(zip(names, totals / np.prod(played.potentials.shape[1:3])))


def count_products(length, size, width, num_layers, num_heads):
  """Counts the multiplications of the ANN forward, for a character."""
  windows = [max(length // 4**head, 2) for head in range(num_heads)]
  seen = sum(np.minimum.outer(windows, 1 + np.arange(length)).mean(axis=1))
  block = 10 * width**2 + 2 * width * (1 + seen / num_heads)
  return int(num_layers * block + size * width)


def write(network, params, data, number):
  """Writes a number of characters after the first window of the test text."""
  infer, window, text = jax.jit(network.infer), data.test.inputs[0], ''
  rng, letters = np.random.default_rng(0), 255 * np.eye(data.num_classes)
  for _ in range(number):
    logits = np.asarray(infer(params, _KEY, window[None]).potential)[0, -1]
    # The largest sum with this noise is a sample of the softmax.
    code = np.argmax(logits + rng.gumbel(size=len(logits)))
    window = np.concatenate([window[1:], np.uint8(letters[[code]])])
    text += data.class_names[code]
  return text


def measure_steps(networks, batch):
  """Measures training steps in turn, as ratios to those of the last network."""
  steps = [jax.jit(jax.grad(own.loss, has_aux=True)) for own in networks]
  params = [own.init(_KEY) for own in networks]
  seconds = np.zeros((11, len(networks)))
  for row in seconds:
    for index, step in enumerate(steps):
      start = time.perf_counter()
      jax.block_until_ready(step(params[index], _KEY, *batch))
      row[index] = time.perf_counter() - start
  found = np.median(seconds[1:], axis=0)
  return dict(zip(('step', 'exact_step'), (found / found[-1]).tolist()))


def _measure():
  data = datasets.load(FLAGS.text)
  length, size = data.train.inputs.shape[1:]
  sizes = (length, size), size, FLAGS.width, FLAGS.num_layers, 4
  make = lambda: transformer.make(*sizes)
  network, options = ssnn_jax.ssnn(make()), {'num_epochs': FLAGS.num_epochs}
  num_updates = FLAGS.num_epochs * (len(data.train.labels) // 32)
  adam = optax.adam(optax.linear_schedule(3e-3, 0.0, num_updates))
  fitted = training.fit(network, adam, data, **options)
  params, batch = fitted.state.params, [own[:4] for own in data.test]
  played = realtime.play(network.config, params, _KEY, *batch)
  exact, other = ssnn_jax.ann(make()), ssnn_jax.ann(gpt.make(*sizes))
  line = count_additions(played, make) | options
  line |= {'products': count_products(length, *sizes[1:])}
  line |= measure_steps((network, exact, other), [x[:32] for x in data.train])
  line |= {'test_accuracy': float(fitted.history.eval_accuracy[-1])}
  yield line | {'text': write(network, params, data, 300)}


if __name__ == '__main__':
  flags.DEFINE_string('text', None, 'file of the text.', required=True)
  flags.DEFINE_integer('width', 96, 'width of the transformer.', 1)
  flags.DEFINE_integer('num_layers', 3, 'blocks of the transformer.', 1)
  flags.DEFINE_integer('num_epochs', 3, 'epochs of training.', 1)
  command.launch(lambda: lines.write(__spec__.name, _measure()))
