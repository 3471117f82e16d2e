"""Pulse responses of aihwkit devices, and the cases of both simulators.

  python -m experiments.measurements.aihwkit_response > aihwkit.jsonl

prints one JSON line per case; `experiments.measurements.device_response` prints
the same cases for `ssnn_jax`. The command runs in a separate environment with
aihwkit, without jax.
"""

import argparse
from collections.abc import Iterator
import platform
import sys
from typing import Any
from typing import NamedTuple

import numpy as np

from experiments.measurements import json_lines


class Case(NamedTuple):
  """Devices under up pulses, then as many down pulses, or under decay."""

  device: str  # class name of aihwkit
  parameters: dict[str, Any]  # other than the defaults of the class
  num_pulses: int = 200  # in each direction; 0: decay steps
  stride: int = 1  # pulses between reads of the weights
  start: float = 0.0  # initial weight

  @property
  def schedule(self) -> list[int]:
    """Signed pulses before each read; 0 is a decay step."""
    num_reads = self.num_pulses // self.stride
    return [self.stride] * num_reads + [-self.stride] * num_reads or [0] * 100


_EQUAL = {
  'dw_min_dtod': 0.0,
  'w_max_dtod': 0.0,
  'w_min_dtod': 0.0,
  'up_down': 0.0,
  'up_down_dtod': 0.0,
  'dw_min_std': 0.0,
  'dw_min': 0.01,
  'w_max': 1.0,
  'w_min': -1.0,
}
_LINEAR = {
  'gamma_up_dtod': 0.0,
  'gamma_down_dtod': 0.0,
  'gamma_up': 0.3,
  'gamma_down': 0.5,
  'mult_noise': True,
}


def _constant(**changes):
  return Case('ConstantStepDevice', _EQUAL | changes)


def _linear(**changes):
  return Case('LinearStepDevice', _EQUAL | _LINEAR | changes)


def _soft(**changes):
  return Case('SoftBoundsDevice', _EQUAL | {'mult_noise': True} | changes)


def _decay(**changes):
  return _constant(lifetime=50.0, **changes)._replace(num_pulses=0, start=0.5)


_BOUNDS = {'w_max_dtod': 0.3, 'w_min_dtod': 0.3}
_GAMMAS = {'gamma_up_dtod': 0.1, 'gamma_down_dtod': 0.1}
CASES = {
  'constant': _constant(),
  'step_dtod': _constant(dw_min_dtod=0.3),
  'step_noise': _constant(dw_min_std=0.3),
  'larger_up': _constant(up_down=0.2),
  'larger_down': _constant(up_down=-0.2),
  'up_down_dtod': _constant(up_down_dtod=0.1),
  'bounds_dtod': _constant(**_BOUNDS),
  'corrupt': _constant(corrupt_devices_prob=0.2, corrupt_devices_range=0.5),
  'linear': _linear(),
  'linear_mult_noise': _linear(dw_min_std=0.3),
  'linear_add_noise': _linear(dw_min_std=0.3, mult_noise=False),
  'linear_gamma_dtod': _linear(**_GAMMAS),
  'linear_bounds_dtod': _linear(**_BOUNDS),
  'linear_own_bounds': _linear(**_BOUNDS, mean_bound_reference=False),
  'soft': _soft(),
  'soft_mult_noise': _soft(dw_min_std=0.3),
  'soft_add_noise': _soft(dw_min_std=0.3, mult_noise=False),
  'soft_bounds_dtod': _soft(**_BOUNDS),
  'decay': _decay(),
  'decay_dtod': _decay(lifetime_dtod=0.3),
  'gokmen_vlasov': Case('GokmenVlasovPresetDevice', {}, 1000, 5),
  'reram': Case('ReRamSBPresetDevice', {'write_noise_std': 0.0}, 1000, 5),
  'ecram': Case('EcRamPresetDevice', {}, 1000, 5),
  'ecram_mo': Case('EcRamMOPresetDevice', {}, 4000, 20),
  'idealized': Case('IdealizedPresetDevice', {}, 6000, 30),
}


def make_line(
  name: str, weights: np.ndarray, parameters: dict[str, Any], **source: str
) -> dict[str, Any]:
  """Returns the line of a case with weights `[reads, devices]`.

  The standard error `sd_error` of `sd` is computed from the fourth moment.
  """
  weights = np.asarray(weights, np.float64)
  offsets = weights - weights.mean(axis=1, keepdims=True)
  variance, fourth = np.mean(offsets**2, axis=1), np.mean(offsets**4, axis=1)
  error = np.sqrt(np.maximum(fourth - variance**2, 0) / weights.shape[1])
  sd = np.sqrt(variance)
  line = source | {
    'case': name,
    'parameters': parameters,
    'num_devices': weights.shape[1],
    'pulses': CASES[name].schedule,
  }
  error = error / np.maximum(2 * sd, 1e-12)
  moments = {'mean': weights.mean(axis=1), 'sd': sd, 'sd_error': error}
  for key, values in moments.items():
    line[key] = [float(f'{value:.6g}') for value in values]
  return line


def _measure(num_devices) -> Iterator[dict[str, Any]]:
  """Yields the lines of all cases."""
  # Optional packages; device_response imports the cases without them.
  import aihwkit
  import tqdm

  draw = np.random.default_rng(0)
  for name, case in tqdm.tqdm(CASES.items(), disable=None, unit='case'):
    seeds = draw.integers(1, 2**31 - 1, num_devices).tolist()
    weights = np.transpose([_respond(case, seed) for seed in seeds])
    fields = vars(_make_device(case)).items()
    parameters = {'device': case.device}
    parameters |= {k: v for k, v in fields if isinstance(v, float | int)}
    source = {'source': 'aihwkit', 'version': aihwkit.__version__}
    yield make_line(name, weights, parameters, **source)


def _make_device(case, **changes):
  from aihwkit.simulator import configs
  from aihwkit.simulator import presets

  module = presets if case.device.endswith('PresetDevice') else configs
  return getattr(module, case.device)(**case.parameters, **changes)


def _respond(case, seed):
  """Returns the weights of one device at each read.

  Each device has its own tile: a CPU tile draws pulse noise from a table of
  32768 normal numbers with nonzero mean, so that its devices would drift.
  """
  from aihwkit.simulator import configs
  from aihwkit.simulator.tiles.analog import AnalogTile
  import torch

  device = _make_device(case, construction_seed=seed)
  update = configs.UpdateParameters(
    desired_bl=1, update_management=False, update_bl_management=False
  )
  config = configs.SingleRPUConfig(device=device, update=update)
  wrapper = AnalogTile(1, 1, config)
  tile = wrapper.tile
  # Pulse probabilities are sqrt(4): with 1, a pulse would be lost where a
  # uniform number rounds to 1.
  tile.set_learning_rate(4 * device.dw_min)
  tile.set_weights(torch.full((1, 1), case.start))
  ones = torch.ones(case.stride, 1)
  weights = []
  for pulses in case.schedule:
    if pulses:
      tile.update(ones, -ones if pulses > 0 else ones, False)
    else:
      wrapper.decay_weights()  # as the optimizer does after each batch
    weights.append(tile.get_weights().item())
  return weights


def main() -> None:
  """Prints the lines of all cases, or one error message."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--num_devices', type=int, default=2000)
  num_devices = parser.parse_args().num_devices
  if num_devices < 2:
    parser.error(f'--num_devices is {num_devices}; expected 2 or more')
  try:
    import torch

    torch.set_num_threads(1)
    import aihwkit

    versions = {x.__name__: x.__version__ for x in (aihwkit, torch, np)}
    environment = {'versions': versions, 'python': platform.python_version()}
    json_lines.write(__spec__.name, environment, _measure(num_devices))
  except ModuleNotFoundError as error:
    sys.exit(
      f'error: {error.name} is not installed; run this command in a '
      'separate environment, after pip install aihwkit tqdm.'
    )
  except RuntimeError as error:  # aihwkit was built with another torch
    sys.exit(
      f'error: aihwkit does not work with torch {torch.__version__} '
      f'({error}); install the torch version that aihwkit was built with.'
    )


if __name__ == '__main__':
  main()
