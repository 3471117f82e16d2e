"""Hardware: synaptic devices, and exchange in NIR.

The exchange, `nir`, requires the package nir and is imported by itself.
"""

from ssnn_jax.hardware.device_config import PRESETS as PRESETS
from ssnn_jax.hardware.device_config import DeviceConfig as DeviceConfig
from ssnn_jax.hardware.device_config import parse_params as parse_params
from ssnn_jax.hardware.device_config import read_device as read_device
from ssnn_jax.hardware.devices import make_resistive as make_resistive
from ssnn_jax.hardware.fit import PulseFit as PulseFit
from ssnn_jax.hardware.fit import fit_pulse_response as fit_pulse_response
from ssnn_jax.hardware.pulse_curves import PulseCurve as PulseCurve
from ssnn_jax.hardware.pulse_curves import read_pulse_csv as read_pulse_csv
