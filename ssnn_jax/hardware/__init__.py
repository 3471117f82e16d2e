"""Synaptic devices, crossbar periphery, costs and export."""

from ssnn_jax.hardware.device_config import PRESETS
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.devices import Device
from ssnn_jax.hardware.devices import make_resistive

__all__ = ('PRESETS', 'Device', 'DeviceConfig', 'make_resistive')
