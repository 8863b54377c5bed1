"""Files damaged on purpose: npz of every packing, and bytes with one bit flipped."""

import zipfile

import numpy as np

PACKED = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def write_packed(path, packing, **arrays):
    """An npz in one of the packings that zip knows; numpy itself writes the first two."""
    with zipfile.ZipFile(path, "w", PACKED[packing]) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asarray(array))


def flipped(whole, step=1):
    """The bytes again and again, with another bit of every `step`-th byte flipped each time."""
    for n, place in enumerate(range(0, len(whole), step)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << n % 8
        yield bytes(damaged)
