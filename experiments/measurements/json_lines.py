"""JSON lines of measurements: a header, then one line per case."""

from collections.abc import Iterable
from collections.abc import Mapping
import itertools
import json
import shlex
import sys
from typing import Any


def write(
  module: str,
  environment: Mapping[str, Any],
  measured: Iterable[Mapping[str, Any]],
) -> None:
  """Prints the header of a measurement, then each line when measured.

  Args:
    module: the module of the measurement, with the name of the study.
    environment: versions, commit and hardware.
    measured: the fields of each line, of JSON types.
  """
  command = shlex.join(['python', '-m', module, *sys.argv[1:]])
  study = module.rpartition('.')[2]
  header = {'event': 'header', 'study': study, 'command': command}
  following = iter(measured)
  first = next(following)  # invalid flags raise an error before any output
  for line in itertools.chain([header | environment, first], following):
    print(json.dumps(line), flush=True)
