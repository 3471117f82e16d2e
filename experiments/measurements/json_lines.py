"""JSON lines of measurements: a header, then a line for each case."""

from collections.abc import Iterable
from collections.abc import Mapping
import json
import shlex
import sys
from typing import Any

from ssnn_jax.runs import provenance


def write(module: str, measured: Iterable[Mapping[str, Any]]) -> None:
  """Prints the header of a measurement, then each line when measured.

  Args:
    module: the module of the measurement.
    measured: the fields of each line, of JSON types.
  """
  words = shlex.join(['python', '-m', module, *sys.argv[1:]])
  header = {'event': 'header', 'command': words, **provenance.environment()}
  for line in measured:
    if header:  # not before the first line: flags may be invalid
      print(json.dumps(header))
      header = None
    print(json.dumps(line), flush=True)
