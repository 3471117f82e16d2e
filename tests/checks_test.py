"""Tests of checks: JSON objects, and weights that do not fit the memory."""

import math
from typing import Any
from typing import NotRequired
from typing import TypedDict

from absl.testing import parameterized
import numpy as np

import ssnn_jax
from ssnn_jax import checks


class Line(TypedDict):
  epoch: int
  loss: NotRequired[float | None]
  rates: NotRequired[list[float]]


class SchemaTest(parameterized.TestCase):
  def test_names_the_fields_of_another_type(self):
    for values, expected in (
      ({'epoch': 1, 'loss': None, 'rates': (0.5, 1), 'other': object()}, []),
      ({}, ['epoch is missing']),
      ({'epoch': True, 'rates': [0.5, None]}, ['epoch is', 'rates is']),
      ([1], ['[1] is not an object']),
    ):
      found = list(checks.problems(values, Line))
      self.assertLen(found, len(expected))
      for problem, start in zip(found, expected):
        self.assertStartsWith(problem, start)

  @parameterized.parameters(
    (2**31 - 1, int, True),
    (-(2**31 - 1), int, True),
    (2**31, int, False),
    (10**400, int, False),
    (1.0, int, False),
    (np.int64(3), int, True),
    (3, float, True),
    (1e38, float, True),
    (1e39, float, False),  # infinite as a float32
    (10**400, float, False),
    (math.inf, float, True),
    (math.nan, float, False),
    (True, float, False),
    (1, bool, False),
    ('1', str, True),
    (None, str | None, True),
    ((1, 2), tuple[int, ...], True),
    ([], list[int], True),
    ('12', list[str], False),
    ({}, Any, True),
  )
  def test_matches_hints(self, value, hint, expected):
    self.assertEqual(checks.matches(value, hint), expected)

  def test_deeply_nested_text_is_refused(self):
    self.assertEqual(checks.parse('{"a": [1]}'), {'a': [1]})
    with self.assertRaisesRegex(ValueError, 'nested too deep'):
      checks.parse('[' * 100_000 + ']' * 100_000)


class MemoryTest(parameterized.TestCase):
  def test_weights_and_counts_of_the_size_of_the_memory_fit(self):
    most = checks.memory_size() // 8
    checks.check_weights([(most - 1, 1), (1, 1)])
    with self.assertRaisesRegex(ssnn_jax.UserError, 'fewer neurons'):
      checks.check_weights([(most, 1), (1, 1)])
