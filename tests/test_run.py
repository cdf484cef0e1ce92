"""One run: what its seed fixes, what its record says, what is on its bill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made import N_CLASSES, N_TEST, N_TRAIN, SIDE, small_config, small_dataset

from nnlite import MLP, Adam
from nnlite.experiment.costs import agrees_at_stop, spent_at_stop
from nnlite.experiment.run import BATCH_ORDER, INITIAL_VALUES, DataError, RunData, generator, run_one, stop_set_size
from nnlite.flops import Tally
from nnlite.training import answers_needed, epochs, train

pytestmark = pytest.mark.kernels

N_PIXELS = SIDE * SIDE


def carry_out(dataset, config, arm="class-means", seed=0):
    return run_one(arm, seed, RunData(dataset, config), np.zeros(3, np.int64), np.zeros(1, np.int64))


def test_streams_of_a_seed_are_different_and_repeat():
    draws = [generator(3, stream).random(4).tolist() for stream in range(4)]
    assert len({tuple(draw) for draw in draws}) == 4
    assert generator(3, INITIAL_VALUES).random(4).tolist() == draws[0]


def test_the_same_seed_gives_the_same_record(tmp_path):
    dataset, config = small_dataset(tmp_path), small_config()
    assert carry_out(dataset, config).comparable() == carry_out(dataset, config).comparable()
    assert carry_out(dataset, config, seed=1).comparable() != carry_out(dataset, config).comparable()


def test_both_arms_see_the_real_images_in_the_same_order(tmp_path):
    """Same seed, no step of pretraining: the arms may differ in the bill of phase data alone."""
    dataset, config = small_dataset(tmp_path), small_config(pretrain_epochs=0)
    scratch, means = (carry_out(dataset, config, arm).comparable() for arm in ("scratch", "class-means"))
    assert scratch["steps_to_target"] == means["steps_to_target"]
    assert scratch["counts"]["dense"]["train"] == means["counts"]["dense"]["train"]
    assert scratch["counts"]["dense"]["evaluate"] == means["counts"]["dense"]["evaluate"]


def test_the_bill_of_a_run_is_the_closed_form_of_its_shapes(tmp_path):
    dataset, config = small_dataset(tmp_path), small_config()
    record = carry_out(dataset, config)
    steps = record.steps_to_target
    assert record.reached
    assert steps == record.passes["train"]["steps"]
    n_seen = sum(8 if step % 8 else 4 for step in range(1, steps + 1))  # 60 images: seven batches of 8, one of 4
    assert record.passes["train"] == {"steps": steps, "images_forward": n_seen, "images_backward": n_seen}
    # three epochs over the three averages, one batch each
    assert record.passes["pretrain"] == {"steps": 3, "images_forward": 9, "images_backward": 9}
    dense = record.counts["dense"]
    # averaging reads, so scales, all 60 images of 16 pixels: training touches none that is new
    assert dense["data"]["scale_pixels"] == {"div": N_TRAIN * N_PIXELS}
    assert dense["data"]["class_sums"] == {"add": N_TRAIN * N_PIXELS}
    assert dense["data"]["divide_sums"] == {"div": N_CLASSES * N_PIXELS}
    # 16 x 5 + 5 x 3 = 95 multiply-adds an image forward; each check reads 30 test images, scaled once
    assert dense["train"]["matmul_forward"] == {"fma": 95 * n_seen}
    assert dense["evaluate"]["matmul_forward"] == {"fma": 95 * N_TEST * steps}  # decisions execute less than that
    assert dense["evaluate"]["scale_pixels"] == {"div": N_TEST * N_PIXELS}
    # 95 weights and 8 biases: 3 multiply-adds each a step
    assert dense["train"]["adam_update"]["fma"] == 3 * 103 * steps
    assert dense["report"]["matmul_forward"] == {"fma": 95 * N_TEST}  # the look after pretraining informs only


def test_scratch_pays_for_the_distinct_images_it_read(tmp_path):
    dataset = small_dataset(tmp_path)
    few = carry_out(dataset, small_config(max_steps=2, target=1.0), "scratch")
    assert few.counts["dense"]["data"] == {"scale_pixels": {"div": 2 * 8 * N_PIXELS}}
    assert "class_sums" not in few.counts["dense"]["data"]
    many = carry_out(dataset, small_config(max_steps=20, target=1.0, learning_rate=1e-9), "scratch")
    assert many.counts["dense"]["data"] == {"scale_pixels": {"div": N_TRAIN * N_PIXELS}}  # repeats are scaled once


def test_a_miss_keeps_its_bill_and_says_so(tmp_path):
    record = carry_out(small_dataset(tmp_path), small_config(max_steps=2, learning_rate=1e-9))
    assert (record.reached, record.status, record.steps_to_target) == (False, "budget", None)
    assert record.passes["train"]["steps"] == 2
    assert record.accuracy_at_stop is not None


def test_divergence_is_a_result_that_names_step_and_rate(tmp_path):
    config = small_config(optimizer="sgd", learning_rate=1e30, max_steps=40, pretrain_epochs=0, target=1.0)
    record = carry_out(small_dataset(tmp_path), config, "scratch")
    assert (record.status, record.reached, record.accuracy_at_stop) == ("diverged", False, None)
    step = record.passes["train"]["steps"]
    assert record.message == f"the loss stopped being finite at step {step} of training, learning rate 1e+30"


def test_divergence_in_pretraining_is_told_apart(tmp_path):
    config = small_config(optimizer="sgd", learning_rate=1e30, pretrain_epochs=20)
    record = carry_out(small_dataset(tmp_path), config)
    assert record.status == "diverged"
    assert "of pretraining" in record.message
    assert "train" not in record.passes
    assert "evaluate" not in record.counts["dense"]  # no check was made, so no image was scaled for one
    assert record.pretrain_epochs == record.passes["pretrain"]["steps"]


def test_full_evaluation_keeps_both_curves_and_has_the_bill_and_the_stop_of_decisions(tmp_path):
    dataset = small_dataset(tmp_path)
    full, decided = (carry_out(dataset, small_config(evaluate=how)) for how in ("full", "decide"))
    assert [step for step, _ in full.checks] == list(range(1, 61))
    assert decided.checks == []
    needed = answers_needed(0.9, N_TEST)
    assert next(step for step, correct in full.checks if correct >= needed) == full.steps_to_target
    assert full.steps_to_target == decided.steps_to_target
    assert full.accuracy_at_stop == decided.accuracy_at_stop
    assert [epoch for epoch, _, _ in full.pretrain_checks] == [0, 1, 2, 3]
    assert full.pretrain_checks[-1][1] / N_TEST == full.accuracy_after_pretrain == decided.accuracy_after_pretrain
    for phase in ("pretrain", "train", "evaluate"):  # a decision is billed as the evaluation it is
        assert full.counts["dense"][phase] == decided.counts["dense"][phase]


def test_pretraining_to_a_target_stops_at_the_first_epoch_that_has_it(tmp_path):
    dataset = small_dataset(tmp_path)
    watched = carry_out(dataset, small_config(evaluate="full", pretrain_epochs=60))
    curve = [(epoch, correct) for epoch, correct, _ in watched.pretrain_checks[1:]]
    expected = next(epoch for epoch, correct in curve if correct >= answers_needed(0.6, N_TEST))
    record = carry_out(dataset, small_config(pretrain_epochs=0, pretrain_target=0.6))
    assert record.pretrain_epochs == expected
    # looks that decide are on the bill: one an epoch of phase 1, one a step of phase 2
    assert record.passes["evaluate"]["images_forward"] == N_TEST * (expected + record.passes["train"]["steps"])


def test_validation_stops_on_images_that_no_step_and_no_average_sees(tmp_path):
    dataset = small_dataset(tmp_path)
    config = small_config(stop_on="validation")
    data = RunData(dataset, config)
    rows, checks = data.split(0)
    assert checks.n_images == stop_set_size(dataset, config) == N_TRAIN // 6
    assert len(rows) == N_TRAIN - N_TRAIN // 6
    record = carry_out(dataset, config)
    assert record.counts["dense"]["data"]["class_sums"] == {"add": 50 * N_PIXELS}
    assert record.n_checked == 10
    assert 0 <= record.test_accuracy_at_stop <= 1


def test_right_answers_in_two_halves_of_the_test_set_add_up_to_the_whole(tmp_path):
    """The seed draws the half; what is right in it and in the rest of the set is what a check counts."""
    dataset, config = small_dataset(tmp_path), small_config(evaluate="full", count_apart="half", max_steps=20)
    data = RunData(dataset, config)
    rows, checks = data.split(0)
    rest = np.setdiff1d(data.test_rows, checks.apart)
    assert len(checks.apart) == len(rest) == N_TEST // 2
    assert data.split(0)[1].apart.tolist() == checks.apart.tolist() != data.split(1)[1].apart.tolist()
    order, halves = epochs(rows, 8, 20, 0.02, generator(0, BATCH_ORDER)), []
    for half in (checks.apart, rest):
        mlp = MLP((N_PIXELS, 5, N_CLASSES), generator(0, INITIAL_VALUES))
        outcome = train(mlp, Adam(1), data.images, data.labels, order, replace(checks, apart=half))
        halves.append(outcome.apart)
    record = carry_out(dataset, config, "scratch")
    assert record.apart_correct == halves[0]
    assert np.add(*halves).tolist() == [correct for _, correct in record.checks]
    assert len(set(halves[0])) > 1


def test_a_run_that_stops_on_validation_can_count_the_test_set_at_every_check(tmp_path):
    dataset = small_dataset(tmp_path)
    changes = {"evaluate": "full", "stop_on": "validation"}
    record = carry_out(dataset, small_config(**changes, count_apart="test"))
    assert len(record.apart_correct) == len(record.checks)
    at_stop = record.apart_correct[[step for step, _ in record.checks].index(record.steps_to_target)]
    assert at_stop / N_TEST == record.test_accuracy_at_stop
    without = carry_out(dataset, small_config(**changes))
    assert (without.checks, without.apart_correct) == (record.checks, [])
    assert {phase: kernels for phase, kernels in record.counts["dense"].items() if phase != "report"} == {
        phase: kernels for phase, kernels in without.counts["dense"].items() if phase != "report"
    }  # it informs: no bill changes


def test_decisions_count_nothing_apart(tmp_path):
    record = carry_out(small_dataset(tmp_path), small_config(count_apart="half"))
    assert (record.reached, record.apart_correct) == (True, [])


def test_a_stopped_run_has_no_record(tmp_path):
    data = RunData(small_dataset(tmp_path), small_config())
    assert run_one("scratch", 0, data, np.zeros(3, np.int64), np.ones(1, np.int64)) is None


def test_progress_tells_stage_step_and_right_answers(tmp_path):
    progress = np.zeros(3, np.int64)
    record = run_one("scratch", 0, RunData(small_dataset(tmp_path), small_config()), progress, np.zeros(1, np.int64))
    assert progress.tolist() == [2, record.steps_to_target, round(record.accuracy_at_stop * N_TEST)]


def test_a_record_can_be_priced_again(tmp_path):
    record = carry_out(small_dataset(tmp_path), small_config())
    tally = record.tally()
    assert isinstance(tally, Tally)
    F = 17 * 5  # (16 + 1) x 5
    steps = record.passes["train"]["steps"]
    images = record.passes["train"]["images_forward"]
    assert tally.total("article-2023", article_pass=record.config["article_pass"]) == F * (9 + images) + 2 * F * (
        3 + steps
    )


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_every_optimizer_runs(tmp_path, optimizer):
    rate = {"sgd": 0.5, "momentum": 0.1, "adam": 0.02}[optimizer]
    record = carry_out(small_dataset(tmp_path), small_config(optimizer=optimizer, learning_rate=rate, max_steps=200))
    assert record.reached
    assert f"{optimizer}_update" in record.counts["dense"]["train"]


def test_a_watched_run_keeps_the_network_of_its_stop(tmp_path):
    """The test set is read at the stop, not where the watching ends."""
    dataset = small_dataset(tmp_path)
    watched, stopped = (
        carry_out(dataset, small_config(stop_on="validation", evaluate=how, target=0.7)) for how in ("full", "decide")
    )
    assert watched.steps_to_target == stopped.steps_to_target < 60
    assert watched.test_accuracy_at_stop == stopped.test_accuracy_at_stop


def test_inputs_are_bytes_or_have_mean_0_and_deviation_1_over_all_training_pixels(tmp_path):
    dataset = small_dataset(tmp_path)
    raw = RunData(dataset, small_config(inputs="bytes")).images
    np.testing.assert_array_equal(raw[:N_TRAIN], dataset.train_pixels)
    images = RunData(dataset, small_config(inputs="standardised")).images
    assert (images.dtype, images.shape) == (np.float32, (N_TRAIN + N_TEST, N_PIXELS))
    assert images[:N_TRAIN].mean() == pytest.approx(0, abs=1e-6)
    assert images[:N_TRAIN].std() == pytest.approx(1, rel=1e-6)
    mean, deviation = dataset.train_pixels.mean(), dataset.train_pixels.std()
    np.testing.assert_allclose(images[N_TRAIN:], (dataset.test_pixels - mean) / deviation, rtol=1e-5, atol=1e-6)


def test_bytes_cost_no_scaling_and_standardising_costs_the_moments_and_an_addition_a_pixel_more(tmp_path):
    dataset = small_dataset(tmp_path)
    bills = {
        inputs: carry_out(dataset, small_config(inputs=inputs), arm="class-means").counts["dense"]
        for inputs in ("unit", "bytes", "standardised")
    }
    n_pixels = N_TRAIN * N_PIXELS  # averaging reads all of them
    made = {"class_sums", "divide_sums"}
    assert bills["unit"]["data"].keys() == {*made, "scale_pixels"}
    assert bills["bytes"]["data"].keys() == made
    assert "scale_pixels" not in bills["bytes"]["evaluate"]
    assert bills["standardised"]["data"].keys() == {*made, "scale_pixels", "pixel_moments"}
    assert bills["standardised"]["data"]["scale_pixels"] == {"add": n_pixels, "div": n_pixels}
    assert bills["standardised"]["data"]["pixel_moments"] == {"add": 2 * n_pixels, "fma": n_pixels, "div": 2, "sqrt": 1}
    assert bills["standardised"]["evaluate"]["scale_pixels"] == {"add": N_TEST * N_PIXELS, "div": N_TEST * N_PIXELS}


@pytest.mark.parametrize("inputs", ["bytes", "standardised"])
@pytest.mark.parametrize("arm", ["scratch", "class-means"])
def test_a_whole_curve_of_other_inputs_costs_what_its_closed_form_says(tmp_path, inputs, arm):
    record = carry_out(small_dataset(tmp_path), small_config(inputs=inputs, evaluate="full"), arm=arm)
    assert agrees_at_stop(record)
    assert spent_at_stop(record, "flop", ("data",)) == sum(
        (1 + (kind == "fma")) * n
        for kernel in record.counts["dense"].get("data", {}).values()
        for kind, n in kernel.items()
    )


@pytest.mark.parametrize(("inputs", "pixels"), [("bytes", np.float64), ("standardised", np.float32)])
def test_other_inputs_need_bytes(tmp_path, inputs, pixels):
    dataset = small_dataset(tmp_path)
    floats = replace(dataset, train_pixels=dataset.train_pixels.astype(pixels))
    with pytest.raises(DataError, match=f"--inputs {inputs}: needs images of bytes, found {np.dtype(pixels)}"):
        RunData(floats, small_config(inputs=inputs))


def test_pixels_that_are_all_alike_cannot_be_standardised(tmp_path):
    dataset = small_dataset(tmp_path)
    dataset.train_pixels[:] = 7
    with pytest.raises(DataError, match="--inputs standardised: all training pixels are 7"):
        RunData(dataset, small_config(inputs="standardised"))
