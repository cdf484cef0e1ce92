"""The classifier for scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from nnlite.sklearn import MLPClassifier


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
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
