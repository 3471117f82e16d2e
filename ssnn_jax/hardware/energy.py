"""Energy of a presentation: tables of energies per event, and their totals."""

import dataclasses
import os
import pathlib

from ssnn_jax import schema
from ssnn_jax import types
from ssnn_jax.hardware import cost

TABLES = ('loihi', 'crossbar')  # tables of the library


@dataclasses.dataclass(frozen=True)
class EnergyTable:
  """Energy of each kind of event, in picojoules.

  The fields up to `update_pulse` are the events of a chip (`cost.Events`); the
  last two fields are the operations of backpropagation on a digital processor.
  The file of a table is a JSON object with an entry for each field: an object
  with `picojoules` and their `source`, the publication and what the number
  includes.
  """

  spike: float
  synaptic_event: float
  device_read: float
  crossbar_read: float
  membrane_read: float
  update_pulse: float
  mac: float  # arithmetic of one 32-bit multiply-accumulate
  memory_access: float  # of one 32-bit word


def chip_energy(events: cost.Events, table: EnergyTable) -> cost.Count:
  """Computes the energy of the events of a chip, in picojoules."""
  return sum(
    count * getattr(table, name.removesuffix('s'))
    for name, count in events._asdict().items()
  )


def backprop_energy(macs: int, words: float, table: EnergyTable) -> float:
  """Returns the picojoules of MACs and of 32-bit words read or written."""
  return macs * table.mac + words * table.memory_access


def load_table(table: str | os.PathLike) -> EnergyTable:
  """Loads one of `TABLES`, or the table in a file.

  Raises a UserError for unreadable files, and for wrong or unsourced entries.
  """
  path = pathlib.Path(table).expanduser()
  if table in TABLES:
    path = pathlib.Path(__file__).with_name('energies') / f'{table}.json'
  try:
    entries = schema.parse(path.read_text())
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise types.UserError(
      f'{path} cannot be read as JSON ({reason}); pass one of '
      f'{", ".join(TABLES)}, or a file of the same format.'
    ) from None
  entries = entries if isinstance(entries, dict) else {}
  names = [field.name for field in dataclasses.fields(EnergyTable)]
  wrong = [f'{name} is unknown' for name in entries if name not in names]
  wrong += [f'{name} is missing' for name in names if name not in entries]
  if wrong:
    raise types.UserError(
      f'{path}: {wrong[0]}; the entries must be {", ".join(names)}.'
    )
  values = [_read_entry(path, name, entries[name]) for name in names]
  return EnergyTable(*values)


def _read_entry(path, name, entry):
  """Returns the picojoules of an entry, and checks it."""
  entry = entry if isinstance(entry, dict) else {'picojoules': entry}
  value, source = entry.get('picojoules'), entry.get('source')
  if not types.is_finite(value) or value < 0:
    raise types.UserError(
      f'{path}: {name} is {value}; expected picojoules, 0 or more.'
    )
  if not isinstance(source, str) or not source.strip():
    raise types.UserError(
      f'{path}: {name} has no source; add the source of its {value} pJ.'
    )
  return float(value)
