"""Titles of data sets and readouts in figures, pages and records."""

from experiments.config import experiment
from ssnn_jax.datasets import arrays

# Readouts, by the fields of their accuracies in the final line of a run.
READOUTS = {
  'test_accuracy': 'spike-count readout',
  'test_accuracy_largest': 'counts of the largest potential',
  'test_accuracy_potential': 'final potential',
  'test_accuracy_rate': 'ANN readout (exact rates, same weights)',
}
_TITLES = {
  'mnist': 'MNIST',
  'fashion_mnist': 'Fashion-MNIST',
  'emnist-balanced': 'EMNIST Balanced',
  'n_mnist': 'N-MNIST',
  'synthetic_events-mnist': 'MNIST, recorded by a simulated event camera',
}
_ACRONYMS = {'ann': 'ANN', 'nir': 'NIR'}
# Of files of own arrays that studies use, by their names.
_FILES = {'emnist47': 'EMNIST, 47 classes (own split of official images)'}


def title(dataset: str) -> str:
  """Returns the title of a data set, of a file, or of the record of either."""
  slug = experiment.slug(dataset)
  if arrays.is_npz_path(dataset):
    return _FILES.get(slug, slug)
  return (_TITLES | _FILES).get(slug, dataset)


def of_study(name: str) -> str:
  """Returns the title of the page of a study, or of a part of one."""
  words = ' '.join(_ACRONYMS.get(word, word) for word in name.split('_'))
  return words[0].upper() + words[1:]
