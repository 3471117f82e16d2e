"""Training methods, and the configuration fields that affect each method."""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax

import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import training
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.baselines import feedback_alignment
from ssnn_jax.baselines import rpu
from ssnn_jax.baselines import surrogate_gradient
from ssnn_jax.hardware import counts
from ssnn_jax.hardware import devices
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.training import activity

ANN, CHIP = 'bp', 'chip'
ANNS = ANN, 'relu'  # whose readouts are one
SYNAPSE_FIELDS = {
  field.name
  for config in (DeviceConfig, ssnn_jax.ReadConfig)
  for field in dataclasses.fields(config)
} | {'device'}
# Fields that affect a network with spikes in the update only.
_PULSES = frozenset(
  {'num_steps', 'gain', 'sampler', 'representation'}
  | {'probe_size', 'probe_draws', 'probe_every'}
  | SYNAPSE_FIELDS
)
# Fields that do not affect the ANN, which trains on rates. The rates of a
# recording do depend on T; in a sweep over T the ANN has those of one T, that
# of the configuration, which tables say. The sampler also draws dropout masks,
# whose distribution does not depend on the sampler. The probe compares spikes
# with the ANN.
_SPIKES = (
  _PULSES
  | {'window', 'max_window', 'integration', 'tau', 'settle', 'output_errors'}
  | {'timing', 'update_every', 'winner'}
  | {field.name for field in dataclasses.fields(ssnn_jax.RaceConfig)}
  | {'forward', 'backward', 'update', 'shuffle_ticks'}
)
# Fields of the chip only.
CHIP_FIELDS = frozenset(
  field.name for field in dataclasses.fields(chip.ChipConfig)
) - {'layer_sizes', 'num_steps', 'settle'}
SPIKING_FIELDS = _SPIKES | CHIP_FIELDS


def _same_params(config: Any, params: ssnn_jax.Params) -> ssnn_jax.Params:
  del config
  return params


class Method(NamedTuple):
  """A training method.

  Attributes:
    help: a short description.
    make: `(config, key, *, separate_signs, axis_name) -> Network`, with the key
      of the seed and the configuration of `configure`.
    make_observe: `(config, key) -> observe`, as `activity.make_observe`; None
      without spikes.
    count_memory: `(config) -> counts.StoredBits`; raises a UserError if the
      memory of the network is not defined.
    fields: the fields in `SPIKING_FIELDS` that affect the method.
    has_pulses: whether the update counts spike coincidences, which resistive
      devices require.
    estimates_gradient: whether the update estimates the gradient, and so has a
      defined error.
    configure: `(experiment, network_config) -> config` of the network.
    make_device: `(config, learning_rate, schedule) -> Device`, with the
      learning rate of one sample, for methods whose weights are not floats;
      None for others.
    read_params: `(config, params) -> Params` of the ANN with the same weights;
      None if they are not those of the ANN.
  """

  help: str
  make: Callable[..., ssnn_jax.Network]
  make_observe: Callable[..., Callable[..., activity.Activity]] | None
  count_memory: Callable[[ssnn_jax.NetworkConfig], counts.StoredBits]
  fields: frozenset[str] = _SPIKES
  has_pulses: bool = True
  estimates_gradient: bool = True
  configure: Callable[..., Any] = lambda experiment, config: config
  make_device: Callable[..., devices.Device] | None = None
  read_params: Callable[..., ssnn_jax.Params] | None = _same_params


def _without_key(make: Callable[..., Any]) -> Callable[..., Any]:
  """Adds an unused argument for the key of the seed."""
  return lambda config, key, **options: make(config, **options)


def _without_pulses(make):
  """Adapts a network without coincidence counts and separate signs."""

  def make_network(config, key, *, separate_signs=False, axis_name=None):
    del key, separate_signs
    return make(config, axis_name=axis_name)

  return make_network


def _observe_ann(config, key):
  """Observes the ANN: expected spikes at its exact rates."""
  del key
  rates = dict.fromkeys(('forward', 'backward', 'update'), 'rates')
  return activity.make_observe(dataclasses.replace(config, **rates))


def _feedback(config, key):
  key = training.stream_key(key, training.Stream.FEEDBACK)
  return feedback_alignment.draw_feedback(config, key)


def _align_feedback(config, key, **options):
  feedback = _feedback(config, key)
  return feedback_alignment.make_network(config, feedback, **options)


def _configure_chip(experiment, config):
  own = {name: getattr(experiment, name) for name in CHIP_FIELDS}
  if len(own['fraction_bits']) == 1:
    (own['fraction_bits'],) = own['fraction_bits']
  shared = config.layer_sizes, config.num_steps
  return chip.ChipConfig(*shared, settle=config.settle, **own)


def _make_chip(config, key, *, separate_signs=False, axis_name=None):
  """Makes the chip, which presents samples one after another."""
  del key, separate_signs, axis_name
  return chip.make_network(config)


def _count_chip_memory(config):
  raise ssnn_jax.UserError('the chip stores nothing of a sample to learn from.')


METHODS = {
  'ssnn': Method(
    'the spiking network',
    _without_key(ssnn_jax.ssnn),
    _without_key(activity.make_observe),
    counts.spiking_memory,
  ),
  ANN: Method(
    'the ANN, by backpropagation',
    _without_pulses(ssnn_jax.ann),
    _observe_ann,
    counts.backprop_memory,
    frozenset(),
    has_pulses=False,
  ),
  'relu': Method(
    'an ANN with rectified linear units, by backpropagation',
    _without_pulses(functools.partial(ssnn_jax.ann, activation=jax.nn.relu)),
    None,
    counts.backprop_memory,
    frozenset(),
    has_pulses=False,
    estimates_gradient=False,
    read_params=None,
  ),
  'surrogate_gradient': Method(
    'leaky integrate-and-fire neurons, by backpropagation through time',
    _without_pulses(surrogate_gradient.make_network),
    _without_key(surrogate_gradient.make_observe),
    counts.surrogate_gradient_memory,
    frozenset(('num_steps', 'tau', 'sampler', 'shuffle_ticks')),
    has_pulses=False,
    estimates_gradient=False,
  ),
  'bp_stdp': Method(
    'integrate-and-fire neurons, by BP-STDP',
    _without_pulses(bp_stdp.make_network),
    _without_key(bp_stdp.make_observe),
    counts.bp_stdp_memory,
    frozenset(('num_steps', 'sampler', 'shuffle_ticks')),
    has_pulses=False,
    estimates_gradient=False,
  ),
  'rpu': Method(
    'the ANN with pulses in the update only',
    _without_key(rpu.make_network),
    _without_key(lambda config: activity.make_observe(rpu.rpu_config(config))),
    counts.backprop_memory,  # values wait, and pulses are made for the update
    _PULSES,
  ),
  'feedback_alignment': Method(
    'the spiking network with fixed random feedback',
    _align_feedback,
    lambda config, key: activity.make_observe(config, _feedback(config, key)),
    counts.spiking_memory,
  ),
  CHIP: Method(
    'the chip: the spiking network in real time, in integers, which learns '
    'from one sample after another',
    _make_chip,
    _without_key(chip.make_observe),
    _count_chip_memory,
    CHIP_FIELDS | {'num_steps', 'settle'},
    has_pulses=False,
    estimates_gradient=False,
    configure=_configure_chip,
    make_device=chip.make_device,
    read_params=chip.dequantize,
  ),
}
# Methods whose update is computed from a whole minibatch.
MINIBATCH = tuple(name for name in METHODS if name != CHIP)


def concerns(method: str, field: str) -> bool:
  """Returns whether a configuration field affects a method."""
  return field not in SPIKING_FIELDS or field in METHODS[method].fields


def count_stored_bits(
  method: str, config: ssnn_jax.NetworkConfig
) -> int | None:
  """Counts the bits that a method stores of one sample.

  Args:
    method: a key of `METHODS`.
    config: the network.

  Returns:
    All bits of `ssnn_jax.hardware.counts`; None if they are not defined, as for
    spiking networks with rates.
  """
  try:
    return METHODS[method].count_memory(config).total
  except ssnn_jax.UserError:
    return None
