"""PyTorch eager: autograd and torch.optim, single-threaded by setting as well as by pinning.

The optimizers are fused (*measured*, 784-128-10, Adam: fused 0.84 ms a step, foreach and the default 1.14; SGD: no
difference), the test set is taken in chunks of 1,000 (7% faster than at once). Weights kept as (n_in, n_out): no
difference.
"""

from __future__ import annotations

import numpy as np

from bench.problem import Problem

_TEST_CHUNK = 1000


class TorchPeer:
    """Linear layers, cross_entropy, backward, a fused optimizer."""

    name = "PyTorch"

    def version(self) -> str:
        """Name the package's version and its thread count."""
        import torch

        return f"torch {torch.__version__}, {torch.get_num_threads()} thread"

    def prepare(self, problem: Problem) -> None:
        """Wrap the arrays as tensors."""
        import torch

        torch.set_num_threads(1)
        self._torch = torch
        self._spec = problem.spec
        self._images, self._labels = torch.from_numpy(problem.train_images), torch.from_numpy(problem.train_labels)
        self._test_images = torch.from_numpy(problem.test_images)
        self._test_labels = torch.from_numpy(problem.test_labels)

    def reset(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Copy these parameters in, transposed as Linear keeps them, and make a fresh optimizer."""
        torch = self._torch
        self._weights = [torch.tensor(w.T.copy(), requires_grad=True) for w in weights]
        self._biases = [torch.tensor(b, requires_grad=True) for b in biases]
        make = torch.optim.SGD if self._spec.optimizer == "sgd" else torch.optim.Adam
        self._optimizer = make(self._weights + self._biases, lr=self._spec.learning_rate, fused=True)

    def run_steps(self, order: np.ndarray) -> None:
        """Train one step for each row of `order`."""
        torch, images, labels, optimizer = self._torch, self._images, self._labels, self._optimizer
        for rows in torch.from_numpy(order):
            optimizer.zero_grad(set_to_none=True)
            logits = self._forward(images.index_select(0, rows))
            torch.nn.functional.cross_entropy(logits, labels.index_select(0, rows)).backward()
            optimizer.step()

    def evaluate(self) -> int:
        """Count the test images that are classified correctly."""
        correct = 0
        with self._torch.inference_mode():
            for start in range(0, len(self._test_labels), _TEST_CHUNK):
                part = slice(start, start + _TEST_CHUNK)
                predicted = self._forward(self._test_images[part]).argmax(1)
                correct += int((predicted == self._test_labels[part]).sum())
        return correct

    def final_loss(self) -> float:
        """Compute the mean loss over the test images."""
        with self._torch.inference_mode():
            return float(self._torch.nn.functional.cross_entropy(self._forward(self._test_images), self._test_labels))

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Copy weights and biases out."""
        return (
            [np.ascontiguousarray(w.detach().numpy().T) for w in self._weights],
            [b.detach().numpy().copy() for b in self._biases],
        )

    def _forward(self, x):
        linear, relu = self._torch.nn.functional.linear, self._torch.relu
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            x = relu(linear(x, weight, bias))
        return linear(x, self._weights[-1], self._biases[-1])
