"""Measures how aihwkit's devices respond to pulses, to set ours beside them.

  python -m experiments.measurements.aihwkit_response > aihwkit.jsonl

prints a JSON line for each of the cases below, as `experiments.measurements.device_response`
does for ours. It is run by an environment of its own, which has aihwkit; no
other command needs that.

Each device has a tile of its own: on a CPU a tile draws the noise of its pulses
from a table of 32768 normal numbers, whose mean is not 0, so that all devices
of one tile would drift together. The clock seeds that table, so that each run
measures other pulses.
"""

import argparse
from collections.abc import Iterator
import json
import os
import sys
from typing import Any
from typing import NamedTuple

import numpy as np

FILE = 'aihwkit.jsonl'  # of the lines in a record


class Case(NamedTuple):
  """Devices that get pulses up, and then as many down; or decay.

  Attributes:
    device: name of the class of aihwkit.
    parameters: of the device, where they are not the class's own.
    num_pulses: in either direction; a multiple of `stride`.
    stride: pulses from one look at the weights to the next.
    start: weight at first.
    num_decays: steps of decay, in the place of pulses.
  """

  device: str
  parameters: dict[str, Any]
  num_pulses: int = 200
  stride: int = 1
  start: float = 0.0
  num_decays: int = 0

  @property
  def schedule(self) -> list[int]:
    """Signed pulses before each look at the weights; 0 is a step of decay."""
    if self.num_decays:
      return [0] * self.num_decays
    looks = self.num_pulses // self.stride
    return [self.stride] * looks + [-self.stride] * looks


_ALIKE = {
  'dw_min': 0.01,
  'w_max': 1.0,
  'w_min': -1.0,
  'up_down': 0.0,
  'dw_min_dtod': 0.0,
  'dw_min_std': 0.0,
  'up_down_dtod': 0.0,
  'w_max_dtod': 0.0,
  'w_min_dtod': 0.0,
}
_LINEAR = {
  **_ALIKE,
  'gamma_up': 0.3,
  'gamma_down': 0.5,
  'mult_noise': True,
  'gamma_up_dtod': 0.0,
  'gamma_down_dtod': 0.0,
}


def _constant(**changes):
  return Case('ConstantStepDevice', {**_ALIKE, **changes})


def _linear(**changes):
  return Case('LinearStepDevice', {**_LINEAR, **changes})


def _soft(**changes):
  return Case('SoftBoundsDevice', {**_ALIKE, 'mult_noise': True, **changes})


def _decay(**changes):
  parameters = {**_ALIKE, 'lifetime': 50.0, **changes}
  return Case('ConstantStepDevice', parameters, start=0.5, num_decays=100)


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


def describe(weights: np.ndarray) -> dict[str, list[float]]:
  """Describes the weights of many devices.

  Args:
    weights: `[looks, devices]`.

  Returns:
    `mean` and `sd` over devices at each look, and `sd_error`, the standard
    error of the latter, by the fourth moment.
  """
  weights = np.asarray(weights, np.float64)
  offsets = weights - weights.mean(axis=1, keepdims=True)
  variance, fourth = np.mean(offsets**2, axis=1), np.mean(offsets**4, axis=1)
  error = np.sqrt(np.maximum(fourth - variance**2, 0) / weights.shape[1])
  sd = np.sqrt(variance)
  numbers = {
    'mean': weights.mean(axis=1),
    'sd': sd,
    'sd_error': error / np.maximum(2 * sd, 1e-12),
  }
  return {
    name: [float(f'{value:.6g}') for value in values]
    for name, values in numbers.items()
  }


def measure(num_devices: int) -> Iterator[dict[str, Any]]:
  """Measures all cases.

  Args:
    num_devices: how many devices of each.

  Yields:
    A line for each case.
  """
  import aihwkit  # not everywhere, so that others can import the cases

  draw = np.random.default_rng(0)
  for name, case in CASES.items():
    seeds = draw.integers(1, 2**31 - 1, num_devices).tolist()
    weights = [_respond(case, seed) for seed in seeds]
    yield {
      'source': 'aihwkit',
      'version': aihwkit.__version__,
      'case': name,
      'parameters': _parameters(case),
      'num_devices': num_devices,
      'pulses': case.schedule,
      **describe(np.transpose(weights)),
    }


def _make_device(case, **changes):
  """Makes the parameters of a device, as a dataclass of aihwkit."""
  from aihwkit.simulator import configs
  from aihwkit.simulator import presets

  kinds = (
    *(configs.ConstantStepDevice, configs.LinearStepDevice),
    *(configs.SoftBoundsDevice, presets.GokmenVlasovPresetDevice),
    *(presets.ReRamSBPresetDevice, presets.EcRamPresetDevice),
    *(presets.EcRamMOPresetDevice, presets.IdealizedPresetDevice),
  )
  by_name = {kind.__name__: kind for kind in kinds}
  return by_name[case.device](**case.parameters, **changes)


def _parameters(case):
  device = _make_device(case)
  return {
    'device': case.device,
    **{k: v for k, v in vars(device).items() if isinstance(v, float | int)},
  }


def _respond(case, seed):
  """Tells the weights of one device, look by look."""
  from aihwkit.simulator import configs
  from aihwkit.simulator.tiles.analog import AnalogTile
  import torch

  device = _make_device(case, construction_seed=seed)
  update = configs.UpdateParameters(
    desired_bl=1, update_management=False, update_bl_management=False
  )
  wrapper = AnalogTile(
    1, 1, configs.SingleRPUConfig(device=device, update=update)
  )
  tile = wrapper.tile
  # Each end then spikes with probability sqrt(4), which is more than certain:
  # with 1, a uniform number that rounds to 1 would swallow a pulse.
  tile.set_learning_rate(4 * device.dw_min)
  tile.set_weights(torch.full((1, 1), case.start))
  ones = torch.ones(case.stride, 1)
  weights = []
  for pulses in case.schedule:
    if pulses:
      tile.update(ones, -ones if pulses > 0 else ones, False)
    else:
      wrapper.decay_weights()  # as the optimiser does after each batch
    weights.append(tile.get_weights().item())
  return weights


def main() -> None:
  """Prints all cases, or one sentence that says why it cannot."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument(
    '--num_devices', type=int, default=2000, help='devices of each case (2000)'
  )
  num_devices = parser.parse_args().num_devices
  if num_devices < 2:
    parser.error(f'--num_devices is {num_devices}; expected 2 or more')
  try:
    import torch

    torch.set_num_threads(1)
    for line in measure(num_devices):
      print(json.dumps(line), flush=True)
  except ModuleNotFoundError as error:
    sys.exit(
      f'error: {error.name} is not installed here; run this in an environment '
      'of its own, after pip install aihwkit.'
    )
  except BrokenPipeError:  # whoever reads has seen enough
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
  except RuntimeError as error:  # it was built with another torch
    sys.exit(
      f'error: aihwkit does not work with torch {torch.__version__} '
      f'({error}); install the torch that it was built with, or build it anew.'
    )


if __name__ == '__main__':
  main()
