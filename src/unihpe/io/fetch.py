"""Files from addresses that people name: http and https, not from private networks, not endless."""

import contextlib
import ipaddress
import re
import socket
import string
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    UnknownHandler,
)

from unihpe.errors import InputError, one_line
from unihpe.io.downloads import Progress

LARGEST, LONGEST = 2 * 2**30, 900.0  # bytes, and seconds, of one file
SILENCE = 30.0  # seconds without a byte
CHUNK = 1 << 18
UNSAFE = re.compile(r"[^\w.\- ]+")  # in names of files
AGENT = {"User-Agent": "unihpe"}  # some hosts refuse urllib's own name
Report = Callable[[str], AbstractContextManager[Progress]]  # by a file's name: who is told of bytes


def unheard(name: str) -> AbstractContextManager[Progress]:
    """A report to nobody."""
    return nullcontext(lambda have, whole: None)


def is_address(name: str) -> bool:
    """Whether a source is an address on the web."""
    return name.lower().startswith(("http://", "https://"))


def fetch(
    address: str,
    folder: Path,
    private: bool = False,
    largest: int = LARGEST,
    longest: float = LONGEST,
    report: Report = unheard,
) -> Path:
    """The file at an http or https address, in a folder, under its own name.

    Args:
        private: whether hosts of private networks and this machine may be asked, too; without it,
            no redirect leads there either.
        largest, longest: bytes and seconds; what takes more is given up.

    Raises:
        InputError: for an address that cannot be read, leads to a private one, or is too large.
    """
    try:
        path = folder / _name_of(address)
        request = Request(_plain(address), headers=AGENT)
        asked = _opener(private).open(request, timeout=SILENCE)
        with asked as answer, report(path.name) as progress:
            _save(answer, path, largest, longest, progress)
    except InputError as error:
        raise InputError(f"{address}: {error}") from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        reason = one_line(getattr(error, "reason", None) or error, 160)
        raise InputError(f"{address}: {reason}; check it in a browser") from error
    return path


def _plain(address: str) -> str:
    """An address in ASCII, as browsers ask for one with spaces or letters such as ü."""
    parts = urlsplit(address)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    path, query = (quote(part, safe=string.punctuation) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))


def _name_of(address: str) -> str:
    """The last part of an address, as a file's name."""
    last = unquote(urlsplit(address).path.rpartition("/")[2])
    return UNSAFE.sub("_", last).strip(" .")[-80:] or "file"


def _save(
    answer: HTTPResponse, path: Path, largest: int, longest: float, progress: Progress
) -> None:
    """Write what a server sends."""
    begin, length = time.monotonic(), int(answer.headers.get("Content-Length") or 0)
    too_large = f"larger than {largest / 2**20:,.0f} MB; download it yourself"
    if length > largest:
        raise InputError(too_large)
    with path.open("wb") as file:
        while chunk := answer.read1(CHUNK):
            file.write(chunk)
            progress(file.tell(), length or None)
            if file.tell() > largest:
                raise InputError(too_large)
            if time.monotonic() - begin > longest:
                raise InputError(f"not there after {longest:g} s; download it yourself")
        if file.tell() < length:
            raise ConnectionError(f"the connection ended after {file.tell()} of {length} bytes")


def _opener(private: bool) -> OpenerDirector:
    """What opens http and https alone, without proxies, and follows redirects to them."""
    opener = OpenerDirector()
    web: list[Any] = [HTTPHandler(), HTTPSHandler()] if private else [_Http(), _Https()]
    rules = [HTTPRedirectHandler(), HTTPDefaultErrorHandler(), HTTPErrorProcessor()]
    for handler in (*web, *rules, UnknownHandler()):
        opener.add_handler(handler)
    return opener


def _connect(
    place: tuple[str, int], timeout: float | None = None, source: Any = None
) -> socket.socket:
    """A connection to a public host; the numbers that were checked are those that are asked."""
    host, port = place
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    *others, last = dict.fromkeys(str(number[0]) for *_, number in found)
    for number in (*others, last):
        if not ipaddress.ip_address(number.partition("%")[0]).is_global:
            raise InputError(f"{host} lies in a private network; --allow-private permits it")
    for number in others:  # such as IPv6, which the way there may lack
        with contextlib.suppress(OSError):
            return socket.create_connection((number, port), timeout, source)
    return socket.create_connection((last, port), timeout, source)


class _HttpConnection(HTTPConnection):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._create_connection = _connect


class _HttpsConnection(HTTPSConnection):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._create_connection = _connect


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> Any:
        return self.do_open(_HttpConnection, req)


class _Https(HTTPSHandler):
    def https_open(self, req: Request) -> Any:
        return self.do_open(_HttpsConnection, req)
