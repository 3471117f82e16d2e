"""Progress bars of tqdm; work goes on without them if it is not installed."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any


class _Hidden:
  """A bar that shows nothing, with the methods of tqdm that are used."""

  def __init__(self, items: Iterable[Any]):
    self._items = items

  def __enter__(self) -> '_Hidden':
    return self

  def __exit__(self, *error):
    pass

  def __iter__(self) -> Iterator[Any]:
    return iter(self._items)

  def update(self) -> None:
    """Counts an item."""

  def set_postfix(self, values: dict[str, Any]) -> None:
    """Shows values next to the bar."""


def show_progress(
  items: Iterable[Any] | None = None,
  title: str | None = None,
  *,
  total: int | None = None,
  unit: str = 'it',
  disable: bool | None = None,
) -> Any:
  """Returns a progress bar over items; the arguments are those of `tqdm.tqdm`.

  `disable` of None shows the bar on a terminal only. Without items `update`
  counts them.
  """
  try:
    import tqdm
  except ImportError:
    return _Hidden(items)
  return tqdm.tqdm(items, title, total, unit=unit, disable=disable)
