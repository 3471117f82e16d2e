"""Accuracy on resistive devices with one non-ideality at a time."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep

# Values of each parameter of a device; larger values are less ideal.
_NON_IDEALITIES = {
  'dw_min': (0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
  'dw_min_dtod': (0.1, 0.3, 1),
  'dw_min_std': (1, 3, 10, 30),
  'up_down': (0.02, 0.05, 0.1, 0.2, 0.5),
  'up_down_dtod': (0.02, 0.05, 0.1, 0.2, 0.5),
}
_BOUNDS = 'w_max=1,w_min=-1'
_PARAMS = (
  *(
    f'{name}={value},{_BOUNDS}'
    for name, values in _NON_IDEALITIES.items()
    for value in values
  ),
  *(
    f'{_BOUNDS},corrupt_devices_prob={share}'
    for share in (0.01, 0.03, 0.1, 0.3, 0.6)
  ),
)
_PRESETS = ('gokmen_vlasov', 'reram', 'ecram', 'ecram_mo')


def _sweeps(num_seeds):
  """Sweeps presets, and bounded devices with one non-ideality."""
  read_noise = (0.1, 0.3, 1.0, 3.0)
  return (
    Sweep({'device': ('ideal', *_PRESETS)}, num_seeds),
    Sweep({'device': ('custom',), 'device_params': _PARAMS}, num_seeds),
    Sweep(
      {
        'device': ('custom',),
        'device_params': (_BOUNDS,),
        'read_noise': read_noise,
      },
      num_seeds,
    ),
  )


STUDY = Study(
  question=(
    'Which non-idealities of resistive devices does training tolerate, and to '
    'what extent?'
  ),
  sweeps={
    'digits': _sweeps(10),
    'fashion_mnist': _sweeps(5),
    ANY: _sweeps(5),
  },
  base={'neuron': 'stochastic', 'num_steps': 32, 'sampler': 'bernoulli'},
  columns=('device', 'device_params', 'read_noise'),
  rows=('device', 'device_params', 'read_noise'),
  across='dataset',
  baseline={
    'method': 'ssnn',
    'device': 'ideal',
    'device_params': '',
    'read_noise': '0.0',
  },
  shown={'method': 'ssnn'},
  figure='points',
)
