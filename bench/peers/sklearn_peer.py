"""scikit-learn's MLPClassifier through `partial_fit`, with coefficients set by hand.

`partial_fit` over many batches at once with shuffle=False takes the batches in the given order and validates its input
once (*measured*, 784-128-10, SGD: 3.3 ms a step with one batch a call, 0.86 with 20, 0.74 with 100, 0.76 with 200).
`alpha` is 0: the others have no weight decay. Its Adam adds epsilon before the bias correction, which moves parameters
with tiny gradients: 784-128-10 stays within the tolerance (99% of the parameters within 6e-4), deeper networks may not.
"""

from __future__ import annotations

import warnings

import numpy as np

from bench.problem import N_CLASSES, Problem

_STEPS_PER_CALL = 100


class SklearnPeer:
    """MLPClassifier in float32."""

    name = "scikit-learn"

    def version(self) -> str:
        """Name the package's version."""
        import sklearn

        return f"scikit-learn {sklearn.__version__}"

    def prepare(self, problem: Problem) -> None:
        """Keep the arrays; they are float32 and C-contiguous already."""
        self._problem = problem

    def reset(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Let one call allocate everything, then put the parameters in and drop the optimizer's state."""
        from sklearn.neural_network import MLPClassifier

        spec = self._problem.spec
        self._classifier = MLPClassifier(
            spec.hidden,
            solver=spec.optimizer,
            learning_rate_init=spec.learning_rate,
            alpha=0.0,
            batch_size=spec.batch_size,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        self._fit(self._problem.order[:1])
        for mine, given in zip(self._classifier.coefs_ + self._classifier.intercepts_, weights + biases, strict=True):
            mine[...] = given
        del self._classifier._optimizer  # made afresh by the next partial_fit

    def run_steps(self, order: np.ndarray) -> None:
        """Train one step for each row of `order`."""
        for start in range(0, len(order), _STEPS_PER_CALL):
            self._fit(order[start : start + _STEPS_PER_CALL])

    def evaluate(self) -> int:
        """Count the test images that are classified correctly."""
        return int(np.count_nonzero(self._classifier.predict(self._problem.test_images) == self._problem.test_labels))

    def final_loss(self) -> float:
        """Compute the mean loss over the test images."""
        probabilities = self._classifier.predict_proba(self._problem.test_images)
        return float(-np.log(probabilities[np.arange(len(probabilities)), self._problem.test_labels]).mean())

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Copy weights and biases out."""
        return [w.copy() for w in self._classifier.coefs_], [b.copy() for b in self._classifier.intercepts_]

    def _fit(self, order: np.ndarray) -> None:
        rows = order.ravel()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Got `batch_size`")  # ten class means are a smaller batch
            self._classifier.partial_fit(
                self._problem.train_images[rows], self._problem.train_labels[rows], classes=np.arange(N_CLASSES)
            )
