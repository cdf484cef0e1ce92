"""The benchmark's own arithmetic: every form of a product is the product, and what is timed does the work it names.

Made images stand in for MNIST; what only a measurement can tell is not looked at.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from nnlite import training

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the benchmark is no part of the package

problem = importlib.import_module("bench.problem")
products = importlib.import_module("bench.products")
peers = importlib.import_module("bench.peers")

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "bench").rglob("*.py")
)
FAST = pytest.mark.skipif(not training.fast_kernels(), reason="the environment says that the fast kernels are not used")


def made_problem(n_in=784, batch_size=8, n_steps=3, n_test=20, **changes):
    """Bright pixels at places that depend on the class, a fifth of all; ten class means at the end."""
    rng = np.random.default_rng(0)
    spec = problem.Spec(hidden=(5,), batch_size=batch_size, n_steps=n_steps, n_train=40, **changes)
    labels = np.arange(50) % 10
    places = rng.random((10, n_in)) < 0.2
    images = (places[labels] * rng.integers(1, 256, (50, n_in)) / 255).astype(np.float32)
    stream = problem.batches(40, batch_size, spec.seed)
    order = np.stack([next(stream) for _ in range(n_steps)])
    weights, biases = problem.initial_parameters(spec.hidden, spec.seed)
    looked_at = np.arange(n_test) % 40
    return problem.Problem(spec, images, labels, images[looked_at], labels[looked_at], weights, biases, order)


# Widths that are no multiple of 16; the first reads nonzero rows, the second is a layer further up.
@pytest.mark.parametrize(("shape", "n_in"), [((5, 30, 19), 30), ((7, 20, 10), 30)])
def test_every_form_of_a_product_gives_what_blas_gives(shape, n_in):
    made = products.products(shape, made_problem(n_in, batch_size=shape[0]))
    assert set(made) == {"forward", "grad_weight"} | ({"grad_x"} if shape[1] < n_in else set())
    for name, forms in made.items():
        blas = forms[0]
        for form in forms:
            tally = products.empty_tally()
            form.call(tally)
            np.testing.assert_allclose(
                form.result(), blas.result(), rtol=1e-4, atol=1e-5, err_msg=f"{name} {form.name}"
            )
            assert form is blas or tally.any()


def test_every_fused_update_moves_the_weights_as_numpy_does():
    shape = (5, 30, 19)
    for name, (blas, fused) in products.updates(shape, made_problem(30, batch_size=5)).items():
        before = fused.result().copy()
        for form in (blas, fused):
            form.call(products.empty_tally())
        assert np.abs(fused.result() - before).max() > 1e-6, name
        # The first step from the same weights on the same batch: the moves agree, not the weights alone.
        np.testing.assert_allclose(fused.result() - before, blas.result() - before, rtol=1e-2, atol=1e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("key", ["nnlite", "numpy"])
def test_the_adapters_that_need_no_other_library_do_the_same_work(key, optimizer):
    given = made_problem(n_test=500, optimizer=optimizer, learning_rate=0.01)  # a chunk of the NumPy adapter
    peer = peers.make_peer(key)
    peer.prepare(given)
    assert problem.prove(peer, given).same_work


@FAST
def test_decisions_and_full_evaluations_of_the_benchmark_find_the_same_step():
    given = made_problem(optimizer="adam", learning_rate=0.02)
    peer = peers.make_peer("nnlite")
    peer.prepare(given)
    found = peer.follow_arm("scratch", 0, needed=14)
    assert found["steps_full"] == found["steps_decided"] > 1
    assert found["correct_full"] == found["correct_decided"] == found["recounted"] >= 14
    assert found["looked_full"] == 20 * found["steps_full"]  # all 20 images at every check
    assert found["looked_decided"] <= found["looked_full"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the benchmark pins its processes: Linux only")
@pytest.mark.parametrize("name", MODULES)
def test_every_module_of_the_benchmark_imports_without_the_libraries_it_compares(name):
    assert importlib.import_module(name).__name__ == name
