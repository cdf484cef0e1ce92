"""nnlite through its public training functions, with the tally on, as it always is."""

from __future__ import annotations

import time

import numpy as np

from bench.problem import N_CLASSES, Problem, batches, initial_parameters

_MAX_STEPS = 2000


class NnlitePeer:
    """`training.train` over a schedule, `training.evaluate` for the test set."""

    name = "nnlite"

    def version(self) -> str:
        """Name the package's version."""
        import numba

        import nnlite

        return f"nnlite {nnlite.__version__}, numba {numba.__version__}"

    def prepare(self, problem: Problem) -> None:
        """Put the images into the form that training reads fastest, as the experiment does: rows of nonzero pixels."""
        from nnlite import training

        self._training, self._problem = training, problem
        self._labels, self._test_labels = problem.train_labels, problem.test_labels
        # As the experiment: nnlite chooses the form from the file's bytes. The class means, no bytes, are added.
        chosen = training.prepare_images([_bytes(problem.train_images[:-N_CLASSES])], lambda: problem.train_images)
        self._images = training.images_like(chosen, problem.train_images)
        self._test_images = training.images_like(chosen, problem.test_images)

    def reset(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Copy these parameters in and start the optimizer afresh."""
        self._mlp, self._optimizer = self._network(weights, biases)

    def run_steps(self, order: np.ndarray) -> None:
        """Train one step for each row of `order`."""
        self._train(self._mlp, self._optimizer, order.ravel(), order.shape[1], len(order))

    def evaluate(self) -> int:
        """Count the test images that are classified correctly."""
        return self._training.evaluate(self._mlp, self._test_images, self._test_labels)

    def final_loss(self) -> float:
        """Compute the mean loss over the test images."""
        return float(self._mlp.loss_and_gradients(self._problem.test_images, self._problem.test_labels)[0])

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Copy weights and biases out."""
        return [w.copy() for w in self._mlp.weights], [b.copy() for b in self._mlp.biases]

    def run_arm(self, arm: str, seed: int, needed: int) -> int:
        """Train one arm until `needed` test images are right, all looked at after every step. Threads may share it."""
        return self._trained(*self._start(arm, seed), needed, "to hit").steps

    def decide_arm(self, arm: str, seed: int, needed: int) -> int:
        """Find the same step by exact decisions, which look at as few test images as each takes."""
        return self._trained(*self._start(arm, seed), needed, "decide").steps

    def follow_arm(self, arm: str, seed: int, needed: int) -> dict[str, int | float]:
        """Train one arm with full evaluations, by exact decisions, and as many steps without any; say what each found.

        `seconds_...` are of training on the real images; `recounted` is a full evaluation of the network at the stop
        that the decisions found.
        """
        found: dict[str, int | float] = {}
        for form, look in (("full", "to hit"), ("decided", "decide")):
            run = self._start(arm, seed)
            start = time.perf_counter()
            outcome = self._trained(*run, needed, look)
            found[f"seconds_{form}"] = time.perf_counter() - start
            found[f"steps_{form}"], found[f"correct_{form}"] = outcome.steps, outcome.correct
            found[f"looked_{form}"] = outcome.tally.passes()["evaluate"]["images_forward"]
        found["recounted"] = self._training.evaluate(outcome.network, self._test_images, self._test_labels)
        mlp, optimizer, schedule = self._start(arm, seed, outcome.steps)
        start = time.perf_counter()
        self._training.train(mlp, optimizer, self._images, self._labels, schedule)
        return {**found, "seconds_unchecked": time.perf_counter() - start, "n_images": len(self._test_labels)}

    def _start(self, arm: str, seed: int, n_steps: int = _MAX_STEPS):
        """Give a network, pretrained if the arm says so, its optimizer and the schedule on the real images."""
        spec = self._problem.spec
        mlp, optimizer = self._network(*initial_parameters(spec.hidden, seed))
        if arm == "class-means":
            self._train(mlp, optimizer, np.tile(self._problem.mean_rows[0], 28), N_CLASSES, 28)
        stream = batches(spec.n_train, spec.batch_size, seed)
        drawn = [next(stream) for _ in range(n_steps)]
        starts = np.concatenate([[0], np.cumsum([len(rows) for rows in drawn])]).astype(np.int64)
        rates = np.full(n_steps, spec.learning_rate)
        return mlp, optimizer, self._training.Schedule(np.concatenate(drawn), starts, rates)

    def _trained(self, mlp, optimizer, schedule, needed: int, look: str):
        """Train with a check after every step; return the outcome."""
        steps = np.arange(1, schedule.n_steps + 1, dtype=np.int64)
        checks = self._training.Checks(self._test_images, self._test_labels, steps, needed, look)
        return self._training.train(mlp, optimizer, self._images, self._labels, schedule, checks)

    def _network(self, weights, biases):
        import nnlite

        spec = self._problem.spec
        mlp = nnlite.MLP((784, *spec.hidden, N_CLASSES), rng=np.random.default_rng(0))
        for mine, given in zip(mlp.weights + mlp.biases, weights + biases, strict=True):
            mine[...] = given
        return mlp, {"sgd": nnlite.SGD, "adam": nnlite.Adam}[spec.optimizer](spec.learning_rate)

    def _train(self, mlp, optimizer, rows, batch_size, n_steps) -> None:
        starts = np.arange(n_steps + 1, dtype=np.int64) * batch_size
        rates = np.full(n_steps, self._problem.spec.learning_rate)
        schedule = self._training.Schedule(np.ascontiguousarray(rows), starts, rates)
        self._training.train(mlp, optimizer, self._images, self._labels, schedule)


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.rint(images * 255).astype(np.uint8)
