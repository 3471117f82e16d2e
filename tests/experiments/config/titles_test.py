"""Tests of the titles of data sets."""

from absl.testing import absltest

from experiments.config import titles


class TitlesTest(absltest.TestCase):
  def test_data_sets_files_and_records_have_titles(self):
    own = 'EMNIST, 47 classes (own split of official images)'
    for name, title in (
      ('fashion_mnist', 'Fashion-MNIST'),
      ('emnist/balanced', 'EMNIST Balanced'),
      ('emnist-balanced', 'EMNIST Balanced'),
      ('~/data/emnist47.npz', own),
      ('emnist47', own),
      ('~/data/own.npz', 'own'),
      ('~/data/mnist.npz', 'mnist'),
      ('synthetic_events/digits', 'synthetic_events/digits'),
      ('cpu', 'cpu'),
    ):
      self.assertEqual(titles.title(name), title)


if __name__ == '__main__':
  absltest.main()
