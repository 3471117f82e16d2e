"""Wrong expressions in Verilog, one of which the environment selects."""

from collections.abc import Sequence
import pathlib

VARIABLE = 'WRONG'  # number of the change, from 1; none is right
_SELECT = f"""
  int wrong;
  initial wrong =
    $c32("getenv(\\"{VARIABLE}\\") ? atoi(getenv(\\"{VARIABLE}\\")) : 0");
endmodule"""


def write(
  folder: pathlib.Path,
  sources: Sequence[pathlib.Path],
  changes: Sequence[tuple[str, str, str]],
  module: str,
  path: str,
) -> list[pathlib.Path]:
  """Writes modules that hold all changes to a folder; returns their paths.

  Args:
    folder: where to write.
    sources: the modules.
    changes: module, expression and wrong expression of each. An expression that
      is not unique is that between @ and @ of its context.
    module: the module that reads the variable.
    path: its place in the hierarchy.
  """
  written = []
  for source in sources:
    code = source.read_text()
    for number, (name, right, wrong) in enumerate(changes, start=1):
      if source.stem == name:
        parts = right.split('@')
        before, inner, after = parts if len(parts) == 3 else ('', right, '')
        whole = before + inner + after
        assert code.count(whole) == 1, (name, whole, code.count(whole))
        chosen = f'({path}.wrong == {number} ? ({wrong}) : ({inner}))'
        code = code.replace(whole, before + chosen + after)
    if source.stem == module:
      code = code.replace('\nendmodule', _SELECT)
    written.append(folder / source.name)
    written[-1].write_text(code)
  return written
