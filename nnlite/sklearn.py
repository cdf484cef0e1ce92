"""A classifier for scikit-learn's pipelines and searches, trained by the compiled loop, with every operation counted.

`MLPClassifier` takes the parameters and has the attributes of `sklearn.neural_network.MLPClassifier`; what differs
stands in its Notes. scikit-learn, which nothing else here imports, checks what comes in; `training` trains and answers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from . import training
from .arguments import check_scale, fraction, not_negative, positive, whole_number
from .flops import Tally
from .kernels import loss as losses
from .mlp import ACTIVATIONS, MLP
from .optim import SGD, Adam, Momentum, Optimizer
from .prototypes import class_means
from .schedule import DIVERGED, Images, Ints, Schedule, Watch

Array = npt.NDArray[Any]

NAMES = {"logistic" if name == "sigmoid" else name: name for name in ACTIVATIONS}  # theirs: ours


def _stops_by_no_samples(classifier: MLPClassifier) -> bool:
    """Whether `partial_fit` is there: early stopping would keep samples out of a part that is seen once."""
    if classifier.early_stopping:
        raise AttributeError("partial_fit does not support early_stopping=True")
    return True


class MLPClassifier(ClassifierMixin, BaseEstimator):
    """A multilayer perceptron for classification, in float32.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer; () for none.
    activation : str
        Of the hidden layers: one of `kernels.ops.ACTIVATIONS`; the sigmoid is "logistic" here.
    solver : {"adam", "sgd"}
        `sgd` is gradient descent with momentum.
    batch_size : int or "auto"
        Samples a step; "auto" is min(200, n_samples). The short last batch of an epoch is used.
    learning_rate_init : float
        The learning rate, the same at every step.
    max_iter : int
        Epochs at most.
    random_state : int, RandomState or None
        Draws initial values, the order of every epoch and the validation samples.
    tol, n_iter_no_change : float, int
        Training ends when the loss (with early stopping, the validation accuracy) has not improved by `tol` for more
        than `n_iter_no_change` epochs in a row.
    verbose : bool
        Print the loss of every epoch.
    warm_start : bool
        `fit` goes on from the parameters of the last fit, with an optimizer that has seen nothing.
    momentum : float
        Of solver `sgd`, in [0, 1).
    early_stopping : bool
        Keep `validation_fraction` of the samples out of training, and the parameters of the epoch that had most of
        them right.
    validation_fraction : float
        In (0, 1).
    pretrain : {"class_means"} or None
        Train on the average of each class first, as one batch, before the first epoch. `partial_fit` and warm starts
        do not.
    pretrain_epochs : int
        Steps on the averages.

    Attributes
    ----------
    classes_ : array (n_classes,)
    coefs_, intercepts_ : lists of float32 arrays (n_in, n_out), (n_out,) - the network's own, not copies
    loss_, best_loss_ : float - mean loss of the last epoch, and the lowest of all
    loss_curve_ : list of float - mean loss of every epoch, each batch before its update
    validation_scores_ : list of float - validation accuracy after every epoch, empty without early stopping
    n_iter_ : int - epochs of the last fit
    t_ : int - samples trained on so far
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_ : as scikit-learn's
    network_ : MLP - for everything else in nnlite; `save` writes it
    tally_ : Tally - every operation of training, warm starts too, by phase: `data`, `pretrain`, `train`, `evaluate`

    Notes
    -----
    Unlike scikit-learn's: float32 throughout; softmax for two classes as well, so the last layer has two units; no
    L-BFGS, no changing learning rate, no Nesterov momentum; no sample weights (`fit` does not take them, which
    meta-estimators respect). No L2 penalty: scikit-learn's default of `alpha`, 1e-4 divided by the batch, is worth
    under 0.2 points on its digits (bench/RESULTS.md), and would touch the weights of every pixel in every step, where
    training on rows of nonzero pixels touches those that a batch lights.

    Numbers are taken as they are, bytes too: scale images to 0 to 1 (X / np.float32(255)). A network trained on 0 to 1
    refuses what is ten times as large. Where at most half of all numbers differ from zero, training skips the zeros.

    Ctrl-C ends `fit` after the step under way (plain Python's within it), with a warning; the last epoch may be a part.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.eye(3, dtype=np.float32).repeat(20, axis=0), np.array(["a", "b", "c"]).repeat(20)
    >>> classifier = MLPClassifier(16, learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> classifier.predict(np.eye(3)).tolist(), classifier.score(X, y)
    (['a', 'b', 'c'], 1.0)
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Iterable[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        pretrain: str | None = None,
        pretrain_epochs: int = 28,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.pretrain = pretrain
        self.pretrain_epochs = pretrain_epochs

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each layer, (n_in, n_out)."""
        return self.network_.weights

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each layer, (n_out,)."""
        return self.network_.biases

    @property
    def best_loss_(self) -> float:
        """The lowest mean loss of an epoch."""
        return min(self.loss_curve_)

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> MLPClassifier:
        """Train for `max_iter` epochs, or until they no longer help.

        Parameters
        ----------
        X : array (n_samples, n_features)
        y : array (n_samples,)
            Labels of any kind: numbers, strings.

        Returns
        -------
        MLPClassifier - itself

        Raises
        ------
        ValueError, TypeError
            A parameter out of range or of another kind; X or y that scikit-learn's estimators refuse; a loss that is
            infinite or no number; no sample of a class left to pretrain on its average.
        """
        self._check_parameters()
        goes_on = self.warm_start and hasattr(self, "network_")
        X, y = self._checked(X, y, first=not goes_on)
        if not goes_on:
            self._begin(X, y, np.unique(y))
        labels = self._numbered(y)
        self.n_iter_ = 0
        self._optimizer = self._new_optimizer()
        rows, held_out = self._split(labels)
        (images,) = training.prepare_floats(self.network_, [X], self.tally_)
        if self.pretrain is not None and not goes_on:
            self._pretrain(images, labels, rows)
        try:
            has_converged = training.interruptibly(partial(self._train, images, labels, rows, held_out))
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        else:
            if not has_converged:
                problem = f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
                warnings.warn(problem + "hasn't converged yet.", ConvergenceWarning, stacklevel=2)
        return self

    @available_if(_stops_by_no_samples)
    def partial_fit(self, X: npt.ArrayLike, y: npt.ArrayLike, classes: npt.ArrayLike | None = None) -> MLPClassifier:
        """Train for one epoch on these samples, and keep the optimizer's state for the next call.

        Parameters
        ----------
        X, y : arrays
            As `fit`.
        classes : array (n_classes,)
            All labels that any call will bring; needed at the first.

        Raises
        ------
        ValueError, TypeError
            As `fit`; no classes at the first call, other classes later.
        AttributeError
            Early stopping: one part of the samples does not tell when to stop.
        """
        self._check_parameters()
        first = not hasattr(self, "network_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        X, y = self._checked(X, y, first)
        if first:
            self._begin(X, y, unique_labels(classes))
            self._optimizer = self._new_optimizer()
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"classes={classes!r} is not the same as on the first call to partial_fit: {self.classes_}"
            )
        labels = self._numbered(y)
        (images,) = training.prepare_floats(self.network_, [X], self.tally_)
        self.n_iter_ = 0
        training.interruptibly(partial(self._epoch, images, labels, np.arange(len(labels))))
        return self

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the most probable class of each sample, (n_samples,), in the words of `classes_`.

        Parameters
        ----------
        X : array (n_samples, n_features)

        Raises
        ------
        ValueError
            X that scikit-learn's estimators refuse, or ten times as large as a range from 0 to 1 that was trained on.
        """
        logits = self._logits(X)
        found: Array = self.classes_[logits.argmax(axis=1)]
        return found

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Return the probability of each class, float32 (n_samples, n_classes); parameters and errors as `predict`."""
        logits = self._logits(X)
        probabilities = np.empty_like(logits)
        losses.softmax(logits, probabilities, Tally().kernel("softmax"))
        return probabilities

    def _check_parameters(self) -> None:
        """Raise ValueError, or TypeError for what is of another kind, unless all parameters are in their ranges."""
        for name, choices in (
            ("activation", tuple(NAMES)),
            ("solver", ("adam", "sgd")),
            ("pretrain", (None, "class_means")),
            ("early_stopping", (False, True)),
            ("warm_start", (False, True)),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(map(repr, choices))}")
        whole_number("max_iter", self.max_iter)
        whole_number("pretrain_epochs", self.pretrain_epochs)
        if self.n_iter_no_change != math.inf:
            whole_number("n_iter_no_change", self.n_iter_no_change)
        if self.batch_size != "auto":
            whole_number("batch_size", self.batch_size)  # type: ignore[arg-type]  # other text is refused there
        positive("learning_rate_init", self.learning_rate_init, np.float32)
        fraction("momentum", self.momentum, np.float32)
        not_negative("tol", self.tol)
        positive("validation_fraction", self.validation_fraction)
        fraction("validation_fraction", self.validation_fraction)

    def _checked(self, X: npt.ArrayLike, y: npt.ArrayLike, first: bool) -> tuple[Array, Array]:
        """Samples in float32 and one label each, as scikit-learn's estimators take them."""
        samples, labels = validate_data(self, X, y, reset=first, dtype=np.float32, order="C")
        check_classification_targets(labels)
        if first:
            check_scale(samples, None)
        else:
            self.network_.check_inputs(samples)
        return samples, labels

    def _begin(self, X: Array, y: Array, classes: Array) -> None:
        """Make a new network, as scikit-learn draws its own, and forget what was trained before."""
        self._rng = np.random.default_rng(check_random_state(self.random_state).randint(1 << 31, size=4))
        hidden = self.hidden_layer_sizes
        hidden = tuple(hidden) if isinstance(hidden, Iterable) else (hidden,)
        self.classes_ = classes
        self.n_outputs_ = max(2, len(classes))  # a network has two outputs; the second of a single class is never right
        self.n_layers_ = len(hidden) + 2
        self.out_activation_ = "softmax"
        sizes = (X.shape[1], *hidden, self.n_outputs_)
        self.network_ = MLP(sizes, self._rng, NAMES[self.activation], "glorot_uniform")
        _initialize(self.network_, 2 if self.activation == "logistic" else 6, self._rng)
        low, high = float(X.min()), float(X.max())
        self.network_.input_range = (low, high) if low >= 0 and high <= 1 else None  # of other data no limit is known
        self.tally_ = Tally()
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []
        self.n_iter_ = self.t_ = 0

    def _numbered(self, y: Array) -> Ints:
        """The place of each label in `classes_`."""
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            problem = f"y has labels that are no classes of the first fit: {unknown[:5]}"
            raise ValueError(f"{problem}; they are {self.classes_}")
        return np.searchsorted(self.classes_, y).astype(np.int64)

    def _new_optimizer(self) -> Optimizer:
        """An optimizer that has seen nothing."""
        if self.solver == "adam":
            return Adam(self.learning_rate_init)
        return Momentum(self.learning_rate_init, self.momentum) if self.momentum else SGD(self.learning_rate_init)

    def _split(self, labels: Ints) -> tuple[Ints, Ints]:
        """The numbers of the samples to train on, and of those that early stopping looks at."""
        rows = np.arange(len(labels))
        if not self.early_stopping:
            return rows, rows[:0]
        stratify = labels if len(self.classes_) == 2 else None
        rows, held_out = train_test_split(
            rows, test_size=self.validation_fraction, stratify=stratify, random_state=int(self._rng.integers(1 << 31))
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return rows, held_out

    def _pretrain(self, images: Images, labels: Ints, rows: Ints) -> None:
        """Train on the average of each class, all in one batch, with the optimizer that goes on to the samples."""
        n_classes = len(self.classes_)
        kept_out = np.setdiff1d(np.arange(n_classes), labels[rows])
        if kept_out.size:
            problem = f"all samples of class {self.classes_[kept_out[0]]} are kept for validation: it has no average"
            raise ValueError(f"pretrain={self.pretrain!r}: {problem}")
        means = class_means(images, labels, n_classes, self.tally_, rows)
        schedule = training.epochs(np.arange(n_classes), n_classes, self.pretrain_epochs, self.learning_rate_init)
        with self.tally_.phase("pretrain"):
            self._run(training.images_like(images, means), np.arange(n_classes), schedule, Watch())

    def _train(self, images: Images, labels: Ints, rows: Ints, held_out: Ints, watch: Watch) -> bool:
        """Train epoch by epoch while they help, keep the best by early stopping; return whether they no longer did."""
        best, n_no_better = self.network_.copy(), 0
        while self.n_iter_ < self.max_iter and n_no_better <= self.n_iter_no_change and not watch.stop[0]:
            self._epoch(images, labels, rows, watch)
            if self.early_stopping and self._validate(images, labels, held_out):
                best = self.network_.copy()
            n_no_better = 0 if self._improved() else n_no_better + 1
        if self.early_stopping:
            self.network_ = best
        return n_no_better > self.n_iter_no_change

    def _epoch(self, images: Images, labels: Ints, rows: Ints, watch: Watch) -> None:
        """Train on every sample once, in a new order; on fewer where the watch says so."""
        batch_size = min(200 if self.batch_size == "auto" else int(self.batch_size), len(rows))
        n_steps = -(-len(rows) // batch_size)
        schedule = training.epochs(rows, batch_size, n_steps, self.learning_rate_init, self._rng)
        found = self._run(images, labels, schedule, watch)
        seen = schedule.starts[: len(found) + 1]
        self.loss_ = float(np.average(found, weights=np.diff(seen)))
        self.loss_curve_.append(self.loss_)
        self.n_iter_ += 1
        self.t_ += int(seen[-1])
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")

    def _run(self, images: Images, labels: Ints, schedule: Schedule, watch: Watch) -> Array:
        """Carry out a schedule; return the loss of every step."""
        outcome = training.train(self.network_, self._optimizer, images, labels, schedule, None, self.tally_, watch)
        if outcome.status == DIVERGED:
            problem = f"the loss of step {outcome.steps} is not finite"
            raise ValueError(f"{problem}: scale X, or take a learning_rate_init below {self.learning_rate_init}")
        return outcome.losses

    def _validate(self, images: Images, labels: Ints, held_out: Ints) -> bool:
        """Look at the samples kept out of training; return whether more are right than ever before."""
        right = training.evaluate(self.network_, images, labels, self.tally_, rows=held_out)
        self.validation_scores_.append(right / len(held_out))
        *before, score = self.validation_scores_
        if self.verbose:
            print(f"Validation score: {score:f}")
        return score > max(before, default=-math.inf)

    def _improved(self) -> bool:
        """Whether the last epoch is better than all before it by `tol`."""
        if self.early_stopping:
            *before, score = self.validation_scores_
            return score >= max(before, default=-math.inf) + self.tol
        *before, loss = self.loss_curve_
        return loss <= min(before, default=math.inf) - self.tol

    def _logits(self, X: npt.ArrayLike) -> Array:
        """The logits of the classes there are, (n_samples, n_classes)."""
        check_is_fitted(self)
        samples: Array = validate_data(self, X, reset=False, dtype=np.float32, order="C")
        self.network_.check_inputs(samples)
        logits = training.logits(self.network_, samples, Tally())
        return np.ascontiguousarray(logits[:, : len(self.classes_)])


def _initialize(mlp: MLP, factor: float, rng: np.random.Generator) -> None:
    """Draw weights and biases uniform in +-sqrt(factor / (n_in + n_out)), as scikit-learn does."""
    for weight, bias in zip(mlp.weights, mlp.biases, strict=True):
        bound = math.sqrt(factor / sum(weight.shape))
        weight[...] = rng.uniform(-bound, bound, weight.shape)
        bias[...] = rng.uniform(-bound, bound, bias.shape)
