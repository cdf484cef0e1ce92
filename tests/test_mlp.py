"""The network: a tiny one counted by hand, gradients by central differences, what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference

from nnlite import MLP, SGD, Adam, Gradients, Tally, kernels
from nnlite.kernels.ops import ACTIVATIONS, KINDS
from nnlite.training import epochs, evaluate, train

pytestmark = pytest.mark.kernels

HIDDEN = [(), (4,), (4, 3)]  # one to three layers of weights
N_CLASSES = 3


def network(hidden=(4,), activation="relu", dtype=np.float64, seed=0):
    return MLP((5, *hidden, N_CLASSES), np.random.default_rng(seed), activation, dtype=dtype)


def batch(n=7, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)), rng.integers(0, N_CLASSES, n)


def test_a_2_3_2_network_counted_by_hand():
    mlp, tally = MLP((2, 3, 2), np.random.default_rng(0)), Tally()
    mlp.loss_and_gradients([[1.0, 2.0]], [1], tally)
    counts = tally.to_record()
    assert counts["dense"]["train"] == {
        # hidden: 3 units of 2 inputs; output: 2 units of 3 inputs; each sum starts from its bias: 6 + 6 multiply-adds
        "matmul_forward": {"fma": 12},
        "relu_forward": {"cmp": 3},
        # maximum of 2: 1 test. subtract it: 2. exp: 2. their sum from zero: 2. divide by it: 2. log: 1.
        # log(s) - logit: 1. sum over the batch: 1. mean: 1 division. add 2 + 2 + 1 + 1, div 2 + 1
        "softmax_cross_entropy_forward": {"cmp": 1, "add": 6, "exp": 2, "log": 1, "div": 3},
        "softmax_cross_entropy_backward": {"add": 1, "div": 2},  # p - 1 at the label; both over n
        # weights: 2 x 3 and 3 x 2 products of one sample; biases: one term each for 3 + 2 units
        "matmul_grad_weight": {"fma": 12, "add": 5},
        "matmul_grad_x": {"fma": 6},  # of the output layer alone: 3 inputs, a sum of 2 terms each
        "relu_backward": {"cmp": 3},
    }
    # A plain kernel multiplies and adds: 12 + 12, 12 + 12 + 5, 6 + 6; all else runs as it is counted.
    executed = counts["executed"]["train"]
    assert executed["matmul_forward"] == {"mul": 12, "add": 12}
    assert executed["matmul_grad_weight"] == {"mul": 12, "add": 17}
    assert executed["matmul_grad_x"] == {"mul": 6, "add": 6}
    # 2 x 30 multiply-adds, 5 bias terms, 3 + 3 tests of relu, 13 and 3 for the loss
    assert tally.total("flop") == tally.total("flop", executed=True) == 2 * 30 + 5 + 6 + 13 + 3
    assert tally.total("torch") == 2 * 30
    assert tally.total("3x-forward") == 3 * (2 * 12 + 3 + 13)
    assert tally.passes() == {"train": {"steps": 0, "images_forward": 1, "images_backward": 1}}


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_loss_and_gradient_agree_with_central_differences(activation, hidden):
    mlp, (x, labels) = network(hidden, activation), batch()
    zs = reference.forward(mlp.parameters(), activation, x)[1][:-1]
    assert min((np.abs(z).min() for z in zs), default=1) > 1e-3  # no unit near relu's corner
    loss, gradients = mlp.loss_and_gradients(x, labels)
    assert loss == pytest.approx(reference.loss(mlp.parameters(), activation, x, labels), rel=1e-13)
    slopes = reference.differences(lambda: mlp.loss_and_gradients(x, labels)[0], mlp.parameters())
    for gradient, slope in zip(gradients.arrays(), slopes, strict=True):
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-6)])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_logits_loss_and_gradients_are_the_references(activation, hidden, dtype, tolerance):
    mlp, (x, labels) = network(hidden, activation, dtype), batch()
    parameters = [parameter.astype(np.float64) for parameter in mlp.parameters()]
    logits = mlp.forward(x)
    assert logits.dtype == dtype
    expected = reference.forward(parameters, activation, x)[1][-1]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(mlp.predict(x), expected.argmax(axis=1))
    loss, gradients = mlp.loss_and_gradients(x, labels)
    assert isinstance(loss, float)
    assert loss == pytest.approx(reference.loss(parameters, activation, x, labels), rel=tolerance)
    for gradient, expected in zip(
        gradients.arrays(), reference.gradients(parameters, activation, x, labels), strict=True
    ):
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=tolerance)


def test_doubling_the_batch_doubles_multiplications():
    mlp, tallies = network(), (Tally(), Tally())
    mlp.loss_and_gradients(*batch(4), tallies[0])
    mlp.loss_and_gradients(*batch(8), tallies[1])
    assert tallies[1].total("mac") == 2 * tallies[0].total("mac")
    assert tallies[1].total("mac", executed=True) == 2 * tallies[0].total("mac", executed=True)


def test_zero_images_and_dead_units_cost_the_same_as_any():
    mlp, tallies = network(), (Tally(), Tally())
    x, labels = batch()
    mlp.loss_and_gradients(x, labels, tallies[0])
    mlp.biases[0][:] = -1e3  # no hidden unit is ever active
    mlp.loss_and_gradients(np.zeros_like(x), labels, tallies[1])
    assert tallies[0].to_record() == tallies[1].to_record()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_pixel_that_is_not_a_number_shows_in_the_loss(activation):
    mlp, (x, labels) = network((4, 3), activation), batch()
    x[2, 3] = np.nan
    loss, _ = mlp.loss_and_gradients(x, labels)
    assert math.isnan(loss)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_ten_thousand_keep_loss_and_gradients_finite(dtype):
    mlp, (x, labels) = network((), dtype=dtype), batch()
    for parameter in mlp.parameters():
        parameter *= 1e4
    loss, gradients = mlp.loss_and_gradients(x, labels)
    assert math.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients.arrays())


def test_shapes_of_parameters_and_gradients():
    mlp = network((4, 2), dtype=np.float32)
    assert [w.shape for w in mlp.weights] == [(5, 4), (4, 2), (2, 3)]
    assert [b.shape for b in mlp.biases] == [(4,), (2,), (3,)]
    _, gradients = mlp.loss_and_gradients(*batch())
    assert isinstance(gradients, Gradients)
    assert [g.shape for g in gradients.arrays()] == [p.shape for p in mlp.parameters()]
    assert {p.dtype for p in mlp.parameters()} == {np.dtype(np.float32)}


def test_parameters_are_the_arrays_themselves_and_a_copy_has_its_own():
    mlp = network()
    other = mlp.copy()
    mlp.parameters()[0][0, 0] = 42
    assert mlp.weights[0][0, 0] == 42
    assert other.weights[0][0, 0] != 42
    assert (other.layer_sizes, other.activation, other.dtype) == (mlp.layer_sizes, mlp.activation, mlp.dtype)


def test_any_array_of_the_right_shape_will_do():
    mlp, (x, labels) = network(), batch()
    expected = mlp.forward(x)
    frozen = x.copy()
    frozen.flags.writeable = False
    wide = np.zeros((7, 10))
    wide[:, ::2] = x
    for same in (np.asfortranarray(x), frozen, wide[:, ::2], x.tolist(), x.astype(">f8")):
        np.testing.assert_array_equal(mlp.forward(same), expected)
    loss = mlp.loss_and_gradients(x, labels)[0]
    for same_labels in (labels.tolist(), labels.astype(np.uint8), labels.astype(">i2"), np.repeat(labels, 2)[::2]):
        assert mlp.loss_and_gradients(x, same_labels)[0] == loss


@pytest.mark.parametrize("shape", [(7, 4), (0, 5), (5,), (1, 7, 5), ()])
def test_images_of_another_shape_are_refused_with_both_shapes(shape):
    with pytest.raises(ValueError, match=r"expected shape \(n_samples, 5\), at least one sample, found \("):
        network().forward(np.zeros(shape))


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((7, 5, 1), r"; flatten them: x.reshape\(len\(x\), -1\)"),
        ((5,), r"; a single one: x.reshape\(1, -1\)"),
        ((4,), ""),
    ],
)
def test_images_whose_pixels_are_all_there_say_how_to_lay_them_out(shape, advice):
    with pytest.raises(ValueError, match=rf"found \({shape[0]}, ?.*\){advice}$"):
        network().predict(np.zeros(shape))


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match=r"labels\[2\] is 3: expected 0 to 2"):  # test_arguments.py has all of them
        network().loss_and_gradients(np.zeros((3, 5)), [0, 1, 3])


def build(sizes=(5, 3), rng=None, **options):
    return MLP(sizes, np.random.default_rng(0) if rng is None else rng, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        *[({"sizes": sizes}, ValueError, "layer_sizes") for sizes in ((), (5,), (5, 1), (0, 3), (5, 0, 3), (5, -1, 3))],
        (
            {"sizes": (5, 2.5, 3)},
            TypeError,
            r"layer_sizes \(5, 2.5, 3\): expected inputs, hidden units, classes as whole",
        ),
        ({"sizes": 5}, TypeError, r"layer_sizes 5: expected inputs, hidden units, classes as whole numbers"),
        ({"activation": "gelu"}, ValueError, "activation 'gelu': expected one of relu, tanh, sigmoid"),
        ({"initializer": "zeros"}, ValueError, "expected one of fan_in_uniform, he_normal, glorot_uniform"),
        ({"dtype": np.float16}, ValueError, "dtype float16: must be float32 or float64"),
        ({"dtype": np.int64}, ValueError, "dtype int64: must be float32 or float64"),
    ],
)
def test_impossible_networks_are_refused_with_what_is_possible(options, error, message):
    with pytest.raises(error, match=message):
        build(**options)
    assert build((np.int64(5), np.uint8(3))).layer_sizes == (5, 3)


@pytest.mark.parametrize(
    "replacement",
    [np.zeros((4, 5)), np.zeros((5, 4), np.float32), np.zeros((5, 4), order="F"), np.zeros((5, 8))[:, ::2]],
)
def test_a_replaced_parameter_that_kernels_cannot_trust_is_refused(replacement):
    mlp = network()
    mlp.weights[0] = replacement
    with pytest.raises(ValueError, match="expected a C-contiguous"):
        mlp.forward(batch()[0])


@pytest.mark.parametrize("rng", [-1, True, 0.5, None, np.random.RandomState(0)])
def test_only_a_generator_or_a_seed_draws_the_values(rng):
    with pytest.raises(TypeError, match=r"rng: expected a seed such as 0 or np.random.default_rng\(0\), found"):
        MLP((5, 3), rng)
    np.testing.assert_array_equal(MLP((5, 3), 7).weights[0], MLP((5, 3), np.random.default_rng(7)).weights[0])


def frozen(array, folder):
    array.flags.writeable = False
    return array


def mapped(array, folder):
    """The same values in a file, mapped for reading, as joblib hands large arrays to its workers."""
    path = folder / f"{array.shape}"
    array.tofile(path)
    return np.memmap(path, array.dtype, "r", shape=array.shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("keep", [frozen, mapped])
def test_all_but_training_works_on_memory_that_is_only_read(tmp_path, keep, dtype):
    mlp, (x, labels) = network(dtype=dtype), batch()
    expected = mlp.predict_proba(x), mlp.predict(x), evaluate(mlp, x, labels), mlp.loss_and_gradients(x, labels)[0]
    matmul_forward, softmax = kernels.matmul.matmul_forward, kernels.loss.softmax
    compiled = [len(getattr(kernel, "overloads", ())) for kernel in (matmul_forward, softmax)]
    for arrays in (mlp.weights, mlp.biases):
        arrays[:] = [keep(array, tmp_path) for array in arrays]
    x = keep(x.astype(dtype), tmp_path)
    found = mlp.predict_proba(x), mlp.predict(x), evaluate(mlp, x, labels), mlp.loss_and_gradients(x, labels)[0]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [len(getattr(kernel, "overloads", ())) for kernel in (matmul_forward, softmax)] == compiled
    for attempt in (
        lambda: SGD(0.1).step(mlp, mlp.loss_and_gradients(x, labels)[1]),
        lambda: train(mlp, SGD(0.1), x, labels, epochs(np.arange(7), 7, 1, 0.1)),
    ):
        with pytest.raises(ValueError, match=r"weights\[0\]: read-only, but training writes to it; train mlp.copy"):
            attempt()
    train(mlp.copy(), SGD(0.1), x, labels, epochs(np.arange(7), 7, 1, 0.1))
    np.testing.assert_array_equal(mlp.predict_proba(x), expected[0])


def test_probabilities_are_the_references_and_counted():
    mlp, (x, _), tally = network(), batch(), Tally()
    logits = reference.forward(mlp.parameters(), "relu", x)[1][-1]
    np.testing.assert_allclose(mlp.predict_proba(x, tally), reference.softmax(logits), rtol=1e-13)
    # 7 images of 3 classes: 2 tests each for the largest; 3 differences and a sum of 3; 3 exp; 3 divisions
    assert tally.counts()["train"]["softmax"] == {**dict.fromkeys(KINDS, 0), "cmp": 14, "add": 42, "exp": 21, "div": 21}
    assert tally.passes() == {"train": {"steps": 0, "images_forward": 7, "images_backward": 0}}


def test_inputs_of_another_size_than_those_of_training_are_refused():
    mlp, (x, _) = network(), batch()
    mlp.input_range = (0.0, 1.0)
    x = np.abs(x) / np.abs(x).max()
    for answer in (mlp.predict, mlp.predict_proba, lambda images: evaluate(mlp, images, np.zeros(7, np.int64))):
        answer(9 * x)  # an outlier
        with pytest.raises(
            ValueError, match="inputs from 0 to 255, where the network was trained on 0 to 1: divide by 255"
        ):
            answer(np.where(x == x.max(), 255, 0))
        with pytest.raises(ValueError, match="scale them alike"):
            answer(np.where(x == x.max(), -11, 0))
        with pytest.raises(ValueError, match="image 0 has a pixel that is not finite"):
            answer(x * np.nan)


def test_a_network_says_what_it_is_and_costs():
    mlp, tally, steps = MLP((5, 4, 3), 0), Tally(), Tally()
    with tally.phase("forward"):
        mlp.forward([[0] * 5], tally)
    with tally.phase("both"):
        _, gradients = mlp.loss_and_gradients([[0] * 5], [0], tally)
    forward = tally.total(phases=["forward"])
    backward = tally.total(phases=["both"]) - forward - 1  # the division of the mean is a batch's, not an image's
    assert repr(mlp) == (
        f"MLP(5-4-3, relu, float32: 39 parameters; an image {forward} operations forward, {backward} backward)"
    )
    page = mlp._repr_html_()
    assert "<th>5 to 4</th><td>24 parameters</td>" in page
    assert f"<th>loss and backward</th><td>{backward} operations an image</td>" in page
    Adam().step(mlp, gradients, steps)
    assert f"<th>update, adam</th><td>{steps.total()} operations a step</td>" in page
