"""Files from addresses: whole, of a size, and from nowhere private unless that is allowed."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from unihpe.errors import InputError
from unihpe.io import fetch as fetching
from unihpe.io.fetch import fetch, is_address

CONTENT = bytes(range(256)) * 40


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        place = self.path.rpartition("/")[2].partition("?")[0]
        if place.startswith("to-"):
            self.send_response(302)
            targets = {"to-file": "file:///etc/passwd", "to-itself": self.path}
            port = self.server.server_port
            targets |= {"to-private": f"http://127.0.0.1:{port}/a.mp4", "to-public": "/a.mp4"}
            self.send_header("Location", targets[place])
            self.end_headers()
        elif place == "endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(CONTENT)
        elif place == "none":
            self.send_error(404, "Not Found")
        else:
            self.send_response(200)
            length = 10**13 if place == "huge" else len(CONTENT)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(CONTENT)

    def log_message(self, *what):
        pass


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *what):
        pass  # whoever asked has gone


@pytest.fixture(scope="module")
def here():
    server = Quiet(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def public(here, monkeypatch):
    """The same server under a public name and number."""
    port, real, connect = int(here.rpartition(":")[2]), socket.getaddrinfo, socket.create_connection

    def getaddrinfo(host, *given, **named):
        if host == "public.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]
        return real(host, *given, **named)

    def create_connection(place, *given, **named):
        assert place[0] == "93.184.216.34", "the number that was checked"
        return connect(("127.0.0.1", port), *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    return f"http://public.example:{port}"


def test_files_come_whole_under_their_names(here, public, tmp_path):
    for place, name in (
        ("a.mp4?x=1/2", "a.mp4"),
        (f"x/{quote('ü b.jpg')}", "ü b.jpg"),
        ("", "file"),
    ):
        path = fetch(f"{public}/{place}", tmp_path)
        assert path == tmp_path / name and path.read_bytes() == CONTENT
    evil = fetch(f"{public}/{quote('..', safe='')}%2F..%2Fevil.mp4", tmp_path)
    assert evil.parent == tmp_path
    assert fetch(f"{public}/to-public", tmp_path).read_bytes() == CONTENT


def test_somebody_is_told_how_much_is_there(public, tmp_path):
    heard = []

    @contextmanager
    def report(name):
        yield lambda have, whole: heard.append((name, have, whole))
        heard.append("the end")

    fetch(f"{public}/x/a.mp4", tmp_path, report=report)
    assert heard[-2:] == [("a.mp4", len(CONTENT), len(CONTENT)), "the end"]
    heard.clear()
    with pytest.raises(InputError, match="larger than"):
        fetch(f"{public}/endless", tmp_path, largest=2**20, report=report)
    assert heard and all(whole is None for _, _, whole in heard)


def test_addresses_as_people_write_them(public, tmp_path):
    path = fetch(f"{public}/ü b/c d.jpg?e=ß g#h", tmp_path)
    assert path == tmp_path / "c d.jpg" and path.read_bytes() == CONTENT
    assert fetching._plain("http://bücher.example:80/%20ü?a=%C3%BC") == (
        "http://xn--bcher-kva.example:80/%20%C3%BC?a=%C3%BC"
    )


def test_hosts_with_several_numbers(public, tmp_path, monkeypatch):
    """One may not be reached from here; none may be private."""
    real, reached, private = socket.getaddrinfo, socket.create_connection, []

    def getaddrinfo(host, *given, **named):
        known = real(host, *given, **named)
        if host != "public.example":
            return known
        family = (socket.AF_INET6, socket.SOCK_STREAM, 6, "")
        return [*known, *[(*family, (number, 80)) for number in ("2606:2800::1", *private)]]

    def create_connection(place, *given, **named):
        if ":" in place[0]:
            raise OSError("Network is unreachable")
        return reached(place, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    assert fetch(f"{public}/a.mp4", tmp_path).read_bytes() == CONTENT
    private.append("fd00::1")
    with pytest.raises(InputError, match="private network"):
        fetch(f"{public}/a.mp4", tmp_path)


def test_private_hosts_are_refused_unless_allowed(here, tmp_path):
    port = here.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"):
        with pytest.raises(InputError, match="private network; --allow-private permits it"):
            fetch(f"http://{host}:{port}/a.mp4", tmp_path)
    assert fetch(f"{here}/a.mp4", tmp_path, private=True).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("to-private", "private network"),
        ("to-file", "check it in a browser"),
        ("to-itself", "check it in a browser"),
        ("none", "Not Found"),
        ("huge", "larger than 1 MB"),
        ("endless", "larger than 1 MB"),
    ],
)
def test_what_is_not_fetched(public, tmp_path, place, message):
    with pytest.raises(InputError, match=message) as raised:
        fetch(f"{public}/{place}", tmp_path, largest=2**20)
    assert str(raised.value).startswith(f"{public}/{place}: ")


def test_slow_files_are_given_up(public, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "CHUNK", 64)
    with pytest.raises(InputError, match="not there after 0.05 s"):
        fetch(f"{public}/endless", tmp_path, longest=0.05)


def test_no_proxy_is_asked(public, tmp_path, monkeypatch):
    """It would look names up itself, unchecked."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetch(f"{public}/a.mp4", tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("address", ["http://", "http://no host/", "https://[::1", "http://x:y/"])
def test_addresses_that_are_none(tmp_path, address):
    assert is_address(address)
    with pytest.raises(InputError, match="http"):
        fetch(address, tmp_path)
    assert not is_address("ftp://a/b") and not is_address("clip.mp4")
