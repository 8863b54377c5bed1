"""The restricted unpickler: arrays and containers of every kind of pickle, and nothing else."""

import collections
import contextlib
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from damaged import PACKED, flipped, write_packed
from miniatures import dumps_python2

from unihpe.errors import InputError
from unihpe.io import pickles as unpickle
from unihpe.io.pickles import load_npy, load_npz, load_pickle, npz_shape

VALUE = {
    "S1": {"Walking 1": np.arange(18, dtype=np.float32).reshape(2, 3, 3)},
    "views": [np.arange(4), (np.float64(3.5), np.int16(-2), True, None)],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 3)),
    "big endian": np.arange(3, dtype=">f4"),
    "objects": np.array([np.arange(2), "text", None], dtype=object),
    "nothing": np.array("downtown_00"),
    "flags": np.array([True, False]),
    "text": "größe",
}


def same(a, b):
    if isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in b)
    if isinstance(b, list | tuple):
        return (
            type(a) is type(b)
            and len(a) == len(b)
            and all(same(x, y) for x, y in zip(a, b, strict=True))
        )
    if isinstance(b, np.ndarray) and b.dtype.hasobject:
        return a.dtype == b.dtype and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(b, np.ndarray | np.generic):
        native = a.dtype.newbyteorder("=") == b.dtype.newbyteorder(
            "="
        )  # numpy too swaps bytes as it reads
        return native and a.shape == b.shape and bool(np.all(a == b))
    return a == b


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_comes_back(tmp_path, protocol):
    value = {**VALUE, "bytes": b"\x00\xff", "set": {1, 2}, "ordered": collections.OrderedDict(a=1)}
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    assert same(load_pickle(path), value)


def test_python_2_with_latin_1_and_numpy_1(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(dumps_python2(VALUE))
    assert b"numpy.core.multiarray" in path.read_bytes()
    assert same(load_pickle(path), VALUE)


def test_both_names_of_numpys_core(tmp_path):
    whole = pickle.dumps(VALUE, 2)
    for ours, theirs in ((b"numpy._core", b"numpy.core"), (b"numpy.core", b"numpy._core")):
        (tmp_path / "a.pkl").write_bytes(whole.replace(ours, theirs))
        assert same(load_pickle(tmp_path / "a.pkl"), VALUE)


def test_npz_with_a_dict_and_with_plain_arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(
        path,
        positions_3d=VALUE,
        plain=np.eye(3),
        names=np.array(["a", "bc"]),
        three=VALUE["objects"],
    )
    content = load_npz(path, ("positions_3d", "plain", "names", "three"))
    assert same(content["positions_3d"], VALUE)
    assert same(content["plain"], np.eye(3)) and content["names"].tolist() == ["a", "bc"]
    assert same(content["three"], VALUE["objects"])
    with pytest.raises(InputError, match="lacks metadata; it holds positions_3d, plain"):
        load_npz(path, ("metadata",))


class Runs:
    """What a hostile file would hold."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "function",
    [os.system, eval, exec, getattr, __import__, open, np.load, np.fromfile, collections.Counter],
)
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path, function):
    mark = tmp_path / "mark"
    hostile = Runs(function, f"touch {mark}")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"fine": np.eye(2), "evil": hostile}))
    np.savez(tmp_path / "a.npz", positions_3d=np.array({"evil": hostile}, dtype=object))
    for load in (
        lambda: load_pickle(tmp_path / "a.pkl"),
        lambda: load_npz(tmp_path / "a.npz", ("positions_3d",)),
    ):
        with pytest.raises(InputError, match="neither an array nor a plain container") as caught:
            load()
        assert "\n" not in str(caught.value)
    assert not mark.exists()


HOSTILE = {
    "an object array made of raw bytes": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I1\ntcnumpy\ndtype\n(S'O8'\nI0\nI1\ntR"
        b"(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'AAAAAAAA'\ntb."
    ),
    "a structured type": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I1\ntcnumpy\ndtype\n(S'V8'\nI0\nI1\ntR"
        b"(I3\nS'|'\nN(S'a'\nt(dS'a'\n(cnumpy\ndtype\n(S'O8'\nI0\nI1\ntRI0\nts"
        b"I8\nI1\nI0\ntbI00\nS'AAAAAAAA'\ntb."
    ),
    "a call of the array class": b"cnumpy\nndarray\n(I9\ntR.",
    "an object as a number": (
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'O8'\nI0\nI1\ntRS'AAAAAAAA'\ntR."
    ),
    "an array that claims more than it holds": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I99999\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntRI00\nS'AAAAAAAA'\ntb."
    ),
    "a type that is a Python expression": b"cnumpy\ndtype\n(S'f8,f8'\ntR.",
    "a persistent name": b"Pabc\n.",
    "an extension code": b"\x80\x02\x82\x01.",
    "nothing": b"",
    "text": b"hello there",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_crafted_pickles_are_refused(tmp_path, name):
    path = tmp_path / "a.pkl"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(InputError, match=r"a\.pkl") as caught:
        load_pickle(path)
    assert "\n" not in str(caught.value)


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
OBJECTS = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR"
# numpy swaps these into memory of its own
SWAPPED = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'>'\nNNNI-1\nI-1\nI0\ntb"
FATAL = {
    "a list shorter than the shape": ARRAY
    + b"(I1\n(I500000\nt"
    + OBJECTS
    + b"I00\n(S'x'\nS'y'\nltb.",
    "a list for no array at all": ARRAY + b"(I1\n(I-1\nI-1\nt" + OBJECTS + b"I00\n(S'x'\nltb.",
    "a list longer than the shape": ARRAY + b"(I1\n(I1\nt" + OBJECTS + b"I00\n(S'x'\nS'y'\nltb.",
    "a shape that is no number": ARRAY + b"(I1\n(S'2'\nt" + OBJECTS + b"I00\n(S'x'\nS'y'\nltb.",
    "rows of an array that is then filled anew": (
        ARRAY
        + b"p0\n(I1\n(I2\nI1\nt"
        + SWAPPED
        + b"I00\nS'"
        + b"A" * 16
        + b"'\ntb0c__builtin__\nlist\n(g0\ntRp1\n0g0\n"
        b"(I1\n(I1\nt" + SWAPPED + b"I00\nS'AAAAAAAA'\ntb0g1\n."
    ),
}


@pytest.mark.parametrize("name", FATAL)
def test_a_pickle_cannot_reach_memory_that_is_not_its_own(tmp_path, name):
    """Tried in a process of its own: numpy would read past an end there, and may crash."""
    (tmp_path / "a.pkl").write_bytes(FATAL[name])
    with zipfile.ZipFile(tmp_path / "data_3d_h36m.npz", "w") as archive:
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}"
        archive.writestr(
            "positions_3d.npy",
            b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + FATAL[name],
        )
    code = (
        "import sys; from pathlib import Path; from unihpe.errors import InputError\n"
        "from unihpe.io.pickles import load_npz, load_pickle\n"
        "npz = Path('data_3d_h36m.npz')\n"
        "pkl, keys = Path('a.pkl'), ['positions_3d']\n"
        "for load in (lambda: load_pickle(pkl), lambda: load_npz(npz, keys)):\n"
        "    try: load()\n"
        "    except InputError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert len(said) == 2 and all("not a readable pickle (an array " in line for line in said)


@pytest.mark.parametrize(
    "name, ours",
    [
        (b"_codecs\nencode", unpickle._encode_latin),
        (b"numpy.core.multiarray\nscalar", unpickle._rebuild_scalar),
        (b"numpy\ndtype", unpickle._Type),
        (b"numpy\nndarray", unpickle.ARRAY_CLASS),
        (b"collections\nOrderedDict", collections.OrderedDict),
    ],
)
def test_a_pickle_cannot_change_the_reader(tmp_path, name, ours):
    """State set on what a pickle is given, its attributes and its defaults, must die with the
    pickle.
    """
    for state in (b"(dS'mark'\nI1\ns", b"(N(dS'mark'\nI1\nst", b"(N(dS'__defaults__'\n(S'x'\ntst"):
        (tmp_path / "a.pkl").write_bytes(b"c" + name + b"\n" + state + b"b.")
        with contextlib.suppress(InputError):
            load_pickle(tmp_path / "a.pkl")
    assert not hasattr(ours, "mark") and getattr(ours, "__defaults__", None) in (None, (b"",))
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(VALUE, 2))
    assert same(load_pickle(tmp_path / "b.pkl"), VALUE)


def test_a_pickle_cut_anywhere_is_an_input_error(tmp_path):
    whole, path = pickle.dumps(VALUE, 4), tmp_path / "a.pkl"
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError):
            load_pickle(path)


def test_noise_in_a_pickle_never_escapes_as_another_error(tmp_path):
    whole, path, rng = pickle.dumps(VALUE, 2), tmp_path / "a.pkl", np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            broken[place] = rng.integers(256)
        path.write_bytes(bytes(broken))
        try:
            load_pickle(path)
        except InputError as error:
            assert "\n" not in str(error)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match="none.pkl: cannot be read"):
        load_pickle(tmp_path / "none.pkl")
    with pytest.raises(InputError, match="none.npz: no such file"):
        load_npz(tmp_path / "none.npz", ("a",))
    (tmp_path / "text.npz").write_text("<html>not found</html>")
    with pytest.raises(InputError, match="not a readable npz"):
        load_npz(tmp_path / "text.npz", ("a",))


def test_noise_in_an_npz_never_escapes_as_another_error(tmp_path):
    path, rng = tmp_path / "a.npz", np.random.default_rng(0)
    np.savez_compressed(path, positions_3d=VALUE, plain=np.arange(1000.0))
    whole = path.read_bytes()
    for _ in range(200):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 2):
            broken[place] = rng.integers(256)
        path.write_bytes(bytes(broken))
        with contextlib.suppress(InputError):
            load_npz(path, ("positions_3d", "plain"))


@pytest.mark.parametrize("packing", PACKED)
def test_flipped_bits_of_an_npz_are_an_input_error_or_change_nothing(tmp_path, packing):
    path, plain = tmp_path / "a.npz", np.random.default_rng(0).normal(size=(50, 3))
    write_packed(path, packing, positions_3d=np.array(VALUE, dtype=object), plain=plain)
    for damaged in flipped(path.read_bytes(), step=3):
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            content = load_npz(path, ("positions_3d", "plain"))
            assert same(content["positions_3d"], VALUE) and same(content["plain"], plain)


def test_a_header_that_promises_less_than_there_is(tmp_path):
    """Its check sum is wrong, but that is compared only at the end, which a reader of less never
    reaches.
    """
    path = tmp_path / "a.npz"
    np.savez(path, plain=np.arange(5000.0))
    path.write_bytes(path.read_bytes().replace(b"(5000,)", b"(1000,)"))
    with pytest.raises(InputError, match="not a readable npz"):
        load_npz(path, ["plain"])


def test_objects_where_only_numbers_may_be(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, plain=np.eye(3), objects=VALUE["objects"])
    assert same(load_npz(path, ["plain"], objects=False)["plain"], np.eye(3))
    with pytest.raises(InputError, match=r"a\.npz \[objects\]: holds objects"):
        load_npz(path, ["objects"], objects=False)


START = b"{'descr': '<f8', 'fortran_order': False, 'shape': "
HEADERS = {
    "an open bracket": b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,",
    "an indent": b"  {'descr': '<f8',\n 'fortran_order': False\n   'shape': (3,)}",
    "two lines": b"1\n  2\n 3",
    "a string without end": b'{\'descr\': """<f8',
    "a number for the type": b"{'descr': 8, 'fortran_order': False, 'shape': (3,)}",
    "more than there is": START + b"(1000000, 1000000000)}",
    "more than fits a number": START + b"(4611686018427387904, 8)}",
    "less than nothing": b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 8)}",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("version", [1, 2])
def test_a_damaged_header_is_an_input_error(tmp_path, name, version):
    length = struct.pack("<H" if version == 1 else "<I", len(HEADERS[name]))
    whole = b"\x93NUMPY" + bytes([version, 0]) + length + HEADERS[name] + bytes(24)
    (tmp_path / "a.npy").write_bytes(whole)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("S.npy", whole)
    with pytest.raises(InputError, match=r"a\.npz") as caught:
        load_npz(tmp_path / "a.npz", ("S",))
    assert "\n" not in str(caught.value)
    assert npz_shape(tmp_path / "a.npz", "S") is None or "shape" in HEADERS[name].decode()
    with pytest.raises(InputError, match=r"a\.npy: no readable npy .*; get it again") as caught:
        load_npy(tmp_path / "a.npy", "get it again")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3), np.zeros((0, 3)), np.array(3), np.asfortranarray(np.eye(3))],
)
def test_npy_files_come_back(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    assert same(load_npy(tmp_path / "a.npy", ""), array)
