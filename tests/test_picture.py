"""People's pictures: every kind comes out as RGB the right way up, and what is no picture says so."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from unihpe.errors import InputError
from unihpe.picture import pictures_in, read_picture


@pytest.fixture
def colours():
    """Left half red, right half blue, 40 wide and 20 high."""
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, :20, 0] = picture[:, 20:, 2] = 255
    return picture


def near(picture, expected):
    return np.abs(picture.astype(int) - expected).mean() < 12


def test_plain_kinds(colours, tmp_path):
    for name in ("a.png", "a.jpg", "a.webp", "a.bmp", "a.tif"):
        Image.fromarray(colours).save(tmp_path / name)
        found = read_picture(tmp_path / name)
        assert found.dtype == np.uint8 and found.shape == (20, 40, 3) and near(found, colours), name


def test_exif_turns_it_upright(colours, tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # stored lying, to be turned a quarter clockwise
    Image.fromarray(np.ascontiguousarray(np.rot90(colours))).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert near(read_picture(tmp_path / "a.jpg"), colours)


def test_grey_sixteen_bit_palette_and_cmyk(colours, tmp_path):
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(20, 0)
    Image.fromarray(ramp).save(tmp_path / "grey.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("grey.png", "deep.png"):
        assert np.abs(read_picture(tmp_path / name).astype(int) - ramp[..., None]).max() <= 1, name
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    for name in ("palette.png", "cmyk.jpg"):
        assert near(read_picture(tmp_path / name), colours), name


def test_what_is_transparent_is_paper(colours, tmp_path):
    alpha = np.full((20, 40, 1), 255, np.uint8)
    alpha[:, 20:] = 0
    Image.fromarray(np.concatenate([colours, alpha], axis=2)).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png")
    assert near(found[:, :20], colours[:, :20]) and (found[:, 20:] == 255).all()


def test_what_is_no_picture_says_so(colours, tmp_path):
    Image.fromarray(colours).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    for name in ("cut.png", "empty.png", "text.png", "missing.png"):
        with pytest.raises(InputError, match=name) as stop:
            read_picture(tmp_path / name)
        assert "\n" not in str(stop.value)


def huge_png(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(20_000, 6_000), (60_000, 60_000)])
def test_bombs_are_refused_before_they_are_unpacked(size, tmp_path):
    (tmp_path / "bomb.png").write_bytes(huge_png(*size))
    with pytest.raises(InputError, match="above 100 megapixels"):
        read_picture(tmp_path / "bomb.png")


def test_folders(colours, tmp_path):
    with pytest.raises(InputError, match="without pictures"):
        pictures_in(tmp_path)
    for name in ("b.JPG", "a.png"):
        Image.fromarray(colours).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    assert [path.name for path in pictures_in(tmp_path)] == ["a.png", "b.JPG"]
