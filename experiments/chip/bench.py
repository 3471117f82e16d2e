"""Presents the samples of this folder to chip_top, in a simulator of cocotb.

  pip install cocotb
  SIM=icarus python bench.py

The answers, and all weights after them, must be those of the folder. A
simulator with four states, as Icarus, also finds values that are unknown.
"""

import itertools
import json
import os
import pathlib

import cocotb
from cocotb import clock
from cocotb import triggers
from cocotb_tools import runner

_FOLDER = pathlib.Path(__file__).parent
_INPUTS = (
  'sample_valid', 'event_valid', 'result_ready', 'row_valid',
  'weight_in_valid', 'weight_out_ready',
)  # fmt: skip


async def move(dut, name, signal):
  """Waits for the clock edge at which a stream moves a value."""
  own = getattr(dut, signal)
  own.value = 1
  while True:
    await triggers.ReadOnly()
    # Reading an unknown bit raises an error.
    is_moving = int(getattr(dut, f'{name}_valid').value)
    is_moving &= int(getattr(dut, f'{name}_ready').value)
    await triggers.FallingEdge(dut.clock)
    if is_moving:
      break
  own.value = 0


async def access(dut, is_write, weights, shapes):
  """Writes or reads all rows; returns the weights that were read."""
  found, weights = [], iter(weights)
  for layer, (rows, columns) in enumerate(shapes):
    for row in range(rows):
      dut.row_write.value = is_write
      dut.row_layer.value = layer
      dut.row_index.value = row
      await move(dut, 'row', 'row_valid')
      for _ in range(columns):
        if is_write:
          dut.weight_in_data.value = next(weights)
          await move(dut, 'weight_in', 'weight_in_valid')
          continue
        while not int(dut.weight_out_valid.value):
          await triggers.FallingEdge(dut.clock)
        found.append(int(dut.weight_out_data.value))
        await move(dut, 'weight_out', 'weight_out_ready')
  return found


async def send(dut, samples):
  """Streams the words of samples."""
  for word in itertools.chain(*samples):
    dut.sample_data.value = word
    await move(dut, 'sample', 'sample_valid')


def read_weights(expected, name):
  """Returns the weights of the files of a name, layer after layer."""
  files = (f'weights{name}_{n}.hex' for n in range(len(expected['shapes'])))
  texts = (_FOLDER.joinpath(name).read_text() for name in files)
  return [int(line, 16) for text in texts for line in text.split()]


@cocotb.test()
async def samples_are_learned(dut):
  """Writes the weights, presents the samples, and reads what was learned."""
  expected = json.loads((_FOLDER / 'expected.json').read_text())
  shapes = expected['shapes']
  for name in _INPUTS:
    getattr(dut, name).value = 0
  dut.reset.value = 1
  width = len(dut.rates) // len(shapes)
  dut.rates.value = sum(
    rate << width * n for n, rate in enumerate(expected['rates'])
  )
  clock.Clock(dut.clock, 2, 'step').start()
  await triggers.ClockCycles(dut.clock, 8)
  await triggers.FallingEdge(dut.clock)
  dut.reset.value = 0
  await access(dut, 1, read_weights(expected, ''), shapes)
  cocotb.start_soon(send(dut, expected['words']))
  for answer in expected['answers']:
    while not int(dut.result_valid.value):
      await triggers.FallingEdge(dut.clock)
    assert int(dut.answer.value) == answer
    await move(dut, 'result', 'result_ready')
  found = await access(dut, 0, (), shapes)
  assert found == read_weights(expected, '_after')


if __name__ == '__main__':
  simulator = runner.get_runner(os.environ.get('SIM', 'icarus'))
  simulator.build(
    sources=sorted(_FOLDER.glob('*.sv')),
    hdl_toplevel='chip_top',
    build_dir=_FOLDER / 'build',
  )
  results = simulator.test(
    hdl_toplevel='chip_top', test_module='bench', test_dir=_FOLDER
  )
  if runner.get_results(results)[1]:
    raise SystemExit('failed')
