"""The chip in plain Python: loops over neurons and synapses, one by one."""

import math

import numpy as np

from ssnn_jax.chip import generators as generators_lib

GOLDEN = 0x9E3779B9


def present(config, weights, generators, rates, label, enable):
  """Presents one sample; the arguments are those of `chip.rules.present`.

  Returns:
    A dict of the weights, registers and response after the sample, of the
    spikes x, e and potentials v after each tick, and of its two winners.
  """
  num_layers, num_classes = config.num_layers, config.layer_sizes[-1]
  fractions = config.fractions
  weights = [np.array(own, np.int64) for own in weights]
  registers = generators_lib.Generators(
    *(
      [[int(x) for x in own] for own in role]
      if isinstance(role, tuple)
      else [int(x) for x in role]
      for role in generators
    )
  )
  v = [[0] * size for size in config.layer_sizes[1:]]
  g = [[0] * size for size in config.layer_sizes[1:-1]]
  votes, largest_votes = [0] * num_classes, [0] * num_classes
  ticks, winners = [], []
  for t in range(config.num_steps):
    words = _words(config, registers, t)
    # Emit.
    x = [_below(config, words.input, fractions[0], rates)]
    for layer in range(1, num_layers):
      own = words.forward[layer - 1]
      x.append(_below(config, own, fractions[layer - 1], v[layer - 1]))
    noisy = [
      v[-1][k] + _gumbel(fractions[-1], words.winner[k // 4] >> 8 * (k % 4))
      for k in range(num_classes)
    ]
    winner, largest = noisy.index(max(noisy)), v[-1].index(max(v[-1]))
    e = []
    for layer in range(num_layers - 1):
      own, one = words.error[layer], 2 ** fractions[layer]
      sizes = [abs(own) for own in g[layer]]
      spikes = _below(config, own, fractions[layer + 1], sizes)
      e.append(
        [
          (1 if g[layer][j] > 0 else -1) if spikes[j] and 0 < u < one else 0
          for j, u in enumerate(v[layer])
        ]
      )
    e.append([0] * num_classes)
    if label >= 0 and t >= num_layers:
      e[-1][winner] += 1
      e[-1][label] -= 1
    if t >= max(
      num_layers,
      config.num_steps // 8 if config.settle is None else config.settle,
    ):
      votes[winner] += 1
      largest_votes[largest] += 1
    # Integrate, with the weights before the tick.
    drives = []
    for layer in range(num_layers):
      rows = [*x[layer], 1]
      drives.append(
        [
          sum(int(weights[layer][i, j]) for i, row in enumerate(rows) if row)
          for j in range(config.layer_sizes[layer + 1])
        ]
      )
    arriving = [
      [
        sum(int(weights[layer + 1][j, k]) * own for k, own in enumerate(error))
        for j in range(config.layer_sizes[layer + 1])
      ]
      for layer, error in enumerate(e[1:])
    ]
    # Count.
    lowest = -(2 ** (config.weight_bits - 1))
    for layer in range(num_layers):
      num_columns = config.layer_sizes[layer + 1]
      for i, row in enumerate([*x[layer], 1]):
        for j in range(num_columns):
          word = _enable_word(config, words.enable[layer], i, j, num_columns)
          if row and (word >> 16) < enable[layer]:
            moved = weights[layer][i, j] - e[layer][j]
            weights[layer][i, j] = min(max(moved, lowest), -lowest - 1)
    for layer in range(num_layers):
      if t >= layer:
        for j, d in enumerate(drives[layer]):
          v[layer][j] += _move(config, d - v[layer][j], t - layer + 1)
    g = arriving
    registers = _step(config, registers, t)
    ticks.append((x, e, [list(own) for own in v]))
    winners.append((winner, largest))
  return {
    'weights': weights,
    'registers': [np.array(own) for own in _flatten(registers)],
    'response': [*map(np.array, (votes, largest_votes, v[-1]))],
    'ticks': ticks,
    'winners': winners,
  }


def _flatten(registers):
  for own in registers:
    is_nested = not own or isinstance(own[0], list)  # of several layers
    yield from own if is_nested else [own]


def _below(config, words, bits, rates):
  found = []
  for i, rate in enumerate(rates):
    word = words[i] if config.sharing == 'neuron' else words[0]
    if config.sharing == 'mask':
      word ^= _mask(i)
    found.append(int(word >> (32 - bits) < rate))
  return found


def _mask(index):
  return (index + 1) * GOLDEN % 2**32


def _gumbel(bits, byte):
  quantile = lambda a: -math.log(-math.log((a + 0.5) / 256))
  return round(2**bits * (quantile(byte % 256) - quantile(0)))


def _enable_word(config, words, i, j, num_columns):
  word = words[i] if len(words) > 1 else words[0]
  if config.enable == 'synapse':
    return word ^ _mask(i * num_columns + j)
  is_masked = config.enable == 'row' and config.sharing != 'neuron'
  return word ^ _mask(i) if is_masked else word


def _move(config, difference, elapsed):
  if config.membrane == 'mean':
    return (2 * difference + elapsed) // (2 * elapsed)
  shift = elapsed.bit_length() - 1
  if config.max_shift is not None:
    shift = min(shift, config.max_shift)
  return (difference + 2**shift // 2) >> shift


def _words(config, registers, t):
  if config.generator != 'sobol':
    return registers

  def point(matrix, tick):
    bits = [bin(int(row) & tick).count('1') % 2 for row in matrix]
    return sum(bit << place for place, bit in enumerate(bits)) << 16

  one = lambda matrix, own: [x ^ point(matrix, t) for x in own]
  each = lambda made, own: list(map(one, made, own))
  matrices = generators_lib.matrices(config)
  return generators_lib.Generators(
    input=one(matrices.input, registers.input),
    forward=each(matrices.forward, registers.forward),
    error=each(matrices.error, registers.error),
    winner=registers.winner,
    enable=registers.enable,
  )


def _step(config, registers, t):
  step = _lfsr if config.generator == 'lfsr' else _xorshift
  stepped = {}
  for name, own in registers._asdict().items():
    is_held = config.generator == 'sobol' and t < config.num_steps - 1
    if is_held and name in ('input', 'forward', 'error'):
      stepped[name] = own
    elif not own or isinstance(own[0], list):
      stepped[name] = [list(map(step, each)) for each in own]
    else:
      stepped[name] = list(map(step, own))
  return generators_lib.Generators(**stepped)


def _xorshift(x):
  x ^= x << 13 & 0xFFFFFFFF
  x ^= x >> 17
  return x ^ (x << 5 & 0xFFFFFFFF)


def _lfsr(x):
  for _ in range(16):
    x = x >> 1 ^ (0x80200003 if x & 1 else 0)
  return x
