"""NumPy by hand: BLAS products, preallocated buffers, `out=` everywhere, parameters in one flat array.

Kept because it was faster: the learning rate folded into the 64 x 10 gradient of the logits (no pass over the weight
gradient to scale it); Adam over one flat array, with moments scaled so that a step is ten passes instead of thirteen
(the same algebra); the test set in chunks of 500 (*measured*: 10,000 at once is 4% slower). Tried and not faster:
Adam in blocks that stay in the cache (calls cost more than they save), SciPy's sgemm adding straight into the
weights, weights kept transposed.
"""

from __future__ import annotations

import numpy as np

from bench.problem import Problem

_TEST_CHUNK = 500


class NumpyPeer:
    """An MLP with relu and softmax cross-entropy as a NumPy user would write it for speed."""

    name = "NumPy"

    def version(self) -> str:
        """Name the package's version."""
        return f"numpy {np.__version__}"

    def prepare(self, problem: Problem) -> None:
        """Keep the arrays; lay out flat parameters, gradients and moments with a view for each layer."""
        self._problem = problem
        shapes = [w.shape for w in problem.weights] + [b.shape for b in problem.biases]
        self._flat, self._gradient, self._first, self._second = (
            np.zeros(sum(int(np.prod(s)) for s in shapes), np.float32) for _ in range(4)
        )
        n_layers = len(problem.weights)
        views, grad_views = _split(self._flat, shapes), _split(self._gradient, shapes)
        self._weights, self._biases = views[:n_layers], views[n_layers:]
        self._grad_weights, self._grad_biases = grad_views[:n_layers], grad_views[n_layers:]
        self._room = np.empty_like(self._flat)
        self._buffers: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}

    def reset(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Copy these parameters in and start the optimizer afresh."""
        for mine, given in zip(self._weights + self._biases, weights + biases, strict=True):
            mine[...] = given
        self._first.fill(0)
        self._second.fill(0)
        self._step = 0

    def run_steps(self, order: np.ndarray) -> None:
        """Train one step for each row of `order`."""
        problem, sgd = self._problem, self._problem.spec.optimizer == "sgd"
        batch_size = order.shape[1]
        buffers = self._layers(batch_size)
        x, samples = np.empty((batch_size, 784), np.float32), np.arange(batch_size)
        scale = np.float32((problem.spec.learning_rate if sgd else 1) / batch_size)
        for rows in order:
            np.take(problem.train_images, rows, axis=0, out=x, mode="clip")  # clip: no buffered copy
            logits = self._forward(x, buffers)
            logits -= logits.max(axis=1, keepdims=True)
            np.exp(logits, out=logits)
            logits *= scale / logits.sum(axis=1, keepdims=True)
            logits[samples, problem.train_labels[rows]] -= scale
            self._backward(x, buffers)
            if sgd:
                np.subtract(self._flat, self._gradient, out=self._flat)
            else:
                self._adam()

    def evaluate(self) -> int:
        """Count the test images that are classified correctly."""
        images, labels = self._problem.test_images, self._problem.test_labels
        correct, buffers = 0, self._layers(_TEST_CHUNK)
        for start in range(0, len(images), _TEST_CHUNK):
            part = slice(start, start + _TEST_CHUNK)
            correct += int(np.count_nonzero(self._forward(images[part], buffers).argmax(1) == labels[part]))
        return correct

    def final_loss(self) -> float:
        """Compute the mean loss over the test images."""
        logits = self._forward(self._problem.test_images, self._layers(len(self._problem.test_images)))
        logits -= logits.max(axis=1, keepdims=True)
        chosen = logits[np.arange(len(logits)), self._problem.test_labels]
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen))

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Copy weights and biases out."""
        return [w.copy() for w in self._weights], [b.copy() for b in self._biases]

    def _layers(self, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Give for each layer its output and, as large, room for relu's derivative."""
        if n not in self._buffers:
            self._buffers[n] = [
                (np.empty((n, len(b)), np.float32), np.empty((n, len(b)), np.float32)) for b in self._biases
            ]
        return self._buffers[n]

    def _forward(self, x: np.ndarray, buffers: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        for layer, (z, _) in enumerate(buffers):
            np.matmul(x, self._weights[layer], out=z)
            z += self._biases[layer]
            if layer < len(buffers) - 1:
                np.maximum(z, 0, out=z)
            x = z
        return x

    def _backward(self, x: np.ndarray, buffers: list[tuple[np.ndarray, np.ndarray]]) -> None:
        delta = buffers[-1][0]  # the logits' gradient
        for layer in range(len(buffers) - 1, -1, -1):
            h = buffers[layer - 1][0] if layer else x
            np.matmul(h.T, delta, out=self._grad_weights[layer])
            np.add.reduce(delta, axis=0, out=self._grad_biases[layer])
            if layer:
                grad_h = buffers[layer - 1][1]
                np.matmul(delta, self._weights[layer].T, out=grad_h)
                np.greater(h, 0, out=h)  # relu's derivative as 0 or 1
                grad_h *= h
                delta = grad_h

    def _adam(self) -> None:
        """w -= a m / (sqrt(v) + e), with m and v kept divided by 1 - beta and the factors moved into a and e."""
        self._step += 1
        spread = np.sqrt((1 - 0.999**self._step) / 0.001)
        a = np.float32(self._problem.spec.learning_rate * 0.1 / (1 - 0.9**self._step) * spread)
        e = np.float32(1e-8 * spread)
        w, g, m, v, room = self._flat, self._gradient, self._first, self._second, self._room
        m *= np.float32(0.9)
        m += g
        g *= g
        v *= np.float32(0.999)
        v += g
        np.sqrt(v, out=room)
        room += e
        np.divide(m, room, out=room)
        room *= a
        w -= room


def _split(flat: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    bounds = np.cumsum([0] + [int(np.prod(s)) for s in shapes])
    return [flat[a:b].reshape(s) for a, b, s in zip(bounds, bounds[1:], shapes, strict=False)]
