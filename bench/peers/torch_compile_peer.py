"""PyTorch with torch.compile: gradient and update of a step in one compiled graph.

*Measured*, 784-128-10, SGD: the whole step as a function of its parameters with torch.func.grad 0.56 ms, with the C++
wrapper 0.53 (kept), the loss and the optimizer's step compiled apart 0.88, max-autotune no further gain. Evaluation
is the eager one: compiled, it was 2% to 7% slower.
"""

from __future__ import annotations

import numpy as np

from bench.peers.torch_peer import TorchPeer


class TorchCompilePeer(TorchPeer):
    """One call of a compiled function for each step."""

    name = "torch.compile"

    def reset(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Copy these parameters in, zero the moments; the compiled step is made once."""
        torch = self._torch
        self._weights = [torch.tensor(w.T.copy()) for w in weights]
        self._biases = [torch.tensor(b) for b in biases]
        parameters = self._weights + self._biases
        self._state = (parameters, [torch.zeros_like(p) for p in parameters], [torch.zeros_like(p) for p in parameters])
        self._step = 0
        if not hasattr(self, "_compiled"):
            self._compiled = torch.compile(self._train_step, fullgraph=True, options={"cpp_wrapper": True})

    def run_steps(self, order: np.ndarray) -> None:
        """Train one step for each row of `order`."""
        torch, rate = self._torch, self._spec.learning_rate
        # Adam's two factors of each step as tensors, so that a new value is not a new graph.
        steps = np.arange(self._step + 1, self._step + len(order) + 1)
        factors = np.stack([rate / (1 - 0.9**steps), 1 / (1 - 0.999**steps)], axis=1).astype(np.float32)
        with torch.no_grad():
            for rows, factor in zip(torch.from_numpy(order), torch.from_numpy(factors), strict=True):
                self._compiled(*self._state, self._images, self._labels, rows, factor)
        self._step += len(order)

    def _train_step(self, parameters, first, second, images, labels, rows, factor) -> None:
        torch, n_layers = self._torch, len(parameters) // 2

        def loss(parameters, x, y):
            for layer in range(n_layers - 1):
                x = torch.relu(torch.nn.functional.linear(x, parameters[layer], parameters[n_layers + layer]))
            logits = torch.nn.functional.linear(x, parameters[n_layers - 1], parameters[-1])
            return torch.nn.functional.cross_entropy(logits, y)

        grads = torch.func.grad(loss)(parameters, images.index_select(0, rows), labels.index_select(0, rows))
        if self._spec.optimizer == "sgd":
            for p, g in zip(parameters, grads, strict=True):
                p.sub_(g, alpha=self._spec.learning_rate)
            return
        for p, g, m, v in zip(parameters, grads, first, second, strict=True):
            m.mul_(0.9).add_(g, alpha=0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            p.sub_(factor[0] * m / ((v * factor[1]).sqrt() + 1e-8))
