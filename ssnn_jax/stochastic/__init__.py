"""The neuron of the paper: spike trains that are drawn, and its devices."""

from ssnn_jax.stochastic import layers as layers
from ssnn_jax.stochastic.config import NetworkConfig as NetworkConfig
from ssnn_jax.stochastic.device_config import PRESETS as PRESETS
from ssnn_jax.stochastic.device_config import DeviceConfig as DeviceConfig
from ssnn_jax.stochastic.device_config import parse_params as parse_params
from ssnn_jax.stochastic.device_config import read_device as read_device
from ssnn_jax.stochastic.devices import make_resistive as make_resistive
from ssnn_jax.stochastic.fit import PulseFit as PulseFit
from ssnn_jax.stochastic.fit import fit_pulse_response as fit_pulse_response
from ssnn_jax.stochastic.neuron import Played as Played
from ssnn_jax.stochastic.neuron import play as play
from ssnn_jax.stochastic.neuron import present as present
from ssnn_jax.stochastic.observe import Raster as Raster
from ssnn_jax.stochastic.observe import record as record
from ssnn_jax.stochastic.pulse_curves import PulseCurve as PulseCurve
from ssnn_jax.stochastic.pulse_curves import read_pulse_csv as read_pulse_csv
