"""Layers: crossbars of weights, and how they are connected to neurons."""

from ssnn_jax.layers.conv import Conv
from ssnn_jax.layers.dense import Dense
from ssnn_jax.layers.wiring import SILENT
from ssnn_jax.layers.wiring import Layer
from ssnn_jax.layers.wiring import Wiring
from ssnn_jax.layers.wiring import connect

__all__ = ('SILENT', 'Conv', 'Dense', 'Layer', 'Wiring', 'connect')
