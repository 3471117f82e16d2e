"""Tests of the study of data sets."""

from absl.testing import parameterized

from experiments import pages
from experiments.config import experiment
from experiments.studies import datasets

FIELDS = {
  'rate': 'learning_rate',
  'dropout': 'dropout',
  'decay': 'weight_decay',
}


class DatasetsTest(parameterized.TestCase):
  @parameterized.parameters(*datasets.MARGINS)
  def test_networks_have_the_tuned_settings_of_the_ann(self, dataset):
    tuned = pages.numbers('tuning')
    name = dataset.removesuffix('_mnist') if 'fashion' in dataset else dataset
    is_built_in = dataset in experiment.CONFIGS
    default = experiment.default(dataset if is_built_in else f'{dataset}.npz')
    for sweep in datasets.STUDY.sweeps[dataset]:
      for short, field in FIELDS.items():
        value = sweep.base.get(field, getattr(default, field))
        self.assertEqual(value, tuned[f'{name}_{short}'].mean)

  def test_official_images_run_by_the_same_sweeps(self):
    sweeps = datasets.STUDY.sweeps
    self.assertEqual(sweeps['emnist/balanced'], sweeps['emnist47'])
