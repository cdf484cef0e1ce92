"""Name what a file is by its first bytes, for the message of a reader that expected another.

`idx` and `mlp_files` ask here when a file is not theirs: a download that ended in a web page, a pointer in place of
the data, an array in another library's format. It opens nothing, and decides nothing: a file of the expected format
never comes here.
"""

from __future__ import annotations

import re

from .files import GZIP_MAGIC, XZ_MAGIC

HEAD_SIZE = 512
"""As many first bytes as the formats below are told by; a tar archive says its name at byte 257."""

_SIGNATURES = {
    b"\x93NUMPY": "a NumPy .npy file; numpy.load reads it",
    b"PK\x05\x06": "an empty zip archive",
    GZIP_MAGIC: "gzip data: decompress it first",
    XZ_MAGIC: "xz data: decompress it first",
    b"BZh": "bzip2 data: decompress it first",
    b"\x28\xb5\x2f\xfd": "zstd data: decompress it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!\x1a\x07": "a rar archive: unpack it first",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet table; pandas.read_parquet reads it",
    b"ARROW1": "an Arrow table; pandas.read_feather reads it",
    b"MATLAB ": "a MATLAB .mat file; scipy.io.loadmat reads it, or h5py from version 7.3 on",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file (Keras, h5py); h5py reads it",
    b"SQLite format 3\0": "an SQLite database",
    b"GGUF": "a GGUF model",
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19": "a PyTorch file (.pt, .pth); torch.load reads it",
}
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<script")
_IDX_TYPES = b"\x08\x09\x0b\x0c\x0d\x0e"


def describe_content(head: bytes) -> str | None:
    """Say what a file is, and what to do with it where that is known.

    Parameters
    ----------
    head : bytes
        Its first HEAD_SIZE bytes, or all of a shorter file.

    Returns
    -------
    str or None
        In words that end "this is ..."; None where the bytes tell nothing: noise, damage or a format not known here.

    Examples
    --------
    >>> describe_content(b"\\x89PNG\\r\\n\\x1a\\n")
    'a PNG picture'
    >>> describe_content(b"version https://git-lfs.github.com/spec/v1\\noid sha256:4d7a\\n")
    'a git-LFS pointer, not the data itself: run `git lfs pull` where it was cloned'
    """
    if not head:
        return "an empty file; fetch it again"
    if not head.strip(b"\0"):
        return "nothing but zero bytes, a copy that was never filled; fetch it again"
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            return what
    if head.startswith(b"PK\x03\x04"):
        return _describe_zip(head)
    if head[4:8] == b"ftyp" and b"avif" in head[8:32]:
        return "an AVIF picture; export it as PNG or JPEG"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1"):
        return "an HEIC photo, as iPhones take them; export it as JPEG"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle, which can run anything when it is read; only its maker's program should read it"
    if head[3:9] == b"\0\0\0\0\0{":  # the length of what follows, 64 bits, little-endian, below 2**24
        return "a safetensors file; safetensors.numpy.load_file reads it"
    if len(head) >= 4 and head[:2] == b"\0\0" and head[2] in _IDX_TYPES:
        return "an IDX file; nnlite.read_idx reads it"
    if head[2:4] == b"\0\0" and head[1] in _IDX_TYPES and 0 < head[0] <= 64:
        return "an IDX file in little-endian byte order, where IDX is big-endian; write it anew with nnlite.write_idx"
    return _describe_text(head)


def _describe_zip(head: bytes) -> str:
    """Tell archives apart by the name of the first member, which the first bytes hold."""
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if name.endswith(b".npy"):
        return "a NumPy .npz file; numpy.load reads it"
    if name.endswith(b"/data.pkl"):
        return "a PyTorch file (.pt, .pth); torch.load reads it"
    if name == b"[Content_Types].xml":
        return "an office document"
    return "a zip archive: unpack it first"


def _describe_text(head: bytes) -> str | None:
    """Tell kinds of text apart and quote its beginning; None where it is no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and head.count(0) > len(head) // 4:
        return "text in UTF-16"
    text = head.decode("utf-8-sig", "replace")
    shown = "".join(letter if letter.isprintable() and letter != "\ufffd" else " " for letter in text)
    quoted = f'("{" ".join(shown.split())[:60]}")'
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):  # whatever its encoding
        return f"an HTML or XML page, perhaps a server's error message {quoted}; fetch the file again"
    if not all(letter.isprintable() or letter in "\t\r\n\f\ufffd" for letter in text) or text.count("\ufffd") > 1:
        return None
    text = text.lstrip()
    if text.startswith("version https://git-lfs.github.com/"):
        return "a git-LFS pointer, not the data itself: run `git lfs pull` where it was cloned"
    if text.startswith("<"):
        return f"an HTML or XML page, perhaps a server's error message {quoted}; fetch the file again"
    if text.startswith(("{", "[")):
        return f"JSON text, perhaps a server's error message {quoted}; fetch the file again"
    if _is_table(text):
        return f"a table in text form, CSV or alike {quoted}; numpy.loadtxt reads it"
    return f"text, perhaps a server's error message {quoted}; fetch the file again"


def _is_table(text: str) -> bool:
    """Whether text is numbers alone, or lines with equally many separators, or one line with more than a sentence."""
    if re.fullmatch(r"\s*([-+.\de]+\s+){3,}[-+.\de]*", text, re.IGNORECASE):
        return True
    *whole, last = text.split("\n")
    lines = [line for line in whole if line.strip()] or [last]  # the last may be cut
    for separator in ",;\t":
        counts = {line.count(separator) for line in lines}
        if len(counts) == 1 and (min(counts) > 8 or (len(lines) > 1 and min(counts) > 0)):
            return True
    return False
