"""JAX: one jitted scan over all the batches of a call, the gather of each batch inside, parameters donated.

Kept because it was faster: `take` with mode="clip"; the test set mapped over in chunks of 1,000 (10% faster than at
once). Tried and not faster: unrolling the scan by 4 or 8, gathering before the scan, gradients written by hand, XLA's
flags for oneDNN, YNNPACK, fast math and single-threaded Eigen.
"""

from __future__ import annotations

import functools

import numpy as np

from bench.problem import Problem

_TEST_CHUNK = 1000


class JaxPeer:
    """grad of the mean cross-entropy, updates written out and fused by XLA."""

    name = "JAX"

    def version(self) -> str:
        """Name the package's version and its device."""
        import jax

        return f"jax {jax.__version__} on {jax.devices()[0].platform}"

    def prepare(self, problem: Problem) -> None:
        """Put the arrays on the CPU device and build the jitted functions."""
        import jax
        import jax.numpy as jnp

        self._jax = jax
        self._images, self._labels = jnp.asarray(problem.train_images), jnp.asarray(problem.train_labels, jnp.int32)
        self._test_images = jnp.asarray(problem.test_images)
        self._test_labels = jnp.asarray(problem.test_labels, jnp.int32)
        self._train = jax.jit(
            functools.partial(_train, problem.spec.optimizer, problem.spec.learning_rate), donate_argnums=0
        )
        self._correct = jax.jit(_correct)
        self._loss = jax.jit(_loss)

    def reset(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Copy these parameters in and start the optimizer afresh."""
        jnp = self._jax.numpy
        parameters = [(jnp.array(w), jnp.array(b)) for w, b in zip(weights, biases, strict=True)]
        first, second = (self._jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
        self._state = (parameters, first, second, jnp.zeros((), jnp.float32))

    def run_steps(self, order: np.ndarray) -> None:
        """Train one step for each row of `order`; waits until XLA is done."""
        self._state = self._train(self._state, self._images, self._labels, order.astype(np.int32))
        self._jax.block_until_ready(self._state)

    def evaluate(self) -> int:
        """Count the test images that are classified correctly."""
        return int(self._correct(self._state[0], self._test_images, self._test_labels))

    def final_loss(self) -> float:
        """Compute the mean loss over the test images."""
        return float(self._loss(self._state[0], self._test_images, self._test_labels))

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Copy weights and biases out."""
        return [np.array(w) for w, _ in self._state[0]], [np.array(b) for _, b in self._state[0]]


def _forward(parameters, x):
    import jax

    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def _loss(parameters, x, labels):
    import jax
    import jax.numpy as jnp

    log_p = jax.nn.log_softmax(_forward(parameters, x))
    return -jnp.take_along_axis(log_p, labels[:, None], axis=1).mean()


def _correct(parameters, x, labels):
    import jax

    def chunk(part):
        return (_forward(parameters, part[0]).argmax(1) == part[1]).sum()

    return jax.lax.map(chunk, (x.reshape(-1, _TEST_CHUNK, x.shape[1]), labels.reshape(-1, _TEST_CHUNK))).sum()


def _train(optimizer, rate, state, images, labels, order):
    import jax
    import jax.numpy as jnp

    def step(state, rows):
        parameters, first, second, t = state
        x, y = jnp.take(images, rows, axis=0, mode="clip"), jnp.take(labels, rows, mode="clip")
        grads = jax.grad(_loss)(parameters, x, y)
        if optimizer == "sgd":
            return (jax.tree.map(lambda p, g: p - rate * g, parameters, grads), first, second, t), None
        t = t + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)
        a, c = rate / (1 - 0.9**t), 1 / (1 - 0.999**t)
        parameters = jax.tree.map(lambda p, m, v: p - a * m / (jnp.sqrt(v * c) + 1e-8), parameters, first, second)
        return (parameters, first, second, t), None

    return jax.lax.scan(step, state, order)[0]
