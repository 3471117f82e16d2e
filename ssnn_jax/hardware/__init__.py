"""Hardware: synaptic devices, counts of events and memory, export to NIR.

The export, `nir`, requires the package nir and is imported by itself.
"""

from ssnn_jax.hardware import counts
from ssnn_jax.hardware.device_config import PRESETS
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.device_config import parse_params
from ssnn_jax.hardware.device_config import read_device
from ssnn_jax.hardware.devices import Device
from ssnn_jax.hardware.devices import as_device
from ssnn_jax.hardware.devices import make_resistive
from ssnn_jax.hardware.fit import PulseFit
from ssnn_jax.hardware.fit import fit_pulse_response
from ssnn_jax.hardware.pulse_curves import PulseCurve
from ssnn_jax.hardware.pulse_curves import read_pulse_csv

__all__ = (
  'PRESETS',
  'Device',
  'DeviceConfig',
  'PulseCurve',
  'PulseFit',
  'as_device',
  'counts',
  'fit_pulse_response',
  'make_resistive',
  'parse_params',
  'read_device',
  'read_pulse_csv',
)
