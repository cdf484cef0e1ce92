"""Downloading: only sound files reach their place, every mirror's failure is told, nothing leaves https."""

from __future__ import annotations

import gzip
import io
import os
import threading
import urllib.error
import urllib.request
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from nnlite.datasets import load_dataset
from nnlite.download import MIRRORS, DownloadError, HttpsOnly, download, main
from nnlite.idx import idx_sha256, write_idx
from nnlite.places import KNOWN_SETS, STEMS

FIRST, SECOND = MIRRORS["mnist"]


@pytest.fixture
def bodies(tmp_path, monkeypatch):
    """Pin the hashes of a small set as MNIST's and return its files by name."""
    arrays = [np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.array([0, 1, 0], np.uint8)]
    arrays += [255 - arrays[0], 1 - arrays[1]]
    monkeypatch.setitem(KNOWN_SETS, "mnist", dict(zip(STEMS, map(idx_sha256, arrays), strict=True)))
    files = {}
    for stem, array in zip(STEMS, arrays, strict=True):
        write_idx(tmp_path / "file.gz", array)
        files[f"{stem}.gz"] = (tmp_path / "file.gz").read_bytes()
    return files


class Mirrors:
    """Stand in for the network: a table of URL to body or exception, and a record of what was asked."""

    def __init__(self, table: dict[str, object]) -> None:
        self.table, self.asked = table, []

    def open(self, fullurl, data=None, timeout=None):
        assert timeout is not None
        self.asked.append(fullurl)
        answer = self.table.get(fullurl, urllib.error.URLError("no route to host"))
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)


def serving(mirror: str, bodies: dict[str, bytes]) -> dict[str, object]:
    """Return the table of a mirror that has everything."""
    return {mirror + name: body for name, body in bodies.items()}


def test_all_mirrors_are_https():
    assert set(MIRRORS) == set(KNOWN_SETS)
    assert all(mirror.startswith("https://") and mirror.endswith("/") for pair in MIRRORS.values() for mirror in pair)
    assert all(len(pair) > 1 for pair in MIRRORS.values())


def test_downloaded_set_loads_nothing_else_is_left_and_sound_files_are_not_asked_for_again(bodies, tmp_path, capsys):
    assert main(["mnist", "--to", str(tmp_path / "to")], Mirrors(serving(FIRST, bodies))) == 0
    assert sorted(os.listdir(tmp_path / "to/mnist")) == sorted(bodies)
    assert len(load_dataset("mnist", data_dir=tmp_path / "to").train_labels) == 3
    assert "4 files, verified" in capsys.readouterr().out
    network = Mirrors({})
    assert len(download("mnist", tmp_path / "to/mnist", network)) == 4
    assert network.asked == []


def test_default_is_the_users_cache_folder_and_a_tilde_the_home(bodies, tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("nnlite.download.user_cache", lambda: tmp_path / "cache")
    for arguments, folder in (([], "cache/data"), (["--to", "~/sets"], "sets")):
        assert main(["mnist", *arguments], Mirrors(serving(FIRST, bodies))) == 0
        assert (tmp_path / folder / "mnist" / f"{STEMS[0]}.gz").is_file()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        *[
            (["mnist", "--mirror", address], 2, "a mirror's address begins with https://")
            for address in (
                "http://a.example/",
                "ftp://a/",
                "file:///mnist/",
                "https://",
                "",
                "srv",
                "https://a/\x1b[2J",
            )
        ],
        (["mnist", "--to", ""], 2, "--to: an empty path"),
        (["mnist", "--to", __file__], 1, __file__),  # a folder that cannot be made
        (["imagenet"], 2, "imagenet: unknown"),
        (["mnits"], 2, "nnlite-data: error: mnits: unknown; did you mean mnist?"),
    ],
)
def test_a_mistake_of_the_users_is_named_without_a_request(arguments, status, words, capsys):
    network = Mirrors({})
    assert main(arguments, network) == status
    text = capsys.readouterr().err
    assert words in text
    assert "\x1b" not in text
    assert network.asked == []


def test_second_mirror_is_asked_when_the_first_fails_or_serves_a_cut_file(bodies, tmp_path):
    names = [f"{stem}.gz" for stem in STEMS]  # the first is not asked again where the second answers
    for folder, first in (("none", {}), ("cut", {FIRST + names[0]: bodies[names[0]][:-1]})):
        network = Mirrors(first | serving(SECOND, bodies))
        download("mnist", tmp_path / folder, network)
        assert network.asked == [FIRST + names[0], *(SECOND + name for name in names)]
        assert (tmp_path / folder / names[0]).read_bytes() == bodies[names[0]]


def test_a_mirror_that_stalled_is_asked_again_only_after_the_others(bodies, tmp_path):
    table = serving(SECOND, bodies) | {FIRST + name: TimeoutError("timed out") for name in bodies}
    table[SECOND + f"{STEMS[1]}.gz"] = b"<html>gone</html>"
    network = Mirrors(table)
    with pytest.raises(DownloadError, match="timed out"):
        download("mnist", tmp_path, network)
    assert [url.startswith(FIRST) for url in network.asked] == [True, False, False, True]


def test_mirrors_of_ones_own_take_the_place_of_the_known_ones(bodies, tmp_path):
    own = ["https://a.example/mnist", "https://b.example/"]
    network = Mirrors(serving("https://b.example/", bodies))
    arguments = ["mnist", "--to", str(tmp_path), "--mirror", own[0], "--mirror", own[1]]
    assert main(arguments, network) == 0
    assert network.asked[:2] == [f"https://a.example/mnist/{STEMS[0]}.gz", f"https://b.example/{STEMS[0]}.gz"]
    assert len(network.asked) == 5


def test_control_characters_of_a_server_are_never_printed(bodies, tmp_path, capsys):
    evil = urllib.error.HTTPError(FIRST, 404, "gone\x1b]0;owned\x07\x1b[2J\u202e\r\n", Message(), io.BytesIO())
    name = f"{STEMS[0]}.gz"
    table = {FIRST + name: evil, SECOND + name: b"<html>\x1b[31mmoved</html>" + bytes(range(32))}
    assert main(["mnist", "--to", str(tmp_path)], Mirrors(table)) == 3
    text = capsys.readouterr().err
    assert "gone" in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_an_unknown_set_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"imagenet: unknown data set \(known: mnist"):
        download("imagenet", tmp_path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>moved</html>", "HTML"),
        (b"", "empty"),
        (gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 0])), "SHA-256"),
        (TimeoutError("timed out"), "timed out"),
        (urllib.error.URLError("certificate verify failed"), "certificate verify failed"),
    ],
)
def test_unsound_body_never_reaches_its_place_and_every_cause_is_told(body, words, bodies, tmp_path, capsys):
    name = f"{STEMS[0]}.gz"
    table = serving(FIRST, bodies) | {FIRST + name: body, SECOND + name: body}
    assert main(["mnist", "--to", str(tmp_path / "to")], Mirrors(table)) == 3
    assert os.listdir(tmp_path / "to/mnist") == []
    text = capsys.readouterr().err
    assert text.count(words) >= 2
    assert FIRST + name in text
    assert SECOND + name in text
    assert f"copy it to {tmp_path / 'to/mnist' / name}" in text


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_damaged_file_is_replaced_but_only_by_a_sound_one(ending, bodies, tmp_path):
    damaged = tmp_path / f"{STEMS[0]}{ending}"
    damaged.write_bytes(b"damaged")
    with pytest.raises(DownloadError):
        download("mnist", tmp_path, Mirrors({}))
    assert damaged.read_bytes() == b"damaged"
    download("mnist", tmp_path, Mirrors(serving(FIRST, bodies)))
    assert len(load_dataset("mnist", data_dir=tmp_path).train_labels) == 3


def test_full_disk_names_path_and_bytes_and_asks_no_other_mirror(bodies, tmp_path, monkeypatch, capsys):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    network = Mirrors(serving(FIRST, bodies))
    assert main(["mnist", "--to", str(tmp_path)], network) == 1
    name = f"{STEMS[0]}.gz"
    text = capsys.readouterr().err
    assert f"{tmp_path / 'mnist' / name}: No space left on device, while writing {len(bodies[name])} bytes" in text
    assert len(network.asked) == 1
    assert os.listdir(tmp_path / "mnist") == []


@pytest.mark.parametrize(("limit", "words"), [("SIZE_LIMIT", "more than 0 bytes"), ("FILE_LIMIT", "bytes came in 0 s")])
def test_body_beyond_the_limits_of_size_or_time_is_given_up(limit, words, bodies, tmp_path, monkeypatch):
    monkeypatch.setattr(f"nnlite.download.{limit}", 0)
    monkeypatch.setattr("time.monotonic", iter(range(100)).__next__)
    with pytest.raises(DownloadError, match=words):
        download("mnist", tmp_path, Mirrors(serving(FIRST, bodies)))


def test_only_old_temporary_files_are_swept(bodies, tmp_path):
    old, young = tmp_path / ".nnlite-0.tmp", tmp_path / ".nnlite-1.tmp"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    download("mnist", tmp_path, Mirrors(serving(FIRST, bodies)))
    assert not old.exists()
    assert young.exists()


def test_two_downloads_at_once_both_succeed(bodies, tmp_path):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(download("mnist", tmp_path, Mirrors(serving(FIRST, bodies)))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert sorted(os.listdir(tmp_path)) == sorted([*bodies, "file.gz"])


@pytest.mark.parametrize("address", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd"])
def test_redirect_away_from_https_is_refused_and_within_it_followed(address):
    request = urllib.request.Request("https://example.org/a")
    moved = io.BytesIO(), 302, "Found", Message()
    with pytest.raises(urllib.error.HTTPError, match="refused to leave https"):
        HttpsOnly().redirect_request(request, *moved, address)
    assert HttpsOnly().redirect_request(request, *moved, "https://a.example/b").full_url == "https://a.example/b"


def test_real_opener_against_a_loopback_server(bodies, tmp_path, monkeypatch):
    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/moved/"):
                self.send_response(302)
                self.send_header("Location", self.path.replace("/moved/", "/good/"))
                self.end_headers()
                return
            body = bodies[self.path.removeprefix("/good/")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        mirrors = (f"{address}/moved/", f"{address}/good")
        # A redirect over plain http is refused even here, so the first mirror fails and the second serves.
        assert len(download("mnist", tmp_path / "to", mirrors=mirrors)) == 4
        server.shutdown()


def test_interruption_is_130(bodies, tmp_path, capsys):
    class Interrupted:
        def open(self, fullurl, data=None, timeout=None):
            raise KeyboardInterrupt

    assert main(["mnist", "--to", str(tmp_path)], Interrupted()) == 130
    assert "interrupted" in capsys.readouterr().err
