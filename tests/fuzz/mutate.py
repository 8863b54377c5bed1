"""Mutations: bytes, words of text, values of JSON and TOML, arrays of npz and npy."""

import copy
import io
import json
import struct

import numpy as np

NUMBERS = (0, -1, 1, 2, 17, 1e-30, 1e30, 1e308, -1e308, 2**31, 2**63, 10**40, 0.5, -0.0)
VALUES = (*NUMBERS, float("nan"), float("inf"), None, True, "", "x", "ü\0\n", [], {}, [[]], [None])
WORDS = (
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1",
    "0",
    "99999999999",
    "9" * 400,
    "x",
    "{",
    "}",
    '"',
    "=",
)
MOST = 3  # mutations of one file


def mutated(whole, kind, rng):
    """The bytes of a file of this kind with some mutations."""
    for _ in range(rng.randint(1, MOST)):
        change = KINDS[kind] if rng.random() < 0.8 else _bytes
        try:
            with np.errstate(all="ignore"):
                whole = change(whole, rng)
        except Exception:  # too damaged already to be understood
            whole = _bytes(whole, rng)
    return whole


def _bytes(whole, rng):
    data = bytearray(whole)
    if not data:
        return bytes([rng.randrange(256)])
    place, length = rng.randrange(len(data)), rng.choice((1, 2, 4, 8, 64, len(data) // 4 + 1))
    match rng.randrange(6):
        case 0:
            data[place] ^= 1 << rng.randrange(8)
        case 1:
            data[place : place + length] = rng.randbytes(length)
        case 2:
            del data[place : place + length]
        case 3:
            data[place:place] = data[place : place + length]
        case 4:
            del data[place:]
        case 5:
            data[place : place + length] = rng.choice((b"\xff", b"\0", b"\x80")) * length
    return bytes(data)


def _text(whole, rng):
    """Words and lines: left out, doubled, exchanged, or replaced by something odd."""
    lines = whole.decode("utf-8", "replace").split("\n")
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[other])
        case 2:
            lines[place], lines[other] = lines[other], lines[place]
        case 3:
            del lines[place : place + rng.randint(1, 20)]
        case _:
            words = lines[place].split(" ")
            words[rng.randrange(len(words))] = rng.choice(WORDS)
            lines[place] = " ".join(words)
    return "\n".join(lines).encode("utf-8", "replace")


def _places(node):
    """Every (container, key) of a tree of lists and dicts."""
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(inside):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _json(whole, rng):
    """A value of a tree: replaced, left out, exchanged, doubled, or wrapped deeply."""
    root = [json.loads(whole)]
    places = list(_places(root))
    (holder, key), (giver, taken) = rng.choice(places), rng.choice(places)
    match rng.randrange(7):
        case 0:
            holder[key] = copy.deepcopy(giver[taken])
        case 1 if holder is not root:
            del holder[key]
        case 2:
            if isinstance(holder, list):
                holder.extend([copy.deepcopy(holder[key])] * rng.choice((1, 2, 40)))
            else:
                holder[rng.choice(("x", "", str(key).upper()))] = holder[key]
        case 3:
            for _ in range(rng.choice((1, 2, 500))):
                holder[key] = [holder[key]]
        case _:
            holder[key] = rng.choice(VALUES)
    return json.dumps(root[0]).encode()


def _header(whole, rng):
    """The JSON that begins a safetensors file, without the checksum, as in older files."""
    (length,) = struct.unpack("<Q", whole[:8])
    text = _json(whole[8 : 8 + length].replace(b'"crc32"', b'"crc33"'), rng)
    return struct.pack("<Q", len(text)) + text + whole[8 + length :]


def _footer(whole, rng):
    """The JSON that ends a packed set."""
    start, length = struct.unpack("<QQ", whole[-16:])
    text = _json(whole[start : start + length], rng)
    return whole[:start] + text + struct.pack("<QQ", start, len(text))


def _arrays(whole, rng):
    """One array of an npz or npy: another type, shape or values; or it is not there."""
    loaded = np.load(io.BytesIO(whole), allow_pickle=False)
    arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {"": loaded}
    name = rng.choice(list(arrays))
    arrays[name] = _array(arrays[name], rng)
    if rng.random() < 0.1:
        arrays.pop(name)
    file = io.BytesIO()
    if "" in arrays:
        np.save(file, arrays[""])
    else:
        (np.savez_compressed if rng.random() < 0.3 else np.savez)(file, **arrays)
    return file.getvalue()


def _array(array, rng):
    match rng.randrange(6):
        case 0:
            kind = rng.choice(
                ("f2", "f8", "i1", "i8", "u1", "b", "U3", "S2", "M8[s]", "c16", ">f4")
            )
            return array.astype(kind)
        case 1:
            return array[: rng.randrange(array.shape[0] + 1)] if array.ndim else array[None]
        case 2:
            return array[None] if rng.random() < 0.5 else array.T
        case 3:
            return np.concatenate([array] * rng.choice((2, 3)), axis=-1)
        case 4:
            return np.broadcast_to(array[..., None], (*array.shape, rng.choice((0, 1, 3))))
        case _:
            array = array.copy()
            value = rng.choice((*NUMBERS, float("nan"), float("inf")))
            odd = np.float64(value).astype(array.dtype) if array.dtype.kind in "fiu" else "x"
            array.reshape(-1)[rng.randrange(array.size)] = odd
            return array


KINDS = {
    "json": _json,
    "text": _text,
    "arrays": _arrays,
    "header": _header,
    "footer": _footer,
    "bytes": _bytes,
}
