"""Networks on disk: one npz file each, without pickle, whole or not at all.

The file is an uncompressed zip archive of .npy members: `format` (1), `layer_sizes`, `activation`, and `weight0`,
`bias0` and so on for each layer, and `input_range`, two NaN where that is not known. What `save` accepts `load` reads:
both go by `MLP.check_parameters`. Optimizers' state is left out.
"""

from __future__ import annotations

import errno
import io
import itertools
import math
import os
import sys
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .contents import HEAD_SIZE, describe_content
from .files import reading, replacing
from .mlp import ACTIVATIONS, MLP

_FORMAT = 1
_ENTRIES = ("format", "layer_sizes", "activation", "input_range")
_LONGEST = sys.maxsize - 1  # of bytes in memory
_HEADER = 1 << 14  # bytes that suffice for the header of any array, and for `format` and `activation` with theirs


class _NotANetwork(ValueError):
    """Why a file is none; `load` adds which file."""


def save(path: str | os.PathLike[str], mlp: MLP) -> None:
    """Write a network to one npz file; an existing file is replaced only once the new one is whole.

    Values that are not finite are kept as they are: a network that diverged can be looked at.

    Parameters
    ----------
    path : str or path-like
        Taken as it is: no ending is added.
    mlp : MLP

    Raises
    ------
    TypeError
        It is no MLP.
    ValueError
        Its parameters are not what `load` would accept, as `MLP.check_parameters` says; the file is as it was.
    OSError
        The file cannot be written.
    """
    if not isinstance(mlp, MLP):
        raise TypeError(f"expected a path and an nnlite.MLP, found {type(mlp).__name__} in the network's place")
    mlp.check_parameters()
    arrays: dict[str, Any] = {"format": _FORMAT, "layer_sizes": mlp.layer_sizes, "activation": mlp.activation}
    arrays["input_range"] = np.array(mlp.input_range or (math.nan, math.nan), np.float64)
    for layer, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
        arrays[f"weight{layer}"], arrays[f"bias{layer}"] = weight, bias
    with replacing(path) as file:
        np.savez(file, **arrays)


def load(path: str | os.PathLike[str]) -> MLP:
    """Read a network that `save` wrote, plain or compressed by gzip or xz afterwards.

    Memory follows the bytes that the file holds, never what its headers claim.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    MLP

    Raises
    ------
    OSError
        The file cannot be read, or there is not enough memory for it.
    ValueError
        It is not a network, or damaged; the message names what it is where its content tells.
    """
    name = os.fsdecode(path)
    try:
        with reading(path) as (stream, _):
            return _parsed(_content(stream))
    except _NotANetwork as error:
        raise ValueError(f"{name}: not a network saved by nnlite, or damaged: {error}") from error
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "not enough memory to read it", name) from error


def _content(stream: Any) -> bytes:
    """Return all bytes of a stream, once the first of them are those of a zip archive."""
    try:
        head = stream.read(HEAD_SIZE)
        if not head.startswith(b"PK\x03\x04"):
            what = describe_content(head)
            raise _NotANetwork("it starts as no .npz file does" if what is None else f"this is {what}")
        stream.seek(0)
        return bytes(stream.read())
    except (_NotANetwork, MemoryError):
        raise
    except Exception as error:  # what gzip and lzma raise on damaged bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the content
        raise _NotANetwork("the compressed data is damaged or cut short; take another copy") from error


def _parsed(content: bytes) -> MLP:
    """Build a network from the bytes of a file that `save` wrote.

    Raises
    ------
    _NotANetwork
        Whatever is wrong with them, in words of its own.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = [info.filename for info in archive.infolist()]
    except MemoryError:
        raise
    except Exception as error:  # on damaged bytes zipfile raises nearly anything
        raise _NotANetwork("the list of its arrays is missing or damaged; take another copy") from error
    if not {f"{name}.npy" for name in _ENTRIES} <= set(members):
        what = f"this is {describe_content(content[:HEAD_SIZE])}; it holds {_listed(map(repr, members))}"
        raise _NotANetwork(f"{what}; expected {', '.join(_ENTRIES)} and the weights")

    if (version := _entry(archive, "format", "iu", 0).item()) != _FORMAT:
        raise _NotANetwork(f"format {version}, expected {_FORMAT}; a newer nnlite may read it")
    activation = str(_entry(archive, "activation", "U", 0))
    if activation not in ACTIVATIONS:
        raise _NotANetwork(f"activation {activation[:20]!r}, expected one of {', '.join(ACTIVATIONS)}")
    sizes = tuple(_entry(archive, "layer_sizes", "iu", 1, 8 * len(members)).tolist())
    if len(sizes) < 2 or min(sizes) < 1:
        raise _NotANetwork(f"layer_sizes {_listed(sizes)}: expected two or more, each at least 1")
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        shapes |= {f"weight{layer}": (n_in, n_out), f"bias{layer}": (n_out,)}
    if sorted(members) != sorted(f"{name}.npy" for name in (*_ENTRIES, *shapes)):
        raise _NotANetwork(f"layer_sizes {_listed(sizes)} asks for other arrays than {_listed(map(repr, members))}")

    arrays = {name: _array(archive, name, 8 * math.prod(shape)) for name, shape in shapes.items()}
    mlp = object.__new__(MLP)
    mlp.layer_sizes, mlp.activation = sizes, activation
    mlp.weights = [arrays[name] for name in shapes if name.startswith("weight")]
    mlp.biases = [arrays[name] for name in shapes if name.startswith("bias")]
    mlp.dtype = mlp.weights[0].dtype
    mlp.input_range = _range(_entry(archive, "input_range", "f", 1))
    try:
        mlp.check_parameters()
    except ValueError as error:
        raise _NotANetwork(str(error)) from error
    return mlp


def _range(numbers: npt.NDArray[Any]) -> tuple[float, float] | None:
    if numbers.size == 2 and np.isnan(numbers).all():
        return None
    if numbers.size != 2 or not -math.inf < numbers[0] <= numbers[1] < math.inf:
        raise _NotANetwork(f"input_range {_listed(numbers.tolist())}: expected the smallest input and the largest")
    return float(numbers[0]), float(numbers[1])


def _entry(archive: zipfile.ZipFile, name: str, kinds: str, ndim: int, n_bytes: int = 0) -> npt.NDArray[Any]:
    """Return one of the small arrays, of the kind of dtype and the number of dimensions that it must have."""
    array = _array(archive, name, n_bytes)
    if array.dtype.kind not in kinds or array.ndim != ndim:
        raise _NotANetwork(f"{name}: found {array.dtype} {array.shape}, which save never writes there")
    return array


def _array(archive: zipfile.ZipFile, name: str, n_bytes: int) -> npt.NDArray[Any]:
    """Return an array of the archive in this machine's byte order, in memory of its own.

    Parameters
    ----------
    archive : zipfile.ZipFile
    name : str
    n_bytes : int
        That its elements may take; of what is much longer the rest is not read.
    """
    limit = min(n_bytes + _HEADER, _LONGEST)
    try:
        with archive.open(f"{name}.npy") as member:
            content = member.read(limit + 1)
    except MemoryError:
        raise
    except Exception as error:  # a wrong checksum, other damage
        raise _NotANetwork(f"{name} is damaged; take another copy") from error
    if len(content) > limit:
        raise _NotANetwork(f"{name} is longer than layer_sizes and the format allow")
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            version
        ]
        shape, in_fortran_order, dtype = read_header(stream)
    except Exception as error:  # headers are text: anything can stand there
        raise _NotANetwork(f"{name} is no array as NumPy saves it") from error
    if dtype.hasobject:
        raise _NotANetwork(f"{name} holds Python objects, which nnlite never reads: they can run anything")
    if in_fortran_order and len(shape) > 1:
        raise _NotANetwork(f"{name} is in Fortran's memory order, where C's was expected")
    claimed, rest = math.prod(shape) * dtype.itemsize, memoryview(content)[stream.tell() :]
    if min(shape, default=1) < 1 or claimed != len(rest) or not claimed:
        raise _NotANetwork(f"{name}: {dtype} {shape} takes {claimed} bytes, found {len(rest)}")
    return np.frombuffer(rest, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _listed(items: Iterable[object]) -> str:
    """The first few, for a message."""
    first = [str(item) for item in itertools.islice(items, 10)]
    return ", ".join(first[:9] + ["..."] * (len(first) > 9))
