"""Tests for the division of a presentation into windows."""

from absl.testing import parameterized
import jax
import numpy as np

from ssnn_jax import spikes

SCHEDULES = [
  (num_steps, window)
  for num_steps in (1, 7, 33, 64, 100)
  for window in {min(n, num_steps) for n in (32, 64, num_steps)}
]


find_block = jax.jit(spikes.block, static_argnums=0)


def list_windows(schedule):
  """Lists `(ticks, length, elapsed)` of every window of a presentation."""
  for index in range(schedule.num_windows):
    block = find_block(schedule, index)
    (mask,), (length,), (elapsed,) = jax.device_get(block.windows)
    bits = (mask[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    ticks = np.asarray(block.words)[:, None] * 32 + np.arange(32)
    yield np.sort(ticks[bits.astype(bool)]), int(length), int(elapsed)


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

  @parameterized.parameters(
    (96, 32, True),
    (96, 64, True),
    (128, 128, True),
    (100, 64, False),
    (40, 40, False),
  )
  def test_whole_words_belong_to_one_window(self, num_steps, window, expected):
    schedule = spikes.Schedule(num_steps, window)
    self.assertEqual(schedule.has_whole_words, expected)
