"""People's pictures: every kind comes out as RGB and upright, and what is no picture says so."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from unihpe.errors import InputError
from unihpe.io.picture import _to_rgb, pictures_in, read_picture


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
    Image.fromarray(np.ascontiguousarray(np.rot90(colours))).save(
        tmp_path / "a.jpg", exif=exif, quality=95
    )
    assert near(read_picture(tmp_path / "a.jpg"), colours)


def test_pictures_of_phones(colours, tmp_path):
    """HEIC, by what the file holds, whatever its name; turned once."""
    heif = pytest.importorskip("pillow_heif", reason="needs the extra 'heic'")
    exif = Image.Exif()
    exif[274] = 6
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(colours)))
    for name in ("a.heic", "a.jpg"):
        heif.from_pillow(lying).save(tmp_path / name, quality=95, exif=exif.tobytes())
        assert near(read_picture(tmp_path / name), colours)
    assert near(read_picture((tmp_path / "a.heic").read_bytes()), colours)
    with (tmp_path / "a.heic").open("rb") as file:
        assert near(read_picture(file), colours)
    assert pictures_in(tmp_path)[0].name == "a.heic"


def test_heic_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic" + bytes(40))
    with pytest.raises(InputError, match=r"pip install 'unihpe\[heic\]'"):
        read_picture(tmp_path / "a.heic")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_knows_eight_ways_to_hold_a_camera(suffix, tmp_path):
    """As Pillow turns them; a TIFF, which Pillow turns while it loads, is not turned twice."""
    corners = np.zeros((32, 48, 3), np.uint8)
    corners[:16, :24, 0], corners[:16, 24:, 1], corners[16:, :24, 2] = 255, 255, 255
    for way in range(10):
        exif = Image.Exif()
        exif[274] = way
        path = tmp_path / f"{way}.{suffix}"
        Image.fromarray(corners).save(path, exif=exif, quality=95)
        with Image.open(path) as image:
            image.load()
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
        found = read_picture(path)
        assert found.shape == expected.shape and (found == expected).all(), way
        assert (found.shape == (48, 32, 3)) == (way in (5, 6, 7, 8))


def entry(tag, kind, count, value):
    """One of EXIF's: kind 2 is text, 3 a 16-bit number."""
    return struct.pack(">HHI", tag, kind, count) + value


@pytest.mark.parametrize("tag", [0x0100, 0x0102, 0x0111, 0x8769, 0x8825, 0xA005])
def test_a_tag_of_the_wrong_type_does_not_keep_a_picture_from_being_read(tag, tmp_path):
    turn = entry(274, 3, 1, struct.pack(">HH", 6, 0))
    entries = sorted([turn, entry(tag, 2, 2, b"ab\0\0")])
    exif = (
        b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4)
    )
    Image.new("RGB", (60, 40), (200, 10, 10)).save(tmp_path / "a.jpg", exif=exif)
    found = read_picture(tmp_path / "a.jpg")
    assert found.shape == (60, 40, 3) and near(found, np.array([200, 10, 10]))


@pytest.mark.parametrize(
    "kind", [struct.error, TypeError, KeyError, IndexError, EOFError, ZeroDivisionError]
)
def test_whatever_pillow_raises_for_a_damaged_file_names_it(kind, colours, tmp_path, monkeypatch):
    def stop(*arguments):
        raise kind("bad")

    Image.fromarray(colours).save(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "getexif", stop)
    assert (
        read_picture(tmp_path / "a.png") == colours
    ).all()  # EXIF that cannot be read says nothing
    monkeypatch.setattr(Image.Image, "convert", stop)
    with pytest.raises(InputError, match=r"a.png: cannot be read \(.*bad.*copy it again"):
        read_picture(tmp_path / "a.png")


def test_floating_point_pictures(tmp_path):
    """White is 1, 255 or 65535: the least that holds the largest value."""
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(4, 0)
    expected = np.rint(ramp * 255).astype(int)
    for top in (1, 255, 65535):
        Image.fromarray(ramp * np.float32(top)).save(tmp_path / "a.tif")
        found = read_picture(tmp_path / "a.tif")
        assert np.abs(found.astype(int) - expected[..., None]).max() <= 1, top
    ramp[0, :3] = np.nan, np.inf, -np.inf
    Image.fromarray(ramp).save(tmp_path / "a.tif")
    found = read_picture(tmp_path / "a.tif")
    assert found[0, :3, 0].tolist() == [0, 255, 0] and (found[1] == expected[1][:, None]).all()


def test_a_dark_picture_of_sixteen_bits_stays_dark():
    for mode, order in (("I;16", "<u2"), ("I;16B", ">u2")):
        image = Image.frombytes(mode, (2, 1), np.array([250, 65535 // 2], order).tobytes())
        assert _to_rgb(image)[0, :, 0].tolist() == [1, 127], mode
        dark = Image.frombytes(mode, (1, 1), np.array([250], order).tobytes())
        assert _to_rgb(dark).max() == 1, mode


def test_grey_sixteen_bit_palette_and_cmyk(colours, tmp_path):
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(20, 0)
    Image.fromarray(ramp).save(tmp_path / "grey.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("grey.png", "deep.png"):
        assert np.abs(read_picture(tmp_path / name).astype(int) - ramp[..., None]).max() <= 1, name
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE).save(
        tmp_path / "palette.png"
    )
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
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(20_000, 6_000), (60_000, 60_000)])
def test_bombs_are_refused_before_they_are_unpacked(size, tmp_path):
    (tmp_path / "bomb.png").write_bytes(huge_png(*size))
    with pytest.raises(InputError, match="above 100 megapixels"):
        read_picture(tmp_path / "bomb.png")


def test_folders(colours, tmp_path):
    with pytest.raises(InputError, match="without pictures"):
        pictures_in(tmp_path)
    for name in ("b.JPG", "a10.png", "a9.png"):
        Image.fromarray(colours).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    assert [path.name for path in pictures_in(tmp_path)] == ["a9.png", "a10.png", "b.JPG"]
    with pytest.raises(InputError, match=r"none\.png: no such file"):
        pictures_in(tmp_path / "none.png")
