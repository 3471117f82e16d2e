"""The configurations that experiments start from, by data set."""

from experiments import configs
import ssnn_jax

_MNIST = {'batch_size': 128, 'num_epochs': 10, 'learning_rate': 0.5}
_EVENTS = {
  'batch_size': 16,
  'num_epochs': 40,
  'learning_rate': 0.1,
  'input_gain': None,  # in proportion to T
}
CONFIGS = {
  'digits': configs.ExperimentConfig(),
  **{
    name: configs.ExperimentConfig(dataset=name, **_MNIST)
    for name in ssnn_jax.datasets.IMAGES
    if name != 'digits'
  },
  **{
    name: configs.ExperimentConfig(dataset=name, **_EVENTS)
    for name in ssnn_jax.datasets.RECORDINGS
  },
}
