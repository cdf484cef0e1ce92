"""The classifier for scikit-learn: scikit-learn's own checks, and what these do not look at.

Made samples lie around corners of a cube, a class a corner: every classifier worth its name is right about them.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import has_fit_parameter

from nnlite import Tally, compiled, prototypes, training
from nnlite.sklearn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FAST = pytest.mark.skipif(not training.fast_kernels(), reason="the environment says that the fast kernels are not used")
NAMES = np.array(["ant", "bee", "cow"])


def made(n=60, n_features=3, seed=0):
    """Samples around the first three corners, named."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(n) % 3
    x = np.eye(3, n_features, dtype=np.float32)[numbers]
    return x * rng.uniform(0.5, 1, (n, 1)).astype(np.float32), NAMES[numbers]


def fitted(x=None, y=None, **parameters):
    given = {"hidden_layer_sizes": 8, "learning_rate_init": 0.05, "max_iter": 30, "random_state": 0, **parameters}
    x, y = made() if x is None else (x, y)
    return MLPClassifier(**given).fit(x, y)


@pytest.mark.slow
@parametrize_with_checks(
    [
        MLPClassifier(max_iter=50),
        MLPClassifier(
            10, pretrain="class_means", early_stopping=True, validation_fraction=0.2, learning_rate_init=0.02
        ),
    ]
)
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def test_names_of_classes_are_learnt_and_answered():
    x, y = made()
    classifier = fitted()
    assert classifier.classes_.tolist() == NAMES.tolist()
    assert classifier.score(x, y) == 1
    assert classifier.predict(np.eye(3)).tolist() == NAMES.tolist()


def test_attributes_are_scikit_learns_with_its_shapes():
    classifier = fitted(hidden_layer_sizes=(5, 4))
    assert [w.shape for w in classifier.coefs_] == [(3, 5), (5, 4), (4, 3)]
    assert [b.shape for b in classifier.intercepts_] == [(5,), (4,), (3,)]
    assert (classifier.n_features_in_, classifier.n_layers_, classifier.n_outputs_) == (3, 4, 3)
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 30
    assert classifier.loss_ == classifier.loss_curve_[-1] < classifier.loss_curve_[0]
    assert classifier.best_loss_ == min(classifier.loss_curve_)
    assert classifier.t_ == 30 * 60


@pytest.mark.parametrize(("activation", "factor"), [("relu", 6), ("logistic", 2)])
def test_initial_values_are_uniform_in_scikit_learns_bounds_biases_too(activation, factor):
    classifier = fitted(hidden_layer_sizes=400, activation=activation, learning_rate_init=1e-30, max_iter=1)
    for weight, bias in zip(classifier.coefs_, classifier.intercepts_, strict=True):
        bound = np.sqrt(factor / sum(weight.shape))
        assert 0.95 * bound < np.abs(weight).max() <= np.float32(bound)
        assert 0 < np.abs(bias).max() <= np.float32(bound)
    assert np.abs(classifier.intercepts_[0]).max() > 0.95 * np.sqrt(factor / 403)


@FAST
def test_the_loss_of_an_epoch_is_the_mean_over_samples_the_short_last_batch_weighted_by_its_size():
    x, y = made(5)
    classifier = fitted(x, y, batch_size=4, max_iter=1, learning_rate_init=1e-30)  # stands still: 4 samples, then 1
    logits = classifier.network_.forward(x).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -log_p[np.arange(5), np.searchsorted(NAMES, y)].mean()
    assert classifier.loss_ == pytest.approx(expected, rel=1e-5)
    assert classifier.tally_.passes()["train"] == {"steps": 2, "images_forward": 5, "images_backward": 5}


def test_every_operation_of_a_fit_is_in_a_phase_of_its_bill():
    classifier = fitted(max_iter=2, pretrain="class_means", pretrain_epochs=7, early_stopping=True)
    passes = classifier.tally_.passes()
    assert passes["pretrain"] == {"steps": 7, "images_forward": 21, "images_backward": 21}
    assert passes["train"] == {"steps": 2, "images_forward": 108, "images_backward": 108}  # 6 of 60 are kept out
    assert passes["evaluate"]["images_forward"] == 12
    assert classifier.tally_.counts(executed=False)["data"]["class_sums"]["add"] == 54 * 3
    assert classifier.tally_.total("flop", ["pretrain"]) > 0


def test_pretraining_starts_from_the_averages_of_the_training_samples_alone(monkeypatch):
    seen = []

    def spied(images, labels, n_classes, tally, rows):
        seen.append(rows)
        return prototypes.class_means(images, labels, n_classes, tally, rows)

    monkeypatch.setattr("nnlite.sklearn.class_means", spied)
    classifier = fitted(max_iter=1, pretrain="class_means", early_stopping=True)
    assert len(seen[0]) == 54
    assert len(np.unique(seen[0])) == 54
    classifier.set_params(warm_start=True).fit(*made())
    assert len(seen) == 1  # a warm start goes on


@FAST
def test_mostly_zero_samples_are_trained_on_as_rows_and_learn_the_same(monkeypatch):
    x, y = made(n_features=8)
    on_rows = fitted(x, y)
    assert "nonzero_pixels" in on_rows.tally_.counts()["data"]
    monkeypatch.setattr(compiled, "_MAX_DENSITY", 0)
    dense = fitted(x, y)
    assert "data" not in dense.tally_.counts()
    for skipped, whole in zip(on_rows.coefs_, dense.coefs_, strict=True):
        np.testing.assert_allclose(skipped, whole, rtol=1e-3, atol=1e-4)


def test_bytes_are_the_numbers_they_are():
    x, y = made()
    as_bytes = (255 * x).astype(np.uint8)
    of_bytes, of_floats = fitted(as_bytes, y), fitted(as_bytes.astype(np.float64), y)
    assert np.array_equal(of_bytes.coefs_[0], of_floats.coefs_[0])
    assert np.array_equal(of_bytes.predict_proba(as_bytes), of_floats.predict_proba(as_bytes.astype(np.float32)))


def test_bytes_asked_of_a_network_that_was_trained_on_0_to_1_are_refused_and_outliers_of_other_data_are_not():
    x, y = made()
    classifier = fitted()
    with pytest.raises(ValueError, match=r"from 0 to 255, where the network was trained on 0 to .*: divide by 255"):
        classifier.predict((255 * np.eye(3)).astype(np.uint8))
    with pytest.raises(ValueError, match="divide by 255"):
        classifier.partial_fit(255 * np.eye(3), NAMES)
    fitted(x - 1, y).predict(np.full((1, 3), 1e6))


def test_bytes_divided_by_255_twice_are_warned_about():
    x, y = made()
    as_bytes = np.round(255 * x / x.max())
    with pytest.warns(UserWarning, match="divided by 255 twice"):
        fitted(as_bytes / 255**2, y)
    with pytest.warns(UserWarning, match="trained on 0 to 1: bytes divided by 255 twice"):
        fitted(as_bytes / 255, y).predict(as_bytes / 255**2)


@FAST
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "leaky_relu"])
def test_the_fast_answers_are_those_of_the_network_and_count_the_same(activation):
    x, _ = made(130)  # two chunks and a part
    classifier = fitted(hidden_layer_sizes=(20, 7), activation=activation)
    plain, fast = Tally(), Tally()
    expected = classifier.network_.predict_proba(x, plain)
    np.testing.assert_allclose(classifier.predict_proba(x), expected, atol=1e-6)
    np.testing.assert_allclose(compiled.logits(classifier.network_, x, fast), classifier.network_.forward(x), atol=1e-5)
    assert fast.passes() == plain.passes()
    assert fast.total("torch") == plain.total("torch") == 2 * 130 * (3 * 20 + 20 * 7 + 7 * 3)


def test_a_single_class_is_answered_with_certainty():
    x, _ = made()
    classifier = fitted(x, np.full(60, "ant"), pretrain="class_means")
    assert classifier.predict(x).tolist() == ["ant"] * 60
    assert classifier.predict_proba(x).tolist() == [[1.0]] * 60


def test_parts_are_learnt_one_after_the_other_with_the_optimizers_state_kept():
    x, y = made()
    classifier = MLPClassifier(8, learning_rate_init=0.05, random_state=0)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier.partial_fit(x, y)
    for _ in range(30):
        classifier.partial_fit(x[:30], y[:30], classes=NAMES)
    assert classifier.score(x, y) == 1
    assert len(classifier.loss_curve_) == 30
    assert classifier._optimizer.powers[0] == pytest.approx(0.9**30)
    with pytest.raises(ValueError, match="not the same as on the first call"):
        classifier.partial_fit(x, y, classes=["ant", "bee"])
    with pytest.raises(ValueError, match=r"no classes of the first fit: \['dog'\]"):
        classifier.partial_fit(x[:1], ["dog"])


def test_a_warm_start_goes_on_from_the_parameters_and_the_curve():
    first = fitted(max_iter=3, warm_start=True)
    before = first.loss_
    first.fit(*made())
    assert first.n_iter_ == 3
    assert len(first.loss_curve_) == 6
    assert first.loss_curve_[3] < before
    assert fitted(max_iter=3).fit(*made()).loss_curve_ == fitted(max_iter=3).loss_curve_


def test_training_ends_once_the_loss_has_not_improved_by_tol_for_more_than_so_many_epochs():
    assert fitted(tol=10.0, n_iter_no_change=4).n_iter_ == 6  # the first improves on nothing, five more do not


def test_early_stopping_keeps_the_parameters_of_the_best_epoch():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 3)), rng.integers(0, 2, 80)  # noise: the score goes up and down
    classifier = fitted(x, y, early_stopping=True, validation_fraction=0.5, n_iter_no_change=5, max_iter=200)
    scores = classifier.validation_scores_
    assert len(scores) == classifier.n_iter_ < 200
    best = int(np.argmax(scores)) + 1
    assert best < len(scores)
    again = fitted(x, y, early_stopping=True, validation_fraction=0.5, n_iter_no_change=5, max_iter=best)
    assert np.array_equal(again.coefs_[0], classifier.coefs_[0])
    assert not hasattr(classifier, "partial_fit")


def test_a_seed_fixes_everything_and_another_changes_it():
    assert np.array_equal(fitted().coefs_[0], fitted().coefs_[0])
    assert not np.array_equal(fitted().coefs_[0], fitted(random_state=1).coefs_[0])


def test_verbose_tells_every_epoch_as_scikit_learn_does(capsys):
    classifier = fitted(max_iter=2, verbose=True)
    lines = [f"Iteration {n}, loss = {loss:.8f}" for n, loss in enumerate(classifier.loss_curve_, start=1)]
    assert capsys.readouterr().out.splitlines() == lines


def test_copies_answer_alike_and_clones_know_nothing():
    classifier, (x, _) = fitted(), made()
    back = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(back.predict_proba(x), classifier.predict_proba(x))
    assert back.tally_.total() == classifier.tally_.total() > 0
    assert not hasattr(clone(classifier), "coefs_")
    assert clone(classifier).get_params() == classifier.get_params()


@pytest.mark.slow
def test_a_search_over_a_pipeline_runs_in_two_processes():
    x, y = made(90)
    pipeline = make_pipeline(MaxAbsScaler(), MLPClassifier(8, learning_rate_init=0.05, max_iter=30, random_state=0))
    grid = {"mlpclassifier__solver": ["adam", "sgd"], "mlpclassifier__momentum": [0.0, 0.9]}
    found = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise").fit(x, y)
    assert found.best_score_ == 1
    assert found.predict(np.eye(3)).tolist() == NAMES.tolist()


def test_sample_weights_are_not_taken_and_meta_estimators_see_that():
    assert not has_fit_parameter(MLPClassifier(), "sample_weight")
    with pytest.raises(TypeError, match="sample_weight"):
        MLPClassifier().fit(*made(), sample_weight=np.ones(60))


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"activation": "identity"}, "activation='identity': expected one of 'relu'"),
        ({"solver": "lbfgs"}, "solver='lbfgs': expected one of 'adam', 'sgd'"),
        ({"pretrain": "averages"}, "pretrain='averages': expected one of None, 'class_means'"),
        ({"early_stopping": "no"}, "early_stopping='no': expected one of False, True"),
        ({"batch_size": 0}, "batch_size 0: must be at least 1"),
        ({"max_iter": 0}, "max_iter 0: must be at least 1"),
        ({"validation_fraction": 0}, "validation_fraction 0: must be above 0"),
        ({"validation_fraction": 1.0}, "validation_fraction 1: must be at least 0 and below 1"),
        ({"learning_rate_init": 0.0}, "learning_rate_init 0.0: must be above 0"),
        ({"momentum": 1.0}, "momentum 1: must be at least 0 and below 1"),
        ({"hidden_layer_sizes": 0}, r"layer_sizes \(3, 0, 3\)"),
    ],
)
def test_a_parameter_out_of_range_is_named(parameters, word):
    with pytest.raises(ValueError, match=word):
        fitted(**parameters)


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"max_iter": "3"}, "max_iter: expected a whole number, found '3'"),
        ({"pretrain_epochs": 1.5}, "pretrain_epochs: expected a whole number, found 1.5"),
        ({"n_iter_no_change": None}, "n_iter_no_change: expected a whole number, found None"),
        ({"batch_size": "all"}, "batch_size: expected a whole number, found 'all'"),
        ({"validation_fraction": "a"}, "validation_fraction: expected a number such as"),
        ({"hidden_layer_sizes": "8"}, r"layer_sizes \(3, '8', 3\): expected inputs, hidden units, classes as whole"),
    ],
)
def test_a_parameter_of_another_kind_is_named(parameters, word):
    with pytest.raises(TypeError, match=word):
        fitted(**parameters)


def test_epochs_without_improvement_may_be_without_limit_as_in_scikit_learn():
    assert fitted(tol=10.0, n_iter_no_change=np.inf).n_iter_ == 30


def test_a_class_that_is_kept_for_validation_whole_has_no_average_and_is_named():
    x, y = made()
    y[0] = "dog"
    with pytest.raises(ValueError, match="pretrain='class_means': all samples of class dog are kept for validation"):
        fitted(x, y, pretrain="class_means", early_stopping=True, validation_fraction=0.9)


def test_ctrl_c_ends_a_fit_with_a_warning_and_keeps_what_was_learnt(monkeypatch):
    """Told after the first step of its fourth epoch; that Ctrl-C tells it is tested with `fit`."""
    x, y = made()
    plan, n_planned = training.epochs, iter(range(99))

    def interrupted(work):
        watch = training.Watch()

        def planned(*arguments):
            watch.stop[0] = next(n_planned) == 3
            return plan(*arguments)

        monkeypatch.setattr(training, "epochs", planned)
        work(watch)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "interruptibly", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        classifier = fitted(x, y, batch_size=20)
    monkeypatch.undo()
    assert (classifier.n_iter_, len(classifier.loss_curve_), classifier.t_) == (4, 4, 3 * 60 + 20)
    assert classifier._optimizer.powers[0] == pytest.approx(0.9**10)
    assert classifier.loss_curve_[:3] == fitted(x, y, batch_size=20, max_iter=3).loss_curve_
    assert len(classifier.set_params(warm_start=True).fit(x, y).loss_curve_) > 4


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_is_an_error_with_what_to_do():
    x, y = made()
    with pytest.raises(ValueError, match="is not finite: scale X, or take a learning_rate_init below 1e"):
        fitted(x * 1e30, y, solver="sgd", learning_rate_init=1e30)
