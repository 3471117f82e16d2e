"""Wrong samples and parameters of training: one sentence."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import baselines
from ssnn_jax import training
from tests.testing import networks
from tests.testing.wrong_inputs import WrongInputsTestCase

CONFIG = ssnn_jax.NetworkConfig((4, 3, 2), num_steps=8, dropout=0.1)
PARAMS, OTHERS = map(networks.zeros, ((4, 3, 2), (4, 5, 2)))
IMAGES, LABELS = np.full((5, 4), 0.5, np.float32), np.arange(5) % 2
KEY = jax.random.key(1)
NETWORKS = {
  'ssnn': ssnn_jax.ssnn(CONFIG),
  'ann': ssnn_jax.ann(CONFIG),
  'rpu': baselines.rpu.make_network(CONFIG),
  'bp_stdp': baselines.bp_stdp.make_network(CONFIG),
  'surrogate_gradient': baselines.surrogate_gradient.make_network(CONFIG),
  'feedback_alignment': baselines.feedback_alignment.make_network(
    CONFIG, PARAMS
  ),
}
NETWORK = NETWORKS['ssnn']
SAMPLES = 'expected one integer class for each of the 5 inputs.'
# Of `learn` of all networks: the changed arguments, and the sentence.
BATCHES = (
  (
    {'images': IMAGES[:, :3]},
    'inputs have 3 pixels, but layer_sizes starts '
    'with 4 inputs; make the two agree.',
  ),
  ({'images': IMAGES[0]}, 'images have shape (4,); expected a batch, ...'),
  ({'images': IMAGES * np.nan}, 'images contain NaN; expected rates ...'),
  ({'images': -IMAGES}, 'images lie within [-0.5, -0.5]; expected ...'),
  ({'images': IMAGES > 0.5}, 'images have dtype bool; expected uint8 ...'),
  ({'images': 9 * IMAGES}, 'images lie within [4.5, 4.5]; expected rates ...'),
  (
    {'images': IMAGES.astype(int)},
    'images have dtype int64; expected uint8 '
    'grey values, or float rates within [0, 1].',
  ),
  ({'images': IMAGES.astype(object)}, 'images have dtype object; expected ...'),
  ({'images': IMAGES.astype(str)}, 'images have dtype <U32; expected ...'),
  (
    {'images': IMAGES.tolist()},
    'images are of type list; expected an array of one sample or more.',
  ),
  (
    {'images': IMAGES[:0], 'labels': LABELS},
    'images are an array of shape '
    '(0, 4); expected an array of one sample or more.',
  ),
  ({'labels': LABELS[:0]}, 'labels are an array of shape (0,); expected ...'),
  ({'labels': None}, 'labels are of type NoneType; expected an array ...'),
  ({'labels': LABELS[:3]}, f'labels are int64 of shape (3,); {SAMPLES}'),
  (
    {'labels': np.eye(2)[LABELS]},
    f'labels are float64 of shape (5, 2); {SAMPLES}',
  ),
  ({'labels': LABELS.astype(str)}, f'labels are <U21 of shape (5,); {SAMPLES}'),
  (
    {'labels': LABELS + 1},
    'labels lie within [1, 2]; expected classes from 0 to 1.',
  ),
  (
    {'params': OTHERS},
    'params have weights of shapes [(4, 5), (5, 2)], but '
    'layer_sizes asks for [(4, 3), (3, 2)]; pass the params of this network.',
  ),
  (
    {'params': tuple(p._replace(biases=p.biases[:1]) for p in PARAMS)},
    'params have biases of shapes [(1,), (1,)], but layer_sizes asks for '
    '[(3,), (2,)]; pass the params of this network.',
  ),
  (
    {'params': PARAMS[:1]},
    'params have weights of shapes [(4, 3)], but layer_sizes asks for ...; '
    'pass the params of this network.',
  ),
  (
    {'params': None},
    'params are not a tuple of LayerParams of floats; pass what init returns.',
  ),
  (
    {'params': jax.tree.map(jnp.int32, PARAMS)},
    'params are not a tuple of LayerParams of floats; pass what init returns.',
  ),
  ({'key': 0}, 'key is of type int; expected one key, as jax.random.key(0).'),
  (
    {'key': jax.random.split(KEY, 3)},
    'key is of shape (3,); expected one key, as jax.random.key(0).',
  ),
)


class TrainingTest(WrongInputsTestCase):
  @parameterized.parameters(*BATCHES)
  def test_learn_refuses(self, changes, sentence):
    arguments = {'params': PARAMS, 'key': KEY, 'images': IMAGES}
    arguments |= {'labels': LABELS} | changes
    for network in NETWORKS.values():
      self.assert_refused(lambda: network.learn(*arguments.values()), sentence)  # noqa: B023

  @parameterized.parameters(np.float16, np.float64)
  def test_other_floats_and_raw_keys_have_a_right_result(self, dtype):
    key = jax.random.key_data(jax.random.clone(KEY))
    found = NETWORK.infer(PARAMS, key, IMAGES.astype(dtype))
    expected = NETWORK.infer(PARAMS, jax.random.clone(KEY), IMAGES)
    np.testing.assert_array_equal(found.potential, expected.potential)

  def test_evaluation_of_numpy_arrays_has_a_right_result(self):
    evaluate = training.make_evaluate(NETWORKS['ann'], None, 2)
    found = evaluate(PARAMS, jax.random.clone(KEY), IMAGES, LABELS)
    self.assertIn(float(found.winner), (np.float32(0.4), np.float32(0.6)))
