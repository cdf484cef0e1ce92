"""Which data sets are known, and where their files may lie.

`datasets` asks this module which folders to look in and which file of a folder is which; `download` asks it which files
make up a set. It lists folders and opens no file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from nnlite.files import path_name, user_cache

# SHA-256 of the raw IDX bytes: the gzip wrappers around them differ from mirror to mirror.
KNOWN_SETS = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
STEMS = tuple(KNOWN_SETS["mnist"])
SYSTEM_FOLDERS = (Path("/usr/local/share/datasets"), Path("/usr/share/datasets"))


def places(name: str, data_dir: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Yield the folders to look in for a known set, in order, each once.

    Parameters
    ----------
    name : str - a key of KNOWN_SETS; every root is tried as ROOT/NAME, then as ROOT
    data_dir : str or path-like or None - the only root if given, else NNLITE_DATA if that is set

    Raises
    ------
    ValueError - an empty path
    """
    named, _ = named_root(data_dir)
    if named is not None:  # someone who names a folder does not want the data of another
        roots = [Path(path_name(named))]
    else:
        source_tree = Path(__file__).resolve().parents[1]
        cache = user_cache()
        roots = [Path("data")]
        roots += [source_tree / "data"] if (source_tree / "setup.cfg").is_file() else []
        roots += [cache / "data"] if cache else []
        roots += SYSTEM_FOLDERS
    seen: set[str] = set()
    for root in roots:
        for folder in (root / name, root):
            if os.path.realpath(folder) not in seen:
                seen.add(os.path.realpath(folder))
                yield folder


def named_root(data_dir: str | os.PathLike[str] | None) -> tuple[str | os.PathLike[str] | None, str]:
    """Return the root that the user named, and how: by `data_dir`, or else by NNLITE_DATA, unless that is empty."""
    if data_dir is not None:
        return data_dir, "--data-dir"
    return os.environ.get("NNLITE_DATA") or None, "NNLITE_DATA"


def find_files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Find a data set's four files in a folder: plain, .gz or .xz, spelt train-images-idx3 or train-images.idx3.

    Parameters
    ----------
    folder : Path - listed once

    Returns
    -------
    (paths, missing) - dict of stem to Path, in the order of STEMS, and the stems for which there is no file

    Raises
    ------
    OSError - the folder is missing, is no folder or may not be listed
    """
    names = set(os.listdir(folder))
    paths: dict[str, Path] = {}
    for stem in STEMS:
        present = [folder / spelling for spelling in _spellings(stem) if spelling in names]
        if present:  # some archives unpack to a directory of a file's name, beside the file
            paths[stem] = next((path for path in present if path.is_file()), present[0])
    return paths, [stem for stem in STEMS if stem not in paths]


def near_misses(folder: Path) -> list[str]:
    """List files in a folder, and one or two further down, that may be what `find_files` missed, by their names.

    A browser's copy "(1)", another part's or set's name, other letters' case, an archive's own folder. At most six.
    """
    words = ("[iI][mM][aA][gG][eE][sS]*", "[lL][aA][bB][eE][lL][sS]*")
    found = (
        path.relative_to(folder)
        for below in ("", "*/", "*/raw/")  # torchvision keeps MNIST in MNIST/raw
        for word in words
        for path in sorted(islice(folder.glob(f"{below}*{word}"), 100))
        if path.is_file()
    )
    accepted = {spelling for stem in STEMS for spelling in _spellings(stem)}
    names = (path.as_posix() for path in found if path.name != str(path) or path.name not in accepted)
    return list(islice((name for name in names if name.split("/")[0] not in KNOWN_SETS), 6))


def _spellings(stem: str) -> list[str]:
    """List the names that a file may have, the best first."""
    return [spelling + ending for spelling in (stem, stem.replace("-idx", ".idx")) for ending in ("", ".gz", ".xz")]
