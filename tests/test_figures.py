"""Pictures of studies invented here: what is drawn where, what is said beside it, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pictures import caption, dots, lines, matplotlib, texts_outside, title, words

from nnlite.datasets import Dataset
from nnlite.experiment.config import ConfigError, RunConfig
from nnlite.experiment.costs import WHOLE_BILL, cost_at_checks
from nnlite.experiment.figures import NoCurves, accuracy_figure, averages_figure, draw_all, phase1_figure
from nnlite.experiment.records import RunRecord

BLUE, VERMILION = "#0072B2", "#D55E00"
SHA256 = {"train-images-idx3-ubyte": "00"}
SIZES = {"n_features": 4, "n_classes": 3}


def scratch(seed=0, steps_to_target=4, corrects=(50, 80, 86, 90, 91, 92), **changes):
    """A run that paid 40 for data and 400 for training up to its stop."""
    steps = steps_to_target or len(corrects)
    return replace(
        RunRecord(
            arm="scratch",
            seed=seed,
            config=RunConfig(evaluate="full", max_steps=len(corrects)).to_record(4, 3),
            dataset={"name": "mnist", "sha256": SHA256, **SIZES},
            status="reached" if steps_to_target else "budget",
            reached=steps_to_target is not None,
            steps_to_target=steps_to_target,
            pretrain_epochs=0,
            accuracy_after_pretrain=None,
            accuracy_at_stop=corrects[steps - 1] / 100,
            passes={"train": {"steps": steps, "images_forward": 64 * steps, "images_backward": 64 * steps}},
            counts=counts(data={"scale_pixels": {"div": 40}}, train={"matmul_forward": {"fma": 200}}),
            checks=[[step, correct] for step, correct in enumerate(corrects, 1)],
            images_seen=[64 * step for step in range(1, len(corrects) + 1)],
            images_read=[min(10, 2 * step) for step in range(1, len(corrects) + 1)],
            n_checked=100,
        ),
        **changes,
    )


def pretrained(seed=0, **changes):
    """A run that paid 100 for data, 60 for pretraining and 200 for its two steps up to its stop."""
    run = scratch(seed, 2, (88, 91, 90, 92, 93, 94))
    phase1 = {"steps": 3, "images_forward": 30, "images_backward": 30}
    return replace(
        run,
        **{
            "arm": "class-means",
            "pretrain_epochs": 3,
            "accuracy_after_pretrain": 0.8,
            "pretrain_checks": [[0, 10, 1], [1, 40, 5], [2, 70, 9], [3, 80, 10]],
            "passes": {"pretrain": phase1, **run.passes},
            "counts": counts(
                data={"class_sums": {"add": 60}, "scale_pixels": {"div": 40}},
                pretrain={"matmul_forward": {"fma": 30}},
                train={"matmul_forward": {"fma": 100}},
            ),
            **changes,
        },
    )


def counts(**phases):
    return {"dense": phases, "executed": phases}


def dataset(n_classes=3, **changes):
    """Two images of 2 x 2 bytes a class; class 0 averages to 0, 51, 102, 153 over 255."""
    first = np.arange(4) * 51
    pixels = np.array([first, first, *np.full((2 * n_classes - 2, 4), 255)], np.uint8)
    labels = np.repeat(np.arange(n_classes), 2)
    fields = {"name": "mnist", "n_classes": n_classes, "image_shape": (2, 2), "sha256": SHA256, **changes}
    return Dataset(train_pixels=pixels, train_labels=labels, test_pixels=pixels, test_labels=labels, **fields)


def test_every_picture_is_written_whole_and_the_data_are_read_once(tmp_path):
    reads = []

    def load():
        reads.append(1)
        return dataset()

    folder = tmp_path / "new" / "folder"
    paths = draw_all(folder, [scratch(), pretrained()], load)
    assert paths == [folder / name for name in ("averages.png", "accuracy.png", "phase1.png")]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert len(reads) == 1
    without_pretraining = draw_all(tmp_path / "scratch", [scratch()], dataset)
    assert [path.name for path in without_pretraining] == ["averages.png", "accuracy.png"]


def test_records_without_checks_are_refused_before_anything_is_read_or_written(tmp_path):
    def load():
        raise AssertionError("read")

    with pytest.raises(NoCurves, match="these records hold no curves: run with --evaluate full"):
        draw_all(tmp_path / "new", [scratch(checks=[]), pretrained(checks=[])], load)
    assert not (tmp_path / "new").exists()


def test_averages_of_other_data_than_the_records_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="the records are of mnist; name its data with --dataset"):
        draw_all(tmp_path, [scratch()], lambda: dataset(sha256={"train-images-idx3-ubyte": "11"}))
    assert list(tmp_path.iterdir()) == []


def test_settings_of_the_user_are_neither_used_nor_changed(tmp_path):
    draw_all(tmp_path / "plain", [scratch(), pretrained()], dataset)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        draw_all(tmp_path / "odd", [scratch(), pretrained()], dataset)
        assert dict(matplotlib.rcParams) == before
    for name in ("averages.png", "accuracy.png", "phase1.png"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "odd" / name).read_bytes()


def test_averages_share_one_grey_scale_and_say_how_many_images():
    figure = averages_figure(dataset())
    shown = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(shown) == 3
    np.testing.assert_allclose(shown[0].get_array(), [[0, 0.2], [0.4, 0.6]], rtol=1e-6)
    assert {image.get_clim() for image in shown} == {(0.0, 1.0)}
    assert {"class 0 2 images", "class 2 2 images"} <= set(words(figure))
    assert any("left out of the averages" in text for text in words(averages_figure(dataset(), "validation")))
    assert texts_outside(figure) == []


def of_shape(*shape):
    """Two classes: the first's average rises from 0 to 255 over its values, the second's is 255."""
    n = int(np.prod(shape))
    pixels = np.array([np.linspace(0, 255, n).astype(np.uint8), np.full(n, 255)], np.uint8)
    labels = np.arange(2)
    return Dataset("mnist", pixels, labels, pixels, labels, 2, shape, SHA256)


def test_averages_of_rgb_images_are_drawn_in_colour_and_those_of_one_channel_in_grey():
    assert averages_figure(of_shape(4, 5, 1)).axes[0].images[0].get_array().shape == (4, 5)
    figure = averages_figure(of_shape(4, 5, 3))
    first, second = (axes.images[0].get_array() for axes in figure.axes[:2])
    assert first.shape == (4, 5, 3)
    assert np.all(second == 1)
    assert np.all(np.diff(np.ravel(first)) > 0)
    assert "One scale of all colours" in caption(figure)
    assert texts_outside(figure) == []


@pytest.mark.parametrize("shape", [(64,), (3, 4, 4), (2, 2, 2, 2), (4, 4, 4)])
def test_averages_of_what_is_no_image_are_lines_and_the_caption_says_why(shape):
    figure = averages_figure(of_shape(*shape))
    assert not figure.axes[0].images
    (line,) = figure.axes[0].lines
    assert len(line.get_ydata()) == np.prod(shape)
    assert f"They are no images, so their {np.prod(shape)} values are drawn" in caption(figure)
    assert texts_outside(figure) == []


def test_averages_of_very_many_classes_are_cut_and_say_so():
    figure = averages_figure(dataset(n_classes=60))
    assert sum(bool(axes.images) for axes in figure.axes) == 50
    assert "MNIST: class averages 0 to 49 of 60" in words(figure)


def test_a_caption_names_no_saving_where_none_was_measured():
    missed = [replace(run, reached=False, status="budget", steps_to_target=None) for run in (scratch(), pretrained())]
    told = caption(accuracy_figure(missed))
    assert "No run of 1 pair reached the target: nothing was measured." in told
    assert "saved" not in told
    one = caption(accuracy_figure([scratch(), missed[1]]))
    assert "In 1 of 1 pair only from scratch got there: nothing was saved (too few pairs" in one


def test_operations_are_what_the_run_had_spent_at_each_check_without_evaluation():
    (mean,) = lines(accuracy_figure([scratch()]).axes[1], BLUE, 2.2)
    spent = cost_at_checks(scratch(), "flop", WHOLE_BILL) / 1e9
    np.testing.assert_allclose(mean.get_xdata(), spent)
    assert spent[-1] < cost_at_checks(scratch(), "flop", (*WHOLE_BILL, "evaluate"))[-1] / 1e9


def test_strong_line_is_the_mean_and_the_band_the_range():
    records = [scratch(0), scratch(1, corrects=(60, 84, 88, 90, 93, 96))]
    axes = accuracy_figure(records).axes[0]
    (mean,) = lines(axes, BLUE, 2.2)
    np.testing.assert_allclose(mean.get_ydata(), [0.55, 0.82, 0.87, 0.90, 0.92, 0.94])
    assert len(lines(axes, BLUE, 0.6)) == 2
    edges = axes.collections[0].get_paths()[0].vertices
    assert sorted({round(y, 2) for x, y in edges.tolist() if x == 1}) == [0.50, 0.60]


def test_from_twenty_runs_on_the_band_leaves_out_a_tenth_at_each_end():
    # First checks 50, 51, ... 70: a tenth of 20 intervals in from each end, 52 and 68.
    records = [scratch(seed, corrects=(50 + seed, 80, 86, 90, 91, 92)) for seed in range(21)]
    figure = accuracy_figure(records)
    edges = figure.axes[0].collections[0].get_paths()[0].vertices
    assert sorted({round(y, 2) for x, y in edges.tolist() if x == 1}) == [0.52, 0.68]
    assert any("10% to 90% of the runs" in text for text in words(figure))


def test_dots_mark_the_median_cost_of_each_arm_on_the_target():
    records = [
        *(scratch(seed, stop) for seed, stop in enumerate((6, 3, 4))),
        *(pretrained(seed) for seed in range(3)),
    ]
    figure = accuracy_figure(records)
    by_steps, by_operations = figure.axes
    assert dots(by_steps) == {BLUE: [4, 0.9], VERMILION: [2, 0.9]}
    # Every scratch run is billed 440 at its own stop, every pretrained one 360.
    assert dots(by_operations) == {BLUE: [440e-9, 0.9], VERMILION: [360e-9, 0.9]}
    assert {"scratch median: step 4", "class-means median: step 2"} <= set(words(figure))
    assert title(figure) == "MNIST to 90%: 4 steps from scratch, 2 after pretraining on class averages"


def test_the_caption_says_what_the_median_pair_saved_and_how_sure_that_is():
    # 1 - 360 / 440 = 2/11 in each of six pairs.
    records = [run(seed) for seed in range(6) for run in (scratch, pretrained)]
    expected = "The median pair saved 18.2% (95% interval 18.2% to 18.2%; 6 pairs) of these operations."
    assert caption(accuracy_figure(records)).endswith(expected)


def test_an_arm_whose_median_run_misses_has_no_dot_and_says_so():
    misses = [scratch(seed, None) for seed in (0, 1)]
    figure = accuracy_figure([*misses, scratch(2), *(pretrained(seed) for seed in range(3))])
    assert dots(figure.axes[0]) == {VERMILION: [2, 0.9]}
    assert words(figure).count("scratch the median run misses") == 2
    assert title(figure) == "MNIST: what it costs to reach 90%"


def test_a_diverged_run_is_drawn_but_is_in_no_mean():
    diverged = scratch(1, None, (40, 10), status="diverged", accuracy_at_stop=None)
    figure = accuracy_figure([scratch(0), diverged])
    (mean,) = lines(figure.axes[0], BLUE, 2.2)
    np.testing.assert_allclose(mean.get_ydata(), [0.50, 0.80, 0.86, 0.90, 0.91, 0.92])
    assert len(lines(figure.axes[0], BLUE, 0.6)) == 2
    assert any("Diverged, in no mean or band: 1." in text for text in words(figure))
    assert texts_outside(accuracy_figure([diverged, replace(diverged, seed=0)])) == []
    assert texts_outside(accuracy_figure([scratch(0, None), pretrained(0, reached=False, steps_to_target=None)])) == []


def test_phase_1_shows_shares_of_the_images_that_stop_the_run_and_of_the_averages():
    figure = phase1_figure([scratch(), pretrained()])
    own, checked = lines(figure.axes[0], VERMILION, 2.2)
    # 30 images forward in 3 epochs: 10 averages.
    np.testing.assert_allclose(own.get_ydata(), [0.1, 0.5, 0.9, 1.0])
    np.testing.assert_allclose(checked.get_ydata(), [0.1, 0.4, 0.7, 0.8])
    assert "on 100 test images: 80.0% at the end" in words(figure)
    assert "the article: about 80% after 28 epochs" in words(figure)
    fashion = pretrained(dataset={"name": "fashion-mnist", "sha256": SHA256, **SIZES})
    assert not any("article" in text for text in words(phase1_figure([fashion])))
    assert texts_outside(figure) == []


def test_phase_1_marks_the_epoch_at_which_the_mean_accuracy_is_best_unless_that_is_the_last():
    rising, falling = pretrained(), pretrained(pretrain_checks=[[0, 10, 1], [1, 70, 5], [2, 80, 9], [3, 60, 10]])
    start = "MNIST, phase 1 alone: training on 10 class averages gets 80.0% of the test images right"
    assert title(phase1_figure([rising])) == f"{start} in 3 epochs"
    assert dots(phase1_figure([rising]).axes[0]) == {}
    assert title(phase1_figure([falling])) == f"{start} at its best, after 2 epochs"
    assert dots(phase1_figure([falling]).axes[0]) == {VERMILION: [2, 0.8]}
    assert "best: 80.0%, epoch 2" in words(phase1_figure([falling]))


def test_the_article_stands_beside_its_point_where_phase_1_went_on_for_long():
    long = pretrained(pretrain_epochs=200, pretrain_checks=[[epoch, 80, 10] for epoch in range(201)])
    phase1 = {**long.passes, "pretrain": {"steps": 200, "images_forward": 2000, "images_backward": 2000}}
    figure = phase1_figure([replace(long, passes=phase1)])
    (note,) = [text for text in figure.axes[0].texts if text.get_text().startswith("the article")]
    assert note.arrow_patch is None
    assert texts_outside(figure) == []


def test_the_mean_of_phase_1_ends_where_the_first_run_ends():
    short = pretrained(1, pretrain_epochs=2, pretrain_checks=[[0, 20, 1], [1, 60, 5], [2, 90, 9]])
    phase1 = {**short.passes, "pretrain": {"steps": 2, "images_forward": 20, "images_backward": 20}}
    figure = phase1_figure([pretrained(0), replace(short, passes=phase1)])
    _, checked = lines(figure.axes[0], VERMILION, 2.2)
    np.testing.assert_allclose(checked.get_ydata(), [0.15, 0.5, 0.8])


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "a folder of my own " * 5])
def test_no_text_leaves_the_picture(name):
    of = {"name": name, "sha256": SHA256, **SIZES}
    runs = [*(scratch(seed, dataset=of) for seed in range(3)), *(pretrained(seed, dataset=of) for seed in range(3))]
    assert texts_outside(accuracy_figure(runs)) == []
    assert texts_outside(phase1_figure(runs)) == []
    assert texts_outside(averages_figure(dataset(name=name))) == []


@pytest.mark.parametrize("corrects", [(90,) * 6, (78, 82, 86, 90, 91, 92), (20, 40, 60, 90, 91, 92)])
def test_labels_of_the_accuracy_axis_are_its_exact_values(corrects):
    axes = accuracy_figure([scratch(corrects=corrects)]).axes[0]
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    labels = axes.yaxis.get_major_formatter().format_ticks(ticks)
    assert len(labels) >= 3
    np.testing.assert_allclose([float(label.removesuffix("%")) / 100 for label in labels], ticks, atol=1e-9)


@pytest.mark.parametrize("module", ["nnlite.experiment.figures", "nnlite.study.figures"])
def test_importing_a_module_of_pictures_needs_no_matplotlib(module):
    program = f"import sys; sys.modules['matplotlib'] = None; import {module}"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
