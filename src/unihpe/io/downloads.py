"""Fetching files so that a cache folder never holds a wrong or half a file."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from importlib import resources
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from unihpe.errors import InputError, one_line
from unihpe.io.files import input_errors

ATTEMPTS = 3
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 20
AGENT = {"User-Agent": "unihpe"}  # some hosts refuse urllib's own name
# called with the bytes there are so far and, where the server says so, those of the whole file
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class RemoteFile:
    name: str  # what commands call it
    file: str  # its name in the cache folder and on a mirror
    url: str
    sha256: str  # hexadecimal, or the first digits of it as far as published; "" if not published
    made: str = field(default="", kw_only=True)  # the command that makes it of what is at `url`


def cache_folder() -> Path:
    """Where files are kept: $UNIHPE_CACHE, or ~/.cache/unihpe."""
    chosen = os.environ.get("UNIHPE_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "unihpe"


def download(
    wanted: RemoteFile,
    cache: Path | None = None,
    mirror: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Path:
    """The path of a file, from the package or in the cache, fetched if it is not there, checked
    where a hash is known.

    A broken download leaves `….part` in the cache, and the next call goes on from there. The final
    name appears only when the file is whole and checked. Not meant for two processes at once.
    `mirror` is the address of a folder that has the files under their cache names.
    """
    packaged, sha256 = Path(str(resources.files("unihpe") / "checkpoints")), wanted.sha256
    for folder in (packaged, cache_folder() if cache is None else cache):
        if (there := (path := folder / wanted.file).is_file()) and _matches(path, sha256):
            return path
    if offline or (wanted.made and mirror is None):
        other = f"{path}: its SHA-256 does not begin with {sha256}; delete it and fetch it again"
        fetching = f"`unihpe weights download {wanted.name}`, or put it at {path}"
        if wanted.made:
            fetching = f"`{wanted.made} -o {path}` makes it (docs/weights.md)"
        absent = f"{wanted.name} is not in the cache: {fetching} (from {wanted.url})"
        raise InputError(f"{other} online" if there else absent)
    address = f"{mirror.rstrip('/')}/{quote(wanted.file)}" if mirror is not None else wanted.url
    if urlsplit(address).scheme not in ("http", "https"):
        raise InputError(f"{address}: not an http or https address; give the mirror as https://…")
    part = path.with_name(f"{path.name}.part")
    with input_errors(f"cannot write {path}", "choose a folder with $UNIHPE_CACHE", (OSError,)):
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(address, part, bool(sha256), progress)
        _finish(part, path, sha256, address)
    return path


def _finish(part: Path, path: Path, sha256: str, address: str) -> None:
    """Check a whole download and give it its name; a wrong one is removed, an InputError."""
    _stamp_of(part).unlink(missing_ok=True)
    if not _matches(part, sha256):
        part.unlink()
        what = f"its SHA-256 does not begin with {sha256}: not the published file"
        raise InputError(f"{address}: {what}, so nothing was kept; try again, or another mirror")
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _fetch(address: str, part: Path, hashed: bool, progress: Progress | None) -> None:
    """Load an address into `part`, going on where an earlier attempt ended, or an InputError."""
    fault: Exception | None = None
    for attempt in range(ATTEMPTS):
        time.sleep(attempt)
        try:
            return _receive(address, part, hashed, progress)
        except HTTPError as error:
            error.close()
            fault = error
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.exists():
                part.unlink()  # longer than the file now is, or whole but never renamed
            elif error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break  # asking again will not help
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            fault = error
    reason = one_line(getattr(fault, "reason", None) or fault)
    remedy = "check the network and run again (it goes on where it stopped)"
    by_hand = f"put the file at {part.with_suffix('')} by hand"
    raise InputError(f"{address}: {reason}; {remedy}, or {by_hand}") from fault


def _receive(address: str, part: Path, hashed: bool, progress: Progress | None) -> None:
    """One attempt at `_fetch`; ConnectionError if fewer bytes came than the server announced."""
    request = Request(address, headers=AGENT | _range_headers(part, hashed))
    with urlopen(request, timeout=TIMEOUT) as answer:
        continued = answer.status == HTTPStatus.PARTIAL_CONTENT
        done = part.stat().st_size if continued else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length is not None else None
        stamp = answer.headers.get("ETag", "")
        if stamp and not stamp.startswith("W/"):  # a weak one does not promise equal bytes
            _stamp_of(part).write_text(stamp, encoding="utf-8")
        else:
            _stamp_of(part).unlink(missing_ok=True)
        with part.open("ab" if continued else "wb") as file:
            while chunk := _next_chunk(answer):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"the connection ended after {done} of {total} bytes")


def _next_chunk(answer: HTTPResponse) -> bytes:
    """Some more bytes, none at the end; apart from writing, whose faults are of another kind."""
    try:
        return answer.read(CHUNK)
    except (OSError, HTTPException) as error:
        raise ConnectionError(f"the connection failed ({error})") from error


def _range_headers(part: Path, hashed: bool) -> dict[str, str]:
    # With If-Range a server sends the whole file if it is another version by now. Without a stamp
    # the rest is asked for only where a hash will show a mixture of two versions.
    note, done = _stamp_of(part), part.stat().st_size if part.is_file() else 0
    stamp = note.read_text(encoding="utf-8") if note.is_file() else ""
    if not done or not (stamp or hashed):
        return {}
    return {"Range": f"bytes={done}-"} | ({"If-Range": stamp} if stamp else {})


def _stamp_of(part: Path) -> Path:
    """The small file beside `part` that holds the server's stamp of the version (ETag)."""
    return part.with_name(f"{part.name}.etag")


def _matches(path: Path, sha256: str) -> bool:
    """Whether the file's SHA-256 begins with the published digits; with none published, always."""
    if not sha256:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(sha256)
