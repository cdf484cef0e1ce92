"""The bill: phases, cost models by hand, records that can be priced again, the table for people."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from nnlite.flops import COST_MODELS, PHASES, Tally
from nnlite.kernels.ops import DENSE, EXECUTED, KINDS


def add(tally, kernel, dense, executed):
    for row, kinds in ((DENSE, dense), (EXECUTED, executed)):
        for kind, n in kinds.items():
            tally.kernel(kernel)[row, KINDS.index(kind)] += n


def small_bill():
    """A bill with a few numbers in every phase, whose totals can be added up in the head."""
    tally = Tally()
    with tally.phase("data"):
        add(tally, "class_sums", {"add": 100}, {"add": 100})
    with tally.phase("pretrain"):
        add(tally, "matmul_forward", {"fma": 10}, {"mul": 10, "add": 10})
        tally.count_passes(steps=1, images_forward=2, images_backward=2)
    add(tally, "matmul_forward", {"fma": 1000}, {"fma": 700})  # a kernel that skips zeros
    add(tally, "relu_forward", {"cmp": 7}, {"cmp": 7})
    add(tally, "relu_backward", {"cmp": 5}, {"cmp": 5})
    add(tally, "sgd_update", {"fma": 3, "mul": 2, "exp": 1}, {"mul": 5, "add": 3, "exp": 1})
    tally.count_passes(steps=3, images_forward=20, images_backward=20)
    with tally.phase("report"):
        add(tally, "argmax", {"cmp": 9}, {"cmp": 9})
    return tally


@pytest.mark.parametrize(
    ("model", "executed", "expected"),
    [
        # data 100; pretrain 2 x 10; train 2 x 1000 + 7 + 5 + (2 x 3 + 2 + 1)
        ("flop", False, 100 + 20 + 2000 + 12 + 9),
        # data 100; pretrain 10 + 10; train 2 x 700 + 7 + 5 + (5 + 3 + 1)
        ("flop", True, 100 + 20 + 1400 + 12 + 9),
        ("mac", False, 10 + 1000 + 3 + 2),
        ("mac", True, 10 + 700 + 5),
        ("torch", False, 2 * 10 + 2 * 1000),
        ("3x-forward", False, 3 * (2 * 10 + 2 * 1000 + 7)),
    ],
)
def test_totals_by_hand(model, executed, expected):
    assert small_bill().total(model, executed=executed) == expected
    assert isinstance(small_bill().total(model, executed=executed), int)


def test_the_articles_totals_come_out_to_the_last_digit():
    tally = Tally()
    with tally.phase("pretrain"):
        tally.count_passes(steps=28, images_forward=28 * 10)
    tally.count_passes(steps=145, images_forward=145 * 64)
    with tally.phase("evaluate"):
        tally.count_passes(images_forward=10_000)  # which the article does not count
    # F = 785 x 128 = 100,480; 28 (10 F + 2 F) + 145 (64 F + 2 F) = 33,761,280 + 961,593,600
    assert tally.total("article-2023", article_pass=785 * 128) == 995_354_880
    assert tally.total("article-2023", ["pretrain"], article_pass=785 * 128) == 33_761_280
    assert tally.total("article-2023", ["evaluate"], article_pass=785 * 128) == 0


def test_phases_choose_what_is_added_up_and_a_repeated_name_counts_once():
    bill = small_bill()
    assert bill.total(phases=["data", "pretrain"]) == 120
    assert bill.total(phases=["data", "data"]) == 100
    assert bill.total(phases=["report"]) == 9
    assert bill.total(phases=iter(["data"])) == 100
    assert bill.total(phases=[]) == 0


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        *[(model, {"executed": True, "article_pass": 1}, "defined on shapes") for model in list(COST_MODELS)[2:]],
        ("flops", {}, "'flops': unknown; there are flop, mac, torch, 3x-forward, article-2023"),
        ("article-2023", {}, "article_pass"),
    ],
)
def test_a_total_that_is_not_defined_is_refused(model, options, words):
    with pytest.raises(ValueError, match=words):
        small_bill().total(model, **options)


def test_the_default_phase_is_train_and_phases_nest_and_end_by_an_error_too():
    tally = Tally()
    with suppress(KeyError), tally.phase("report"):
        raise KeyError
    with tally.phase("pretrain") as same:
        assert same is tally
        with tally.phase("evaluate"):
            tally.kernel("argmax")[:] += 1
        tally.count_passes(steps=1)
    tally.count_passes(steps=2)
    tally.count_passes(images_forward=1)
    assert list(tally.counts()) == ["evaluate"]
    assert tally.passes() == {
        "pretrain": {"steps": 1, "images_forward": 0, "images_backward": 0},
        "train": {"steps": 2, "images_forward": 1, "images_backward": 0},
    }


def test_counts_name_every_kind_and_are_plain_integers_of_64_bits():
    tally = small_bill()
    dense, executed = tally.counts(executed=False), tally.counts()
    assert list(dense) == ["data", "pretrain", "train", "report"]
    assert tuple(dense["train"]["matmul_forward"]) == KINDS
    assert dense["train"]["matmul_forward"]["fma"] == 1000
    assert executed["train"]["matmul_forward"]["fma"] == 700
    assert {type(n) for kernels in dense.values() for kinds in kernels.values() for n in kinds.values()} == {int}
    tally.kernel("matmul_forward")[DENSE, KINDS.index("fma")] = 2**40
    assert tally.total(phases=["train"]) == 2**41 + 12 + 9


def test_phases_are_listed_in_the_order_of_a_run_and_own_names_last():
    tally = Tally()
    for phase in ("mine", *reversed(PHASES)):
        with tally.phase(phase):
            tally.kernel("argmax")
            tally.count_passes(steps=1)
    assert tuple(tally.counts()) == tuple(tally.passes()) == (*PHASES, "mine")


def test_a_copy_counts_on_alone_in_the_same_phase():
    tally = Tally()
    with tally.phase("pretrain"):
        tally.kernel("argmax")[:] += 1
        tally.count_passes(steps=1)
        other = tally.copy()
    other.kernel("argmax")[:] += 1
    other.count_passes(steps=1)
    assert other.counts()["pretrain"]["argmax"]["cmp"] == 2
    assert tally.counts()["pretrain"]["argmax"]["cmp"] == 1
    assert (other.passes()["pretrain"]["steps"], tally.passes()["pretrain"]["steps"]) == (2, 1)


def test_merging_adds_phase_by_phase():
    tally = small_bill()
    tally.merge(small_bill())
    assert tally.total() == 2 * small_bill().total()
    assert tally.total(phases=["report"]) == 18
    assert tally.passes()["train"] == {"steps": 6, "images_forward": 40, "images_backward": 40}


def test_a_record_through_json_can_be_priced_again():
    bill = small_bill()
    record = json.loads(json.dumps({"counts": bill.to_record(), "passes": bill.passes()}))
    again = Tally.from_record(record["counts"], record["passes"])
    for model in COST_MODELS:
        assert again.total(model, article_pass=5) == bill.total(model, article_pass=5)
    assert again.counts() == bill.counts()
    assert again.counts(executed=False) == bill.counts(executed=False)
    assert again.passes() == bill.passes()
    assert record["counts"]["dense"]["train"]["relu_forward"] == {"cmp": 7}  # zeros left out


def test_the_table_fits_80_columns_and_keeps_the_report_under_the_total():
    bill = small_bill()
    lines = bill.table().splitlines()
    assert max(map(len, lines)) <= 80
    starts = [line.split("  ")[0] for line in lines if line and not line.startswith((" ", "-"))]
    total = "all of the above (model flop)"
    assert starts == ["phase and kernel", "data", "pretrain", "train", total, "report (informs only, in no total)"]
    numbered = [line for line in lines if line[-1].isdigit()]
    rows = {line[:36].strip(): [int(n.replace(",", "")) for n in line[36:].split()] for line in numbered}
    assert rows[total] == [bill.total(), bill.total(executed=True)] == [2141, 1541]
    assert rows["train"] == [2021, 1421]
    assert rows["sgd_update"] == [9, 9]  # 2 x 3 + 2 + 1; 5 + 3 + 1
    assert rows["report (informs only, in no total)"] == [9, 9]
    assert Tally().table().splitlines()[-1].startswith(total)


def test_a_bill_says_its_total_and_phases_and_what_informs_in_no_total():
    tally = small_bill()
    assert repr(tally) == "Tally(2,141 operations: data 100, pretrain 20, train 2,021, report 9)"
    page = tally._repr_html_()
    # train ran 2 x 700 + 7 + 5 + (5 + 3 + 1)
    assert "<th>train</th><td>2,021</td><td>1,421</td><td>3</td><td>20</td><td>20</td>" in page
    assert "<th>all but report</th><td>2,141</td><td>1,541</td>" in page
    assert repr(Tally()) == "Tally(0 operations)"
