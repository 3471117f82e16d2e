"""Fits of resistive devices to measurements of their pulse response.

`curves` reads and checks measured curves; `kalman` predicts each reading of a
device from the previous ones; `estimation` finds the parameters of one device,
and `population` their means and variability over devices; `pulse_response`
makes them the parameters of the device model.
"""

from ssnn_jax.hardware.fit.curves import PulseCurve
from ssnn_jax.hardware.fit.curves import read_pulse_csv
from ssnn_jax.hardware.fit.pulse_response import PulseFit
from ssnn_jax.hardware.fit.pulse_response import fit_pulse_response

__all__ = ('PulseCurve', 'PulseFit', 'fit_pulse_response', 'read_pulse_csv')
