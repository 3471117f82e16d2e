"""Hardware: synaptic devices, counts of events and memory, and export.

`devices` defines the interface of synaptic devices, with ideal devices and
arrays of resistive devices; `device_config` has the parameters of a resistive
device, `resistive` its variability and its response to pulses; `pulse_curves`
reads measured responses, and `fit` fits resistive devices to them. `counts` has
the spikes, synaptic events and stored bits of a presentation. `nir`, the export
to NIR, requires the package nir and is imported by itself.
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
