"""Settings that were tuned for the ANN of each data set, on held-out samples.

Learning rate, dropout, weight decay and epochs of 784-256-C were chosen by
grids on a fifth of the training samples, without the test samples; networks of
spikes have the same settings. Other data sets have the defaults of a run.
"""

_SHARED = {'batch_size': 128, 'dropout': 0.1, 'eval_every': 5}
TUNED = {
  'mnist': {'num_epochs': 10, 'learning_rate': 1.0, **_SHARED},
  'fashion_mnist': {
    'num_epochs': 20,
    'learning_rate': 0.5,
    'weight_decay': 1e-4,
    **_SHARED,
  },
  'emnist47': {
    'num_epochs': 10,
    'learning_rate': 1.0,
    'weight_decay': 1e-4,
    **_SHARED,
  },
}
TUNED['emnist/balanced'] = TUNED['emnist47']
