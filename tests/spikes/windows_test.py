"""Tests for the division of a presentation into windows and blocks."""

from absl.testing import parameterized
import numpy as np

from ssnn_jax import spikes

SCHEDULES = [
  (num_steps, window)
  for num_steps in (1, 7, 33, 64, 100)
  for window in (1, 5, 31, 32, 33, 100)
  if window <= num_steps
]


def list_windows(schedule):
  """Lists `(ticks, length, elapsed)` of every window of a presentation."""
  for index in range(schedule.num_blocks):
    block = spikes.block(schedule, index)
    for row, mask in enumerate(np.asarray(block.windows.mask)):
      bits = (mask[:, None] >> np.arange(32, dtype=np.uint32)) & 1
      ticks = np.asarray(block.words)[:, None] * 32 + np.arange(32)
      yield (
        np.sort(ticks[bits.astype(bool)]),
        int(block.windows.length[row]),
        int(block.windows.elapsed[row]),
      )


class ScheduleTest(parameterized.TestCase):
  @parameterized.parameters(*SCHEDULES)
  def test_windows_partition_the_presentation(self, num_steps, window):
    start = 0
    for ticks, length, elapsed in list_windows(
      spikes.Schedule(num_steps, window)
    ):
      end = min(start + window, num_steps)
      np.testing.assert_array_equal(ticks, np.arange(start, end))
      self.assertLen(ticks, length)
      self.assertEqual(elapsed, end)
      start = end
    self.assertEqual(start, num_steps)

  @parameterized.parameters(*SCHEDULES)
  def test_blocks_fill_whole_words(self, num_steps, window):
    schedule = spikes.Schedule(num_steps, window)
    if schedule.num_blocks > 1 and window <= 32:
      self.assertEqual(schedule.ticks_per_block % 32, 0)
    # The size of a block does not grow with T.
    longer, longest = (spikes.Schedule(n * 3200, window) for n in (1, 64))
    self.assertEqual(longer.ticks_per_block, longest.ticks_per_block)
    self.assertEqual(longer.words_per_block, longest.words_per_block)

  def test_start_later_empties_earlier_windows_only(self):
    first, second = (
      spikes.block(spikes.Schedule(80, 8), index).windows for index in (0, 1)
    )
    masked = spikes.start_later(first, 8)
    np.testing.assert_array_equal(masked.length, [0, 8, 8, 8])
    np.testing.assert_array_equal(masked.mask[0], 0)
    np.testing.assert_array_equal(masked.mask[1:], first.mask[1:])
    np.testing.assert_array_equal(masked.elapsed, [1, 8, 16, 24])
    np.testing.assert_array_equal(
      spikes.start_later(second, 8).mask, second.mask
    )
