"""Time and text of a transformer in spikes.

  python -m experiments.measurements.language --text=own.txt > language.jsonl

It is trained, and writes. The JSON line has times of training steps, as ratios
to those of a GPT; `economy` counts additions.
"""

import time

from absl import flags
import jax
import numpy as np
import optax

from experiments import command
from experiments.measurements import lines
from experiments.models import gpt
from experiments.models import transformer
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training

FLAGS = flags.FLAGS
_KEY = jax.random.key(0)


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
  params = fitted.state.params
  exact, other = ssnn_jax.ann(make()), ssnn_jax.ann(gpt.make(*sizes))
  line = options | measure_steps(
    (network, exact, other), [x[:32] for x in data.train]
  )
  line |= {'test_accuracy': float(fitted.history.eval_accuracy[-1])}
  yield line | {'text': write(network, params, data, 300)}


if __name__ == '__main__':
  flags.DEFINE_string('text', None, 'file of the text.', required=True)
  flags.DEFINE_integer('width', 96, 'width of the transformer.', 1)
  flags.DEFINE_integer('num_layers', 3, 'blocks of the transformer.', 1)
  flags.DEFINE_integer('num_epochs', 3, 'epochs of training.', 1)
  command.launch(lambda: lines.write(__spec__.name, _measure()))
