"""Public weight files: where they are, and fetching them so that a cache folder never holds a wrong or half a file."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache as once
from importlib import resources
from pathlib import Path

from unihpe.errors import InputError, one_line

ATTEMPTS = 3
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 20
AGENT = "unihpe"  # some hosts refuse urllib's own name
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE, SERVER_ERROR = 206, 416, 500
Progress = Callable[[int, int | None], None]
"""Called with the bytes there are so far and, where the server says so, the bytes of the whole file."""


@dataclass(frozen=True)
class PublicFile:
    """One public file.

    Attributes:
        file: its name in the cache folder and on a mirror.
        url: its public address.
        sha256: its SHA-256 in hexadecimal, or the first digits of it as far as published; "" if not
            published.
        megabytes: about; 0 if not published.
        licence: as its publisher states it.
        about: what it holds.
        joints: the skeleton of its heat-map head; "" where it has none.
    """

    file: str
    url: str
    sha256: str
    megabytes: int
    licence: str
    about: str
    joints: str = ""


class BrokenOffError(Exception):
    """The connection ended early; what came is kept, and the next attempt goes on from there."""


@once
def public_files() -> dict[str, PublicFile]:
    """The table in weights.toml, by name."""
    text = resources.files("unihpe.io").joinpath("weights.toml").read_text(encoding="utf-8")
    return {name: PublicFile(**fields) for name, fields in tomllib.loads(text).items()}


def cache_folder() -> Path:
    """Where files are kept: $UNIHPE_CACHE, or ~/.cache/unihpe."""
    chosen = os.environ.get("UNIHPE_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "unihpe"


def download(
    name: str,
    cache: Path | None = None,
    mirror: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    files: Mapping[str, PublicFile] | None = None,
) -> Path:
    """The path of a file in the cache; fetched if it is not there yet, and checked either way where
    a hash is published.

    A broken download leaves `….part` in the cache, and the next call goes on from there. The final
    name appears only when the file is whole and checked. Not meant for two processes that fetch the
    same file at once.

    Args:
        name: one of `public_files`.
        cache: folder instead of `cache_folder`.
        mirror: address of a folder that has the files under their cache names, instead of the
            public addresses.
        offline: never use the network.
        files: another table.

    Raises:
        InputError: for an unknown name, a file that is not there offline, a network fault or a
            wrong hash.
    """
    table = public_files() if files is None else files
    if name not in table:
        raise InputError(f"no weights named {name!r}: take one of {', '.join(table)}")
    entry = table[name]
    path = (cache_folder() if cache is None else cache) / entry.file
    if path.is_file():
        if matches(path, entry.sha256):
            return path
        if offline:
            raise InputError(
                f"{path}: its SHA-256 does not begin with {entry.sha256}; delete it and fetch it again online"
            )
    if offline:
        raise InputError(
            f"{name} is not in the cache: `unihpe weights download {name}`, or put it at {path} (from {entry.url})"
        )
    address = (
        entry.url if mirror is None else f"{mirror.rstrip('/')}/{urllib.parse.quote(entry.file)}"
    )
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise InputError(f"{address}: not an http or https address; give the mirror as https://…")
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fetch(address, part, resume=bool(entry.sha256), progress=progress)
        finish(part, path, entry, address)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; choose a folder with $UNIHPE_CACHE"
        ) from error
    return path


def finish(part: Path, path: Path, entry: PublicFile, address: str) -> None:
    """Check a whole download and give it its name; a wrong one is removed.

    Raises:
        InputError: if the hash is wrong.
    """
    stamp_of(part).unlink(missing_ok=True)
    if not matches(part, entry.sha256):
        found = sha256_of(part)
        part.unlink()
        raise InputError(
            f"{address}: its SHA-256 is {found[:16]}…, published is {entry.sha256}: not the published file, so nothing"
            " was kept; try again, or another mirror"
        )
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)


def fetch(address: str, part: Path, *, resume: bool, progress: Progress | None) -> None:
    """Load an address into `part`, going on where an earlier attempt ended.

    Args:
        resume: go on from what an earlier run left even if the server has no stamp for this version
            of the file; right only where a hash will show a mixture of two versions.

    Raises:
        InputError: if it cannot be had.
    """
    fault: Exception | None = None
    for attempt in range(ATTEMPTS):
        time.sleep(attempt)
        try:
            receive(address, part, resume=resume, progress=progress)
            return
        except urllib.error.HTTPError as error:
            error.close()
            fault = error
            if error.code == RANGE_NOT_SATISFIABLE and part.exists():
                part.unlink()  # longer than the file now is, or whole but never renamed: once more from the start
            elif error.code < SERVER_ERROR:
                break  # asking again will not help
        except (
            urllib.error.URLError,
            http.client.HTTPException,
            ConnectionError,
            TimeoutError,
            BrokenOffError,
        ) as error:
            fault = error
    reason = getattr(fault, "reason", None) or fault
    raise InputError(
        f"{address}: {one_line(reason)}; check the network and run again (it goes on where it stopped),"
        f" or put the file at {part.with_suffix('')} by hand"
    ) from fault


def receive(address: str, part: Path, *, resume: bool, progress: Progress | None) -> None:
    """One attempt at `fetch`.

    Raises:
        BrokenOffError: if fewer bytes came than the server announced.
    """
    request = urllib.request.Request(
        address, headers={"User-Agent": AGENT, **range_headers(part, resume)}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        goes_on = answer.status == PARTIAL_CONTENT
        done = part.stat().st_size if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length is not None else None
        note_stamp(part, answer.headers)
        with part.open("ab" if goes_on else "wb") as file:
            while chunk := next_chunk(answer):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise BrokenOffError(f"the connection ended after {done} of {total} bytes")


def next_chunk(answer: http.client.HTTPResponse) -> bytes:
    """Some more bytes, none at the end; kept apart from writing, whose faults are of another kind.

    Raises:
        BrokenOffError: if the connection fails.
    """
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise BrokenOffError(f"the connection failed ({error})") from error


def range_headers(part: Path, resume: bool) -> dict[str, str]:
    """The header that asks for the rest only: bound to the version of the file that `part` began with, if known."""
    stamp = None
    with contextlib.suppress(OSError, ValueError):
        stamp = json.loads(stamp_of(part).read_text(encoding="utf-8"))
    if not part.is_file() or part.stat().st_size == 0 or not (stamp or resume):
        return {}
    # with If-Range a server sends the whole file if it is another version by now
    return {"Range": f"bytes={part.stat().st_size}-"} | ({"If-Range": str(stamp)} if stamp else {})


def note_stamp(part: Path, headers: http.client.HTTPMessage) -> None:
    """Remember the server's stamp of the file's version; a weak one ("W/…") does not promise equal bytes."""
    stamp = headers.get("ETag")
    if stamp and not stamp.startswith("W/"):
        stamp_of(part).write_text(json.dumps(stamp), encoding="utf-8")
    else:
        stamp_of(part).unlink(missing_ok=True)


def stamp_of(part: Path) -> Path:
    """The small file beside `part` that holds the stamp."""
    return part.with_name(f"{part.name}.etag")


def matches(path: Path, sha256: str) -> bool:
    """Whether the file's SHA-256 begins with the published digits; with none published, always."""
    return not sha256 or sha256_of(path).startswith(sha256)


def sha256_of(path: Path) -> str:
    """Hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
