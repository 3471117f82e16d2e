"""JSON lines of measurements: a header, then one line a measured case."""

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
  """Prints the header of a measurement, then each line once it is measured.

  Args:
    module: name of the measurement's module.
    environment: versions, commit and hardware, as
      `ssnn_jax.runs.provenance.environment` returns.
    measured: one mapping a line, of values that JSON can hold.
  """
  command = shlex.join(['python', '-m', module, *sys.argv[1:]])
  header = {'event': 'header', 'command': command, **environment}
  following = iter(measured)
  first = next(following)  # invalid flags raise an error before any output
  for line in itertools.chain([header, first], following):
    print(json.dumps(line), flush=True)
