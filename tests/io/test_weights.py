"""Public weights against a small server on this machine: resuming, wrong hashes, offline, nothing
half-written.
"""

import hashlib
import http.server
import threading
from dataclasses import dataclass, field, replace

import pytest

from unihpe.errors import InputError
from unihpe.io import downloads as weights
from unihpe.io.downloads import RemoteFile, cache_folder, download
from unihpe.model.backbones import public_file, public_files

BODY = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(BODY).hexdigest()


@dataclass
class Host:
    """What the server gives and what it was asked."""

    body: bytes = BODY
    etag: str | None = '"v1"'
    ranges: bool = True
    cut: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    status: list[int] = field(default_factory=list)  # the next answers are these errors
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def host():
    state = Host()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            if state.status:
                return self.send_error(state.status.pop(0))
            start = 0
            if wanted and state.ranges and self.headers.get("If-Range") in (None, state.etag):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(state.body):
                    return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(state.body) - start))
            if state.etag:
                self.send_header("ETag", state.etag)
            self.end_headers()
            end = state.cut.pop(0) if state.cut else len(state.body)
            self.wfile.write(state.body[start:end])

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(weights.time, "sleep", lambda seconds: None)


def net(host, sha256=DIGEST):
    return RemoteFile("net", "net-1.pth", f"{host.url}/public/model.pth", sha256)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("sha256", [DIGEST, DIGEST[:8], ""])
def test_fetched_once_then_from_the_cache(host, tmp_path, sha256):
    seen = []
    path = download(
        net(host, sha256), tmp_path, progress=lambda done, total: seen.append((done, total))
    )
    assert path == tmp_path / "net-1.pth"
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert names(tmp_path) == ["net-1.pth"]
    assert download(net(host, sha256), tmp_path) == path
    assert download(net(host, sha256), tmp_path, offline=True) == path
    assert host.asked == [("/public/model.pth", None)]


def test_a_mirror_has_the_files_under_their_cache_names(host, tmp_path):
    download(net(host), tmp_path, mirror=f"{host.url}/copies/")
    assert host.asked == [("/copies/net-1.pth", None)]
    with pytest.raises(InputError, match="not an http or https address"):
        download(net(host), tmp_path / "other", mirror="file:///etc")


def test_a_broken_connection_is_resumed_at_once(host, tmp_path):
    host.cut = [1000, 70000]
    path = download(net(host), tmp_path)
    assert path.read_bytes() == BODY
    assert [wanted for _, wanted in host.asked] == [None, "bytes=1000-", "bytes=70000-"]


@pytest.mark.parametrize("sha256", [DIGEST, ""])
def test_a_later_run_resumes(host, tmp_path, sha256):
    host.cut = [1000, 2000, 3000]
    with pytest.raises(
        InputError,
        match=r"ended after 3000 of 256000 bytes; check the network and run again .*"
        r" or put the file at .*net-1.pth by hand",
    ):
        download(net(host, sha256), tmp_path)
    assert names(tmp_path) == ["net-1.pth.part", "net-1.pth.part.etag"]
    assert download(net(host, sha256), tmp_path).read_bytes() == BODY
    assert host.asked[-1][1] == "bytes=3000-"
    assert names(tmp_path) == ["net-1.pth"]


def test_another_version_is_not_glued_to_the_old_start(host, tmp_path):
    host.cut = [1000] * 3
    with pytest.raises(InputError):
        download(net(host, ""), tmp_path)
    host.body, host.etag = BODY[::-1], '"v2"'
    assert download(net(host, ""), tmp_path).read_bytes() == BODY[::-1]


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_without_hash_and_stamp_it_starts_over(host, tmp_path, etag):
    host.etag = etag
    host.cut = [1000]
    assert download(net(host, ""), tmp_path).read_bytes() == BODY
    assert [wanted for _, wanted in host.asked] == [None, None]


def test_a_server_without_ranges(host, tmp_path):
    host.ranges = False
    host.cut = [1000]
    assert download(net(host), tmp_path).read_bytes() == BODY


def test_a_whole_part_that_was_never_renamed(host, tmp_path):
    (tmp_path / "net-1.pth.part").write_bytes(BODY)
    assert download(net(host), tmp_path).read_bytes() == BODY


def test_a_wrong_hash_is_refused_and_nothing_stays(host, tmp_path):
    host.body = BODY[:-1] + b"x"
    with pytest.raises(InputError, match="not the published file, so nothing was kept") as caught:
        download(net(host), tmp_path)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_a_damaged_cache_is_replaced_online_and_refused_offline(host, tmp_path):
    (tmp_path / "net-1.pth").write_bytes(b"damaged")
    with pytest.raises(InputError, match="delete it and fetch it again"):
        download(net(host), tmp_path, offline=True)
    assert download(net(host), tmp_path).read_bytes() == BODY


def test_offline_says_where_to_put_the_file(host, tmp_path):
    with pytest.raises(InputError, match=r"put it at .*net-1\.pth \(from http"):
        download(net(host), tmp_path, offline=True)
    assert host.asked == []


def test_what_the_package_holds_is_not_fetched(tmp_path):
    packaged = public_file("movenet_thunder")
    path = download(packaged, tmp_path)
    assert path.parent.name == "checkpoints" and not list(tmp_path.iterdir())
    other = replace(packaged, sha256="00")  # a damaged one is not taken
    with pytest.raises(InputError, match=f"thunder -o {tmp_path}/movenet_thunder.*` makes it"):
        download(other, tmp_path)


def test_what_is_made_can_come_from_a_mirror(host, tmp_path):
    made = RemoteFile("made", "made.bin", "https://nobody.invalid/x.tgz", DIGEST, made="make it")
    with pytest.raises(InputError, match="`make it -o .*made.bin` makes it"):
        download(made, tmp_path)
    assert download(made, tmp_path, host.url).read_bytes() == BODY


def test_errors_of_the_server(host, tmp_path):
    host.status = [404]
    with pytest.raises(InputError, match="Not Found"):
        download(net(host), tmp_path)
    assert len(host.asked) == 1  # asking again does not help
    host.status = [503, 503]
    assert download(net(host), tmp_path).read_bytes() == BODY


def test_nobody_there(tmp_path):
    nowhere = RemoteFile("net", "net-1.pth", "http://127.0.0.1:1/x", "")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1/x: .*refused.*; check the network"):
        download(nowhere, tmp_path)


def test_a_cache_that_cannot_be_written(host, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*UNIHPE_CACHE"):
        download(net(host), tmp_path / "file")


def test_a_full_disk(host, tmp_path):
    (tmp_path / "net-1.pth.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left"):
        download(net(host), tmp_path)
    assert not (tmp_path / "net-1.pth").exists()


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("UNIHPE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("UNIHPE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "unihpe"


def test_unknown_names_list_the_known():
    with pytest.raises(InputError, match="no weights named 'hrnet': take one of .*hrnet_w32_coco"):
        public_file("hrnet")


def test_the_table():
    files = public_files()
    assert len({entry.file for entry in files.values()}) == len(files)
    for entry in files.values():
        assert entry.url.startswith("https://")
        assert entry.licence and entry.about
        assert set(entry.sha256) <= set("0123456789abcdef")
        if entry.made:  # by our own tool, the same bytes each time
            assert len(entry.sha256) == 64
            continue
        # nothing but what the publisher wrote into the file's name
        assert not entry.sha256 or (len(entry.sha256) == 8 and f"-{entry.sha256}" in entry.url)
