"""The chip in Verilog: the instance of a configuration.

The modules are in the folder `rtl`; `chip_top` is `chip` with the parameters of
a configuration.
"""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax.chip import generators as generators_lib
from ssnn_jax.chip.config import ENABLES
from ssnn_jax.chip.config import GENERATORS
from ssnn_jax.chip.config import RATE_BITS
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.chip.generators import Generators

FOLDER = pathlib.Path(__file__).with_name('rtl')
TOP = 'chip_top'
RATE_WIDTH = RATE_BITS + 1  # bits of a rate of enable bits, 0 to 2^RATE_BITS


class Port(NamedTuple):
  """A port of the chip."""

  direction: str  #: input or output
  name: str
  num_bits: int
  help: str


def sources() -> list[pathlib.Path]:
  """Returns the paths of the modules."""
  return sorted(FOLDER.glob('*.sv'))


def ports(config: ChipConfig) -> list[Port]:
  """Returns the ports of the chip."""
  inputs, *_, classes = sizes = config.layer_sizes
  num_hidden, num_layers = sum(sizes[1:-1]), config.num_layers
  ticks, class_bits = config.num_steps.bit_length(), _index_bits(classes)
  neurons = num_hidden + classes
  rate_bits = config.fractions[0] + 1
  entries = [
    ('input', 'clock', 1, 'all registers change at its rising edge'),
    ('input', 'reset', 1, 'resets generators and control, not the weights'),
    ('input', 'start', 1, 'reads sample, label and learn; clears all neurons'),
    ('input', 'tick', 1, 'advances the presentation by one tick'),
    ('input', 'learn', 1, 'whether weights move'),
    ('input', 'sample', inputs * rate_bits,
     f'rates of {inputs} inputs, {rate_bits} bits each, 0 to '
     f'{1 << config.fractions[0]}; input 0 lowest'),
    ('input', 'label', class_bits, 'class of the sample, if learn'),
    ('input', 'enable_rates', RATE_WIDTH * num_layers,
     'learning rates: rates of the enable bits of each layer, '
     f'{RATE_WIDTH} bits each, 0 to {1 << RATE_BITS}; layer 0 lowest; read in '
     'each tick'),
    ('output', 'busy', 1,
     f'1 from start to the end of tick {config.num_steps}'),
    ('output', 'votes', classes * ticks,
     f'ticks won by each class since tick {config.settle_ticks}, {ticks} bits '
     'each; the answer is the class of most votes'),
    ('output', 'largest_votes', classes * ticks,
     'the same for the class of the largest potential, without noise'),
    ('input', 'weight_shift', 1, 'shifts the weights of a column by one row'),
    ('input', 'weight_layer', _index_bits(num_layers), 'its layer'),
    ('input', 'weight_column', 16, 'its neuron'),
    ('input', 'weight_in', config.weight_bits, 'weight that enters, row 0'),
    ('output', 'weight_out', config.weight_bits, 'weight of the last row'),
    ('output', 'spikes', inputs + num_hidden,
     'spikes of inputs and hidden neurons in this tick'),
    ('output', 'errors', neurons, 'error spikes of hidden neurons and classes'),
    ('output', 'negative', neurons, 'their signs, 1 if negative'),
    ('output', 'potentials', 32 * neurons, 'v of hidden neurons and classes'),
    ('output', 'currents', 32 * neurons, 'g of hidden neurons; 0 of classes'),
    ('output', 'winner', class_bits, 'class that wins this tick'),
    ('output', 'largest', class_bits, 'class of the largest potential'),
  ]  # fmt: skip
  return [Port(*entry) for entry in entries]


def parameters(
  config: ChipConfig, registers: Generators
) -> dict[str, int | str]:
  """Returns the parameters of the module `chip`, by name.

  Numbers, and constants of packed numbers; `registers` are those of the
  generators after reset.
  """
  sizes, num_layers = config.layer_sizes, config.num_layers
  table = config.gumbel_table
  noise_bits = int(table.max()).bit_length()
  shift = config.num_steps if config.max_shift is None else config.max_shift
  seeds = np.concatenate([np.ravel(x) for x in jax.tree.leaves(registers)])
  matrices = np.zeros((2 * num_layers - 1, 16), int)
  if config.generator == 'sobol':
    leaves = jax.tree.leaves(generators_lib.matrices(config))
    matrices = np.stack(leaves)
  return {
    'LAYERS': num_layers,
    'SIZES': constant(sizes, 32),
    'HIDDEN': sum(sizes[1:-1]),
    'STEPS': config.num_steps,
    'SETTLE': config.settle_ticks,
    'WEIGHT_BITS': config.weight_bits,
    'FRACTIONS': constant(config.fractions, 32),
    'KIND': GENERATORS.index(config.generator),
    'MASKED': int(config.sharing == 'mask'),
    'OWN': int(config.sharing == 'neuron'),
    'ENABLE': ENABLES.index(config.enable),
    'MEAN': int(config.membrane == 'mean'),
    'MAX_SHIFT': shift,
    'NOISE_BITS': noise_bits,
    'GUMBEL': constant(table, noise_bits),
    'GENERATORS': len(seeds),
    'SEEDS': constant(seeds, 32),
    'MATRICES': constant(matrices.ravel(), 16),
  }


def top(config: ChipConfig, registers: Generators) -> str:
  """Returns the text of `chip_top`, `chip` with all parameters of a chip.

  `registers` are those of the generators after reset.
  """
  own_ports = ports(config)
  declared, connected = [], []
  for port in own_ports:
    bits = f'[{port.num_bits - 1}:0] ' if port.num_bits > 1 else ''
    declared.append(f'  {port.direction:6} logic {bits}{port.name}')
    connected.append(f'.{port.name}({port.name})')
  values = [
    f'    .{name}({value})'
    for name, value in parameters(config, registers).items()
  ]
  return '\n'.join(
    (
      f'// {config!r}',
      f'module {TOP} (',
      ',\n'.join(declared),
      ');',
      '  chip #(',
      ',\n'.join(values),
      '  ) own (',
      ',\n'.join(f'    {each}' for each in connected),
      '  );',
      'endmodule\n',
    )
  )


def constant(values: Sequence[int], num_bits: int) -> str:
  """Returns numbers as one constant of Verilog, the first lowest."""
  value = sum(int(v) << (num_bits * n) for n, v in enumerate(values))
  return f"{num_bits * len(values)}'h{value:x}"


def _index_bits(size):
  """Returns the bits of an index below `size`, at least 1."""
  return max(1, (size - 1).bit_length())
