"""Tests for the names, classes and sizes of the built-in datasets."""

from absl.testing import parameterized

from ssnn_jax.datasets import catalog


class CatalogTest(parameterized.TestCase):
  @parameterized.parameters(
    ('emnist/byclass', 9, '9'),
    ('emnist/byclass', 10, 'A'),
    ('emnist/byclass', 36, 'a'),
    ('emnist/byclass', 61, 'z'),
    ('emnist/balanced', 36, 'a'),
    ('emnist/balanced', 46, 't'),
    ('emnist/letters', 25, 'Z'),
    ('n_mnist', 7, '7'),
    ('synthetic_events/fashion_mnist', 9, 'Ankle boot'),
  )
  def test_labels_have_class_names(self, name, label, class_name):
    self.assertEqual(catalog.CLASS_NAMES[name][label], class_name)
