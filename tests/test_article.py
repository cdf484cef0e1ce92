"""The article's printed figures, reproduced to the last digit from its structure; test_golden.py has the text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from nnlite.experiment import article
from nnlite.experiment.article import PRETRAINED, SCRATCH, accounting_text, article_pass, backward_ratio


def percent(saved):
    return f"{float(saved):.1%}"


def test_one_pass_is_the_first_layer_with_its_bias_in_either_reading():
    assert article_pass((784, 128, 10)) == 785 * 128 == 100_480
    assert article_pass((784, 64, 10), "article-64") == 2 * 785 * 64 == 100_480
    assert article_pass((784, 128, 10), "article-80") == 100_480
    assert article_pass((784, 32, 16, 10)) == 785 * 32
    assert article_pass((784, 10)) == 785 * 10
    assert (article.FORWARD_PASS, article.BACKWARD_PASS) == (100_480, 200_960)


@pytest.mark.parametrize("layer_sizes", [(), (784,), (784, 0, 10)])
def test_a_pass_without_a_layer_is_refused(layer_sizes):
    with pytest.raises(ValueError, match="at least two sizes"):
        article_pass(layer_sizes)


def test_both_totals_come_out_to_the_last_digit():
    # 28 (10 F + B) = 28 x 12 F and 145 (64 F + B) = 145 x 66 F with F = 100,480.
    assert PRETRAINED.pretrain_flops == 28 * 12 * 100_480 == 33_761_280
    assert PRETRAINED.train_flops == 145 * 66 * 100_480 == 961_593_600
    assert PRETRAINED.flops == article.FLOPS_PRINTED == 995_354_880
    assert SCRATCH.pretrain_flops == 0
    assert SCRATCH.flops == article.FLOPS_SCRATCH_PRINTED == 214 * 66 * 100_480 == 1_419_179_520


def test_forward_passes_fit_batches_of_64_in_one_run_and_63_in_the_other():
    assert PRETRAINED.forward_passes == article.FORWARD_PASSES_PRINTED == 28 * 10 + 145 * 64 == 9_560
    assert SCRATCH.forward_passes == 214 * 64 == 13_696
    assert article.FORWARD_PASSES_SCRATCH_PRINTED == 214 * article.PRINTED_SCRATCH_BATCH == 214 * 63 == 13_482


def test_the_three_savings_of_the_article_and_what_it_left_out():
    assert {name: percent(saved) for name, saved in article.savings().items()} == {
        "forward_passes_printed": "29.1%",  # 1 - 9,560 / 13,482
        "forward_passes": "30.2%",  # 1 - 9,560 / 13,696
        "flops": "29.9%",  # 1 - 995,354,880 / 1,419,179,520
        "steps": "19.2%",  # 1 - (28 + 145) / 214
        "flops_with_averaging": "26.5%",  # 1 - (995,354,880 + 47,047,840) / 1,419,179,520
        "flops_with_one_evaluation": "17.5%",  # 1,004,800,000 on both bills
        "flops_with_evaluation_every_step": "32.2%",  # 145 and 214 of them
        "flops_with_evaluation_in_both_phases": "19.2%",  # 28 + 145 and 214 of them
        "flops_with_backward_per_image": "30.2%",  # then the bill is proportional to images
    }
    assert all(isinstance(saved, Fraction) for saved in article.savings().values())


def test_averaging_and_evaluation_in_the_articles_terms():
    assert article.AVERAGING == 60_000 * 784 + 7_840 == 47_047_840
    assert article.EVALUATION == 10_000 * 100_480 == 1_004_800_000
    assert PRETRAINED.flops < article.EVALUATION


def test_backward_is_1_013_times_forward_in_both_networks():
    # 784-128-10: forward 784 x 128 + 128 x 10 = 101,632; backward the same and 128 x 10 = 1,280 more.
    assert backward_ratio((784, 128, 10)) == Fraction(101_632 + 1_280, 101_632)
    assert backward_ratio((784, 64, 10)) == backward_ratio((784, 128, 10))
    assert f"{float(backward_ratio((784, 128, 10))):.3f}" == "1.013"
    assert backward_ratio((784, 10)) == 1


def test_text_fits_80_columns_without_trailing_space():
    for line in accounting_text().splitlines():
        assert len(line) <= 80
        assert line == line.rstrip()
