"""Distance of spiking updates from the gradient of backpropagation.

  python -m experiments.measurements.fidelity --grid='num_steps=8,16' > lines

The flags of `experiments.run` describe the networks. Each JSON line has the
distance for one network, at the weights of an ANN after some training steps:
the root mean square over all weights and draws of the spikes, relative to the
gradient. `update_error` has spikes in all passes, `quantisation_error`, of
stochastic neurons, in the update only.
"""

from absl import flags
import jax
import tqdm

from experiments import command
from experiments.measurements import lines
from experiments.runs import config as config_lib
from experiments.runs import models
from experiments.runs import train
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.datasets import catalog

FLAGS = flags.FLAGS


_update_error = jax.jit(train.update_error, static_argnums=(0, 1, 6))


def _train_ann(config, network, dataset, num_steps):
  """Returns the parameters of the ANN after a number of SGD steps."""
  ann, batch_size = ssnn_jax.ann(network), config.batch_size
  optimizer = training.make_optimizer(config.learning_rate)
  state = training.init_state(ann, optimizer, seed=0)
  train_epoch = jax.jit(training.make_train_epoch(ann, optimizer, batch_size))
  of_epoch = len(dataset.train.labels) // batch_size
  while num_steps > 0:
    size = batch_size * min(num_steps, of_epoch)
    state, *_ = train_epoch(state, *(array[:size] for array in dataset.train))
    num_steps -= of_epoch
  return state.params


def _measure():
  """Yields the line of each network of the flags, with the weights of its ANN.

  It is measured on the last batch of the training split.
  """
  if catalog.is_recorded(FLAGS.dataset):
    raise ssnn_jax.UserError(
      f'--dataset={FLAGS.dataset} holds recordings; give a set of images.'
    )
  trained = {}
  for config in tqdm.tqdm(lines.list_settings(), disable=None):
    if config.method != 'ssnn':
      continue
    dataset = train.load(config, FLAGS.data_dir)
    network = config_lib.network_config(config, dataset)
    own = config.neuron, config.layers, config.model, config.model_args
    key = *own, config.batch_size, config.learning_rate
    if key not in trained:
      steps = FLAGS.train_steps
      trained[key] = _train_ann(config, network, dataset, steps)
    batch = [array[-config.batch_size :] for array in dataset.train]
    line, ann = lines.describe(config, network), ssnn_jax.ann(network)
    for name, probed in train.probed_networks(network).items():
      data = trained[key], jax.random.key(0), *batch
      error = _update_error(ssnn_jax.ssnn(probed), ann, *data, FLAGS.draws)
      line[name] = round(float(error), 5)
    yield line


if __name__ == '__main__':
  lines.define_flags()
  flags.DEFINE_integer('train_steps', 400, 'SGD steps before measuring.', 0)
  flags.DEFINE_integer('draws', 8, 'draws of the spikes.', 1)
  command.launch(
    lambda: lines.write(__spec__.name, _measure()),
    define_flags=models.define_flags,
  )
