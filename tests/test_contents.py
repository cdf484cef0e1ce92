"""Contents: files of other formats are named by their first bytes."""

from __future__ import annotations

import gzip
import io
import lzma
import pickle
import random
import tarfile
import zipfile

import numpy as np
import pytest

from nnlite.contents import HEAD_SIZE, describe_content

FOREIGN = {
    "nothing": (b"", "an empty file"),
    "zeros": (bytes(600), "nothing but zero bytes"),
    "git-LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "run `git lfs pull`"),
    "page": (b"<!DOCTYPE html><title>404</title>", "server's error message (\"<!DOCTYPE"),
    "page in Latin-1": (b"\r\n<HTML><body>nicht verf\xfcgbar, gel\xf6scht", "an HTML or XML page"),
    "markup": (b"<Error><Code>AccessDenied</Code></Error>", "an HTML or XML page"),
    "JSON": (b'\xef\xbb\xbf\n {"error": "gone"}', 'JSON text, perhaps a server\'s error message ("{"error": "gone"}")'),
    "CSV": (b"label,1x1,1x2\r\n5,0,0\r\n0,12,0\r\n", "a table in text form"),
    "CSV of one long line": (b"5," + b"0," * 300, "a table in text form"),
    "tabs": (b"5\t0\t0\n1\t0\t0\n4\t0", "a table in text form"),
    "numbers": (b"  5.0 0.0\n -1e-3 2.0\n", "a table in text form"),
    "words": (b"404: Not Found", 'text, perhaps a server\'s error message ("404: Not Found")'),
    "words with commas": (b"sorry, gone, long ago\n", "text, perhaps"),
    "UTF-16": ("label,pixel".encode("utf-16"), "text in UTF-16"),
    "npy": (b"\x93NUMPY\x01\x00", "a NumPy .npy file"),
    "torch": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "a PyTorch file"),
    "pickle": (pickle.dumps([1], protocol=4), "a Python pickle"),
    "safetensors": ((72).to_bytes(8, "little") + b'{"w":{"dtype":"F32"', "a safetensors file"),
    "gzip": (gzip.compress(b"data"), "gzip"),
    "xz": (lzma.compress(b"data"), "xz"),
    "bzip2": (b"BZh91AY", "bzip2"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    "JPEG": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG picture"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "an HEIC photo, as iPhones take them; export it as JPEG"),
    "PDF": (b"%PDF-1.7\n", "a PDF document"),
    "Parquet": (b"PAR1\x15\x04", "a Parquet table"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB .mat file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\x00", "an HDF5 file"),
    "IDX": (bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), "an IDX file"),
    "IDX, little-endian": (bytes([3, 8, 0, 0, 96, 234, 0, 0]), "an IDX file in little-endian byte order"),
}


@pytest.mark.parametrize(("content", "words"), FOREIGN.values(), ids=FOREIGN)
def test_a_file_is_named_by_its_first_bytes(content, words):
    assert words in describe_content(content[:HEAD_SIZE])


def test_archives_are_told_apart_by_their_first_member():
    for member, words in {
        "weight0.npy": "a NumPy .npz file",
        "archive/data.pkl": "a PyTorch file",
        "[Content_Types].xml": "an office document",
        "train-images-idx3-ubyte": "a zip archive: unpack it first",
    }.items():
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr(member, b"content")
        assert describe_content(whole.getvalue()[:HEAD_SIZE]).startswith(words)
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert describe_content(empty.getvalue()) == "an empty zip archive"


def test_a_tar_archive_is_named():
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("train-images-idx3-ubyte"))
    assert describe_content(whole.getvalue()[:HEAD_SIZE]) == "a tar archive: unpack it first"


def test_noise_is_no_format():
    for content in (b"\x01\x00\x08\x01\x00", b"\xfe\xdc\xba\x98", np.float32([1.5, -2, 3]).tobytes()):
        assert describe_content(content) is None


def test_what_is_quoted_can_be_printed_on_one_line():
    """A page's control characters would otherwise reach the terminal; no head makes the naming fail."""
    quoted = describe_content(b"<html>\x1b[31m\x07red\r\n\x9b\xe2\x80\xaeback")
    assert quoted.isprintable()
    rng = random.Random(0)
    for _ in range(300):
        head = rng.randbytes(rng.randrange(40))
        for content in (head, b"<html>" + head, b"PK\x03\x04" + head, b"\xff\xfe" + head):
            found = describe_content(content)
            assert found is None or found.isprintable()
