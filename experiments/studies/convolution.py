"""Convolutional networks compared with the ANN of the same layers."""

from experiments.studies import Study
from experiments.studies import Sweep

_SMALL = 'conv16k5s2,conv32k5s2,10'
_LARGE = 'conv32k5s2p2,conv64k5s2p2,256,10'
_DEEP = 'conv16k3s2p1,conv32k3s2p1,conv32k3s2p1,10'
_SAMPLERS = ('sobol', 'bernoulli')
_BIPOLAR = {'neuron': ('bipolar',), 'sampler': ('regular',)}
_STOCHASTIC = {'neuron': ('stochastic',), 'sampler': ('sobol',)}


def _base(layers, rate, num_epochs):
  """Returns the settings that networks share."""
  shared = {'batch_size': 128, 'dropout': 0.1}
  fields = {'layers': layers, 'learning_rate': rate, 'num_epochs': num_epochs}
  return fields | shared


def _sweeps(num_seeds, rate, num_epochs, epochs_of_large):
  """Sweeps the small network, tuned for its ANN, and the large one.

  Args:
    num_seeds: seeds of the small network of stochastic neurons with 64 ticks.
    rate: learning rate.
    num_epochs: epochs of the small network.
    epochs_of_large: epochs of the large network.
  """
  small = _base(_SMALL, rate, num_epochs)
  large = _base(_LARGE, rate, epochs_of_large)
  large |= {'dropout': 0.3, 'weight_decay': 1e-4}
  short = {'num_steps': (4, 16), **_STOCHASTIC}
  longest = {'num_steps': (64,), 'window': (32,), **_STOCHASTIC}
  return (
    Sweep({**short, 'sampler': _SAMPLERS}, 5, small),
    Sweep({**longest, 'sampler': ('bernoulli',)}, 5, small),
    Sweep({**longest, 'sampler': ('sobol',)}, num_seeds, small),
    Sweep({'num_steps': (32,), **_STOCHASTIC}, 5, large),
  )


STUDY = Study(
  question='Do convolutions that learn by spikes alone match their ANN?',
  sweeps={
    'mnist': _sweeps(5, 1.0, num_epochs=6, epochs_of_large=6),
    'fashion_mnist': (
      *_sweeps(8, 0.5, num_epochs=10, epochs_of_large=15),
      Sweep({'num_steps': (4, 8, 16), **_BIPOLAR}, 5, _base(_SMALL, 0.5, 10)),
      Sweep(
        {
          'num_steps': (16,),
          'neuron': ('stochastic',),
          'sampler': _SAMPLERS,
          'gain': (0.25, 1.0),
        },
        2,
        _base(_DEEP, 0.5, 6),
      ),
    ),
  },
  columns=('layers', 'neuron', 'gain', 'sampler', 'window', 'num_steps'),
  rows=('layers', 'neuron', 'sampler', 'gain'),
  margin=0.3,
  drawn={'layers': _SMALL},
)
