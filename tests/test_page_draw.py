"""The page to draw on, in a real Chromium, held against Python: bytes, logits, operations; strokes of all pointers."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from browser import chromium

import nnlite
from nnlite import commands, compiled
from nnlite.digits.network import train_network
from nnlite.digits.pictures import as_inputs
from nnlite.digits.prepare import prepare
from nnlite.kernels.ops import DENSE, EXECUTED, KINDS
from nnlite.page.document import document
from nnlite.page.draw import drawing_part
from nnlite.training import count_scaling, evaluate

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

N_IMAGES = 200
LOGITS_APART = 2e-5  # JavaScript adds in float64, nnlite in float32


@pytest.fixture(scope="module")
def data():
    return nnlite.load_dataset("mnist")


@pytest.fixture(scope="module")
def mlp(data):
    return train_network(data, n_epochs=1)[0]


@pytest.fixture(scope="module")
def path(tmp_path_factory, mlp, data):
    path = tmp_path_factory.mktemp("page") / "digits.html"
    path.write_text(document("a page", [drawing_part(mlp, data)]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        browser.set_window_size(1000, 900)
        yield browser


@pytest.fixture
def page(opened, path):
    opened.get(path.as_uri())
    return opened


@pytest.fixture(scope="module")
def images(data):
    return data.test_pixels[:N_IMAGES].reshape(-1, 28, 28)


def in_javascript(page, pictures):
    """What the page makes of pictures: the prepared bytes, the logits, the rows of operations."""
    script = """return arguments[0].map((rows) => {
        const image = prepare(Float64Array.from(rows.flat()), rows.length, rows[0].length);
        return [Array.from(image), Array.from(forward(image).pop()), count(image)];
    });"""
    return page.execute_script(script, [np.asarray(picture).tolist() for picture in pictures])


def test_200_test_images_are_prepared_to_the_same_bytes_and_read_alike(page, images, mlp):
    found = in_javascript(page, images)
    prepared = np.array([prepare(image) for image in images])
    assert np.array_equal([image for image, _, _ in found], prepared.reshape(N_IMAGES, -1))
    logits = np.array([logits for _, logits, _ in found])
    assert np.abs(logits - mlp.forward(as_inputs(prepared))).max() < LOGITS_APART
    assert np.array_equal(logits.argmax(axis=1), mlp.predict(as_inputs(prepared)))


def test_pictures_of_other_sizes_greys_and_paper_are_prepared_to_the_same_bytes(page, images):
    rng = np.random.default_rng(5)
    pictures = []
    for image in images[:60]:
        n_rows, n_columns = rng.integers(20, 90, 2)
        rows, columns = (np.sort(rng.integers(0, 28, n)) for n in (n_rows, n_columns))
        picture = rng.uniform(0.2, 3) * np.pad(image[rows][:, columns], 3) + rng.uniform(-99, 99)
        pictures.append(picture if rng.random() < 0.5 else -picture)
    found = in_javascript(page, pictures)
    assert np.array_equal([image for image, _, _ in found], [prepare(picture).ravel() for picture in pictures])


def operations(counters, row):
    """The operations of a kernel's counters: a multiply-add is two."""
    return int(counters[row].sum() + counters[row, KINDS.index("fma")])


def by_kernels(mlp, image):
    """The rows of the page's table as nnlite's own kernels count them, for this image alone; a network a layer."""
    rows, label, tally = (
        compiled.as_rows([image.reshape(1, -1)], np.zeros((2, len(KINDS)), np.int64)),
        np.zeros(1, int),
        nnlite.Tally(),
    )
    count_scaling(rows, np.arange(1), tally.kernel("scale_pixels"))
    evaluate(mlp, rows, label, tally, "train")
    first = nnlite.MLP((784, mlp.layer_sizes[1]), np.random.default_rng(0))
    of_first = nnlite.Tally()
    evaluate(first, rows, label, of_first, "train")
    products = tally.kernel("matmul_forward")
    first_product = of_first.kernel("matmul_forward")
    counted = [tally.kernel("scale_pixels"), first_product, tally.kernel("relu_forward"), products - first_product]
    counted.append(tally.kernel("argmax"))
    return [(operations(c, DENSE), operations(c, EXECUTED)) for c in [*counted, sum(counted)]]


def test_the_meter_equals_the_kernels_counts_layer_by_layer_for_200_images(page, images, mlp):
    for image, (_, _, rows) in zip(images, in_javascript(page, images), strict=True):
        assert [(row["formula"], row["executed"]) for row in rows] == by_kernels(mlp, prepare(image))


SEVEN = [(70, 60), (200, 60), (120, 230)]


def stroke(page, points, kind="mouse"):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    actions = ActionChains(page, devices=[PointerInput(kind, kind)], duration=20)
    pointer, canvas = actions.w3c_actions.pointer_action, page.find_element("id", "drawing")
    for k, (x, y) in enumerate(points):
        pointer.move_to(canvas, x - 140, y - 140)  # from its middle
        if k == 0:
            pointer.pointer_down()
    pointer.pointer_up()
    actions.perform()


def text(page, name):
    return page.find_element("id", name).text


@pytest.mark.parametrize("kind", ["mouse", "pen", "touch"])
def test_a_stroke_of_any_pointer_is_read_as_python_reads_the_drawing(page, mlp, kind):
    stroke(page, SEVEN, kind)
    greys = np.array(page.execute_script("return Array.from(readDrawing())")).reshape(280, 280)
    assert 0 < np.mean(greys > 0) < 0.2
    image = prepare(greys)
    script = "return Array.from(element('seen').getContext('2d').getImageData(0, 0, 28, 28).data)"
    seen = page.execute_script(script)[::4]  # the reds
    assert np.array_equal(seen, image.ravel())
    probabilities = mlp.predict_proba(as_inputs(image[None]))[0]
    digit = int(probabilities.argmax())
    assert f"It is a {digit}, says the network: {100 * float(probabilities[digit]):.1f}%." == text(page, "answer")
    shown = re.findall(r"^\d (\d+\.\d)%$", text(page, "probabilities"), re.MULTILINE)
    assert np.abs(np.array(shown, float) - 100 * probabilities).max() < 0.06
    _, executed = by_kernels(mlp, image)[-1]
    assert f"{executed:,}" in text(page, "operations").splitlines()[-1]
    hidden = as_inputs(image[None]) @ mlp.weights[0] + mlp.biases[0]
    assert f"{int((hidden > 0).sum())} of 128 hidden units fire." == text(page, "firing")
    assert f"{np.count_nonzero(image)} of 784 pixels have ink." == text(page, "ink")


def test_undo_takes_back_a_stroke_and_what_was_cleared(page):
    empty = text(page, "answer")
    stroke(page, SEVEN)
    one = text(page, "probabilities")
    stroke(page, [(90, 150), (190, 150)])
    assert text(page, "probabilities") != one
    page.find_element("id", "undo").click()
    assert text(page, "probabilities") == one
    page.find_element("id", "clear").click()
    assert text(page, "answer") == empty
    page.find_element("id", "undo").click()
    assert text(page, "probabilities") == one
    for _ in range(3):
        page.find_element("id", "undo").click()  # more often than there is something to undo
    assert text(page, "answer") == empty


def test_a_screen_reader_is_told_once_a_stroke_is_over_and_not_at_every_move(page):
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find_element("id", "drawing")
    told = "return element('announced').textContent"
    ActionChains(page).move_to_element_with_offset(canvas, 0, -90).click_and_hold().move_by_offset(0, 90).perform()
    assert text(page, "answer").startswith("It is a ")
    assert page.execute_script(told) == ""
    ActionChains(page).release().perform()
    assert page.execute_script(told) == text(page, "answer")


def test_a_stroke_may_leave_the_drawing_come_back_and_end_outside(page):
    stroke(page, [(140, 140), (140, 300), (200, 300), (200, 140), (330, 140)])
    (points,) = page.execute_script("return states.at(-1)")
    assert np.abs(np.max(points, axis=0) - [330, 300]).max() < 1
    assert page.execute_script("return drawing") is None
    stroke(page, [(40, 40), (40, 90)])
    assert page.execute_script("return states.at(-1).length") == 2


def test_a_second_finger_draws_nothing_and_undo_while_drawing_breaks_nothing(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    canvas = page.find_element("id", "drawing")
    both = ActionBuilder(page, mouse=PointerInput("touch", "one"), duration=20)
    first, second = both.pointer_action, both.add_pointer_input("touch", "two")
    first.move_to(canvas, -50, -50).pointer_down().move_to(canvas, -50, 50).pointer_up()
    second.create_pointer_move(x=50, y=-50, origin=canvas)
    second.create_pause(0.02)
    second.create_pointer_down(button=0)
    second.create_pointer_up(0)
    both.perform()
    (points,) = page.execute_script("return states.at(-1)")
    assert {round(x) for x, _ in points} == {90}
    ActionChains(page).move_to_element(canvas).click_and_hold().perform()
    page.execute_script("undo(); undo();")
    ActionChains(page).move_by_offset(0, 40).release().perform()
    assert text(page, "answer") == "Draw a digit, as large as you like."
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_drawing_that_is_shown_smaller_has_its_points_where_the_pointer_is(page):
    page.execute_script("element('drawing').style.width = '142px'")  # half of it, within its border
    stroke(page, [(100, 120), (160, 180)])
    ((first, *_, last),) = page.execute_script("return states.at(-1)")
    # 40 left of its middle and 20 above it are 80 and 40 of the drawing's own pixels
    assert np.abs(np.array([first, last]) - [[60, 100], [180, 220]]).max() < 1


def test_a_finger_does_not_scroll_the_page(page):
    page.set_window_size(500, 400)
    try:
        page.execute_script("element('drawing').scrollIntoView()")
        before = page.execute_script("return window.scrollY")
        stroke(page, [(140, 250), (140, 120), (140, 20)], "touch")
        assert page.execute_script("return window.scrollY") == before
        assert page.find_element("id", "drawing").value_of_css_property("touch-action") == "none"
    finally:
        page.set_window_size(1000, 900)


def test_the_keyboard_alone_reaches_an_example(page, data, mlp):
    from selenium.webdriver.common.keys import Keys

    for _ in range(12):
        page.switch_to.active_element.send_keys(Keys.TAB)
        if page.switch_to.active_element.text == "4":
            break
    page.switch_to.active_element.send_keys(Keys.ENTER)
    image = prepare(data.test_pixels[np.argmax(data.test_labels == 4)].reshape(28, 28))
    assert text(page, "answer").startswith(f"It is a {int(mlp.predict(as_inputs(image[None]))[0])}, ")


def test_the_page_is_small_asks_for_nothing_and_has_no_errors(page, path):
    assert path.stat().st_size < 1_000_000
    stroke(page, SEVEN)
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    sent = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = {m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"}
    assert {url for url in urls if url.startswith(("http", "ws"))} == set()
    assert path.as_uri() in urls


def test_the_command_writes_the_page_and_opens_it(tmp_path, monkeypatch, capsys, data):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    nnlite.save(tmp_path / "digits.npz", nnlite.MLP((784, 4, 10), np.random.default_rng(0)))
    options = ["--network", str(tmp_path / "digits.npz"), "--out", str(tmp_path / "digits.html")]
    monkeypatch.setattr(sys, "argv", ["nnlite", "draw", *options])
    assert commands.nnlite() == 0
    assert opened == [(tmp_path / "digits.html").as_uri()]
    assert "https" not in re.sub('"(weight|bias|examples)": "[^"]*"', "", (tmp_path / "digits.html").read_text("utf-8"))
    nnlite.save(tmp_path / "digits.npz", nnlite.MLP((784, 4, 10), np.random.default_rng(0), activation="tanh"))
    assert commands.nnlite() == 2
    assert "the page computes relu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("no/digits.html", "no/digits.html: there is no folder"),
        ("", "an empty path"),
        (".", "a directory"),
        (__file__, "holds something else"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_a_network_is_trained(out, words, monkeypatch, capsys):
    monkeypatch.setattr("nnlite.digits.options.load_dataset", lambda *of: pytest.fail("data were read"))
    monkeypatch.setattr(sys, "argv", ["nnlite", "draw", "--out", out])
    assert commands.nnlite() == 2
    err = capsys.readouterr().err
    assert err.startswith("nnlite draw: ")
    assert words in err


def test_the_program_is_read_in_one_sitting():
    from nnlite.page.document import HERE

    assert len((HERE / "draw.js").read_text("utf-8").splitlines()) < 300
