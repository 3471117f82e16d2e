"""Transistors of a chip, composed from the synthesis of its modules.

The number of transistors of each module is linear in its numbers of synapses,
bits and so on, but for the rounding of logarithms. The factors are fitted by
least squares to syntheses at several sizes (study chip_gates), and summed over
the modules of a chip.
"""

from collections.abc import Mapping
import functools
import math
from typing import Any

import jax
import numpy as np
import pandas as pd

from experiments.analysis import records
from ssnn_jax import chip

# Terms of the number of transistors of each part, as products of its sizes.
_ARRAY = (
  'rows * columns',
  'weight_bits * rows * columns',
  'columns',
  'weight_bits * columns',
  'rows',
)
# Roles that follow a Sobol sequence, if there is one.
_SEQUENCES = 'input', 'forward', 'error'
_MEMBRANE = '1', 'drive_bits', 'tick_bits', 'drive_bits * tick_bits'
TERMS = {
  'synapses_first': _ARRAY,
  'synapses_hidden': _ARRAY,
  'synapses_output': _ARRAY,
  'membrane_shift': _MEMBRANE,
  'membrane_mean': _MEMBRANE,
  'neuron': (*_MEMBRANE, 'current_bits', 'fraction_bits'),
  'winner': ('classes', 'classes * drive_bits', 'classes * fraction_bits'),
  'enables': ('1', 'enables'),
  'inputs': ('1', 'inputs', 'inputs * fraction_bits'),
  'votes': ('1', 'classes', 'classes * tick_bits'),
  'schedule': ('1', 'tick_bits', 'layers * tick_bits'),
  'generator_xorshift': ('1',),
  'generator_lfsr': ('1',),
  'generator_sobol': ('1',),
}


@functools.cache
def recorded() -> dict[str, np.ndarray]:
  """Returns the factors of the committed syntheses."""
  return fit(records.read_study('chip_gates')['yosys'].runs)


def fit(lines: pd.DataFrame) -> dict[str, np.ndarray]:
  """Fits the factors of all terms to recorded syntheses.

  Args:
    lines: a line of each synthesis, with columns `part`, `transistors` and the
      sizes of the part.

  Returns:
    The factors of each part, in transistors.
  """
  factors = {}
  for part, terms in TERMS.items():
    own = lines[(lines['part'] == part) & (lines['technology'] == 'cmos')]
    values = np.stack([_evaluate(term, own) for term in terms], axis=1)
    target = own['transistors'].to_numpy(float)
    # Relative errors count: small sizes are as exact as large ones.
    weights = 1 / np.maximum(target, 1)
    factors[part], *_ = np.linalg.lstsq(
      values * weights[:, None], target * weights, rcond=None
    )
  return factors


def _evaluate(term: str, sizes: Any) -> np.ndarray:
  """Returns the product of the columns of a term."""
  product = np.ones(len(sizes)) if isinstance(sizes, pd.DataFrame) else 1.0
  for name in term.split(' * '):
    if name != '1':
      product = product * np.asarray(sizes[name], float)
  return product


def predict(
  factors: Mapping[str, np.ndarray], part: str, sizes: Mapping[str, float]
) -> float:
  """Returns the transistors of a part.

  Args:
    factors: of `fit`.
    part: one of `TERMS`.
    sizes: its sizes.
  """
  terms = [_evaluate(term, sizes) for term in TERMS[part]]
  return float(np.dot(factors[part], terms))


def count(
  config: chip.ChipConfig, factors: Mapping[str, np.ndarray] | None = None
) -> dict[str, float]:
  """Returns the transistors of a chip, by part.

  Registers hold the weights, as synthesized; there is no SRAM.

  Args:
    config: the chip.
    factors: of `fit`; None are the recorded ones.

  Returns:
    Transistors of `synapses`, `neurons` (with the membranes of classes),
    `winner`, `generators` (random words), `inputs`, `enables` (comparators of
    enable bits) and `control` (schedule and votes); their sum is the chip.

  Example:
    >>> config = chip.ChipConfig((784, 256, 10), weight_bits=12)
    >>> total = sum(transistors.count(config).values())
  """
  factors = recorded() if factors is None else factors
  sizes, bits = config.layer_sizes, config.weight_bits
  num_layers, classes = config.num_layers, sizes[-1]
  ticks = {'tick_bits': config.num_steps.bit_length()}
  parts = dict.fromkeys(
    'synapses neurons winner generators inputs enables control'.split(), 0.0
  )

  def get(part, **own):
    return predict(factors, part, {**ticks, **own})

  for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
    rows, is_output = rows + 1, layer == num_layers - 1
    drive = {'drive_bits': bits + math.ceil(math.log2(rows))}
    kind = 'output' if is_output else 'hidden'
    parts['synapses'] += get(
      f'synapses_{kind if layer else "first"}',  # no layer below the first
      weight_bits=bits,
      rows=rows,
      columns=columns,
    )
    membrane = get(f'membrane_{config.membrane}', **drive)
    if is_output:
      parts['neurons'] += columns * membrane
      parts['winner'] += get(
        'winner', classes=classes, fraction_bits=config.fractions[-1], **drive
      )
    else:
      is_next = layer == num_layers - 2
      current_bits = bits + 1
      current_bits += 0 if is_next else math.ceil(math.log2(sizes[layer + 2]))
      neuron = get(
        'neuron',
        current_bits=current_bits,
        fraction_bits=np.mean(config.fractions[layer : layer + 2]),
        **drive,
      )
      neuron += membrane - get('membrane_shift', **drive)
      parts['neurons'] += columns * neuron
    number = {'row': rows, 'synapse': rows * columns, 'all': 1}[config.enable]
    parts['enables'] += get('enables', enables=number) - get(
      'enables', enables=0
    )
  inputs = {'inputs': sizes[0], 'fraction_bits': config.fractions[0]}
  parts['inputs'] = get('inputs', **inputs) - get(
    'inputs', **{**inputs, 'inputs': 0}
  )
  parts['control'] = get('schedule', layers=num_layers)
  parts['control'] += 2 * get('votes', classes=classes)
  init = functools.partial(chip.init_generators, config)
  registers = jax.eval_shape(init, jax.random.key(0))
  for role, own in registers._asdict().items():
    number = sum(leaf.size for leaf in jax.tree.leaves(own))
    is_sequence = config.generator == 'sobol' and role in _SEQUENCES
    kind = 'xorshift' if config.generator == 'sobol' else config.generator
    kind = 'sobol' if is_sequence else kind
    parts['generators'] += number * get(f'generator_{kind}')
  return parts
