"""A page in headless Chromium, in real time: what a script sees in it."""

import json
import queue
import shutil
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here to open a page with")
PATIENCE = 120  # seconds
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-quic"),
    "--remote-debugging-port=0",  # without a task, it would end at once
)
AROUND = """
<script>
  const say = seen => fetch("http://127.0.0.1:{port}", {{
    method: "POST", mode: "no-cors", body: JSON.stringify(seen) }});
  window.onerror = (text, file, line) => {{ say({{ error: `${{text}}, line ${{line}}` }}); }};
</script>
{page}
<script>(async () => {{
  const sleep = time => new Promise(done => setTimeout(done, time));
  const until = async done => {{ while (!done()) await sleep(10); }};
  const pixel = (canvas, x, y) => {{
    const at = [x * canvas.width, y * canvas.height].map(Math.floor);
    return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
  }};
  const inked = canvas => {{
    const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return all.filter((value, n) => n % 4 === 3 && value > 40).length;
  }};
  {script}
}})().then(say, error => say({{ error: String(error) }}));
</script>"""


def seen_in(page, script, tmp_path, width=1100, height=900):
    """What a script returns that runs in a page; it knows `sleep`, `until`, `pixel`, `inked`."""
    copy = page.with_name(f"{page.stem} probed.html")
    with _listening() as (port, heard):
        around = AROUND.format(page=page.read_text("utf-8"), script=script, port=port)
        copy.write_text(around, "utf-8")
        options = [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},{height}"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        browser = subprocess.Popen([CHROMIUM, *FLAGS, *options, copy.as_uri()], **quiet)
        try:
            seen = heard.get(timeout=PATIENCE)
        finally:
            browser.terminate()
            browser.wait(PATIENCE)
            copy.unlink()
    assert not (isinstance(seen, dict) and "error" in seen), seen
    return seen


@contextmanager
def _listening():
    """A port of this machine, and what is sent to it."""
    heard = queue.Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port, heard
        finally:
            server.shutdown()
            thread.join()
