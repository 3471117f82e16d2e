"""Writes the Verilog of a chip: modules, parameters, weights, and its ports.

  python -m experiments.chip write --folder=verilog --layers=16,10

The new folder holds the modules, `chip_top.sv` (the chip with all parameters
and tables, and its register of random bits after reset), the initial weights in
the order in which they are written, the first samples with the answers and
weights after them, a bench for simulators of cocotb that compares these, and a
README.md that describes the ports.
"""

from collections.abc import Sequence
import json
import pathlib
import shutil

from absl import flags
import numpy as np

from experiments import command
from experiments.chip import settings
from ssnn_jax.chip import verilog

_README = """# {sizes}: a chip that learns

`{config!r}`

`chip_top` is the top module; the other modules are those of `ssnn_jax.chip`,
whose guide is docs/chip.md. A stream moves a value in each clock in which its
`valid` and `ready` are 1. Packed values have the first lowest.

```systemverilog
{ports}
```

1. Raise `reset` for eight clocks. It sets the register of random bits.
2. Write the weights: for each layer and row, offer `row_valid` with
   `row_write`, `row_layer` and `row_index` (the bias is the last row), then the
   weights of the row at `weight_in`, column 0 first. The lines of
   `weights_<layer>.hex` are row after row. Rows are read likewise.
3. Stream a sample: words of {lanes} counts, 0 to {config.num_steps}, and a word
   with its label; 255 recognizes without learning, and 256 is added where a
   signal goes on in the next sample. The chip answers with the class, and its
   weights have learned. Meanwhile, the next sample may stream in. `rates` are
   {rates}, layer 0 first, for the learning rate of this folder.

`expected.json` has the words of the first samples and their answers, and
`weights_after_<layer>.hex` the weights after them, in the order of
`weights_<layer>.hex`. `SIM=icarus python bench.py` presents the samples in a
simulator of cocotb (pip install cocotb), and compares. Of single samples
`transcript.hex` has the same as bytes of the line of a board, and how its
answers end: see `self_test.sv`.
"""


def write(
  run: settings.Run,
  shifts: Sequence[int],
  stream: settings.Stream,
) -> dict[str, str]:
  """Returns the text of all files but the modules, by name.

  The samples of a stream are presented for `expected.json`.
  """
  config, (channels, inputs, labels, more) = run.config, stream
  learned = run.learn_first((inputs, labels), len(labels))
  rates = learned.rates
  words = verilog.pack(config, channels, labels, more, shifts)
  expected = {'words': words.tolist(), 'answers': learned.answers}
  readme = _README.format(
    sizes='-'.join(map(str, config.layer_sizes)),
    config=config,
    ports=verilog.ports(),
    lanes=verilog.num_lanes(config),
    rates=', '.join(map(str, rates)),
  )
  shapes = [own.shape for own in run.weights]
  expected |= {'rates': rates, 'shapes': shapes}
  texts = {
    f'{verilog.TOP}.sv': verilog.top(config, run.word, shifts=shifts),
    'README.md': readme,
    'bench.py': pathlib.Path(__file__).with_name('bench.py').read_text(),
    'expected.json': json.dumps(expected) + '\n',
  }
  if not shifts and not np.any(more):  # boards have single samples
    texts[verilog.TRANSCRIPT] = learned.transcript(run)
  bits = config.weight_bits
  for name, weights in (('', run.weights), ('_after', learned.weights)):
    for layer, own in enumerate(weights):
      values = np.asarray(own, np.int32).ravel() & ((1 << bits) - 1)
      lines = [f'{value:0{-(-bits // 4)}x}\n' for value in values]
      texts[f'weights{name}_{layer}.hex'] = ''.join(lines)
  return texts


def main() -> None:
  """Writes the folder of --folder."""
  values = flags.FLAGS.flag_values_dict()
  folder = command.folder(values['folder'])
  with settings.new_folder(folder) as unfinished:
    run, shifts, stream, _ = settings.load_streams()
    texts = write(run, shifts, stream.first(values['num_samples']))
    for source in verilog.sources():
      shutil.copy(source, unfinished)
    for name, text in texts.items():
      (unfinished / name).write_text(text)
  print(f'{folder}: {verilog.TOP}.sv, {len(texts)} files and the modules')


if __name__ == '__main__':
  settings.define(has_traces=True)
  flags.DEFINE_string('folder', None, 'new folder to write to', required=True)
  flags.DEFINE_integer(
    'num_samples', 3, 'number of samples with expected answers', 1
  )
  command.launch(main)
