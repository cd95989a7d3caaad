"""A real Chromium without a window, driven through its debugging pipe; nothing but the standard library and pytest."""

import base64
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import pytest

_FOLLOW = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
_BEGIN = "Runtime.runIfWaitingForDebugger"

COMMANDS = ("chromium", "chromium-browser", "google-chrome")


def command():
    """The path of a Chromium, or None."""
    return next((path for path in map(shutil.which, COMMANDS) if path), None)


needs_browser = pytest.mark.skipif(command() is None, reason="no Chromium on PATH; on Debian: apt-get install chromium")


class Browser:
    """One page. `events` are all that the browser has reported."""

    def __init__(self, to_browser, from_browser):
        self._to, self._from = to_browser, from_browser
        self._number = 0
        self._session = None
        self._rest = b""
        self.events = []

    def call(self, method, **params):
        """The result of a command of the DevTools protocol."""
        number = self._send(method, params, self._session)
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self._note(self._read())

    def _send(self, method, params, session):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        return self._number

    def _note(self, event):
        self.events.append(event)
        if event.get("method") == "Target.attachedToTarget" and event["params"]["waitingForDebugger"]:
            # A worker: it begins when what it asks of the network is reported, too, and so are its own workers.
            for method, params in (("Network.enable", {}), ("Target.setAutoAttach", _FOLLOW), (_BEGIN, {})):
                self._send(method, params, event["params"]["sessionId"])

    def _read(self):
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, address, width=1200, height=900):
        """Load a file, or a page of http; whatever it asks of the network is among the events."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.call("Target.setAutoAttach", **_FOLLOW)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        address = str(address)
        self.call("Page.navigate", url=address if address.startswith("http") else "file://" + address)
        self.wait("Page.loadEventFired")

    def evaluate(self, expression):
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def point(self, x, y):
        """Move the pointer to a place in the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path):
        """Write what the window shows as a PNG."""
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def requests(self):
        """Addresses that the page asked for, those inside itself left out."""
        urls = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith(("data:", "blob:"))]

    def complaints(self):
        """What scripts threw and what the browser logged."""
        names = ("Runtime.exceptionThrown", "Log.entryAdded")
        return [event["params"] for event in self.events if event.get("method") in names]


def unknown_declarations(chromium, style):
    """The declarations (name, value) of a style that the browser does not know, and would drop without a word."""
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    assert style.count("{") == style.count("}")
    found = re.findall(r"^\s*([-\w]+):\s([^;{}]+);", style, re.MULTILINE)
    assert len(found) == style.count(";")
    colours = {name for name, _ in found if name.startswith("--")}

    def known(name, value):
        # Nothing is known to be wrong of a value that is still to be put in: any colour does.
        value = re.sub(r"var\(.*?\)", "red", " ".join(value.split()))
        return chromium.evaluate("CSS.supports({!r}, {!r})".format("color" if name in colours else name, value))

    return [pair for pair in found if not known(*pair)]


@contextlib.contextmanager
def browser(*flags):
    """A `Browser` with these flags, ended at the end with all its processes."""
    # The browser reads from 3 and writes to 4: the ends are first moved out of the way of these numbers.
    pipes = [os.pipe(), os.pipe()]
    (theirs_in, ours_out), (ours_in, theirs_out) = pipes
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in (theirs_in, theirs_out)]

    def arrange():
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    with tempfile.TemporaryDirectory() as profile:
        words = [command(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        words += ["--no-first-run", "--hide-scrollbars", "--user-data-dir=" + profile, "--remote-debugging-pipe"]
        words += flags
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
        options["env"] = dict(os.environ, TMPDIR=profile)
        process = subprocess.Popen(words, preexec_fn=arrange, pass_fds=(3, 4), **options)
        # Read all along, so that a browser that complains much is not held up.
        said = threading.Thread(target=process.stderr.read)
        said.start()
        for end in [theirs_in, theirs_out, *high]:
            os.close(end)
        try:
            yield Browser(ours_out, ours_in)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            # Its helpers write into the profile until they are gone; the stream, which they have too, ends with them.
            said.join()
            process.stderr.close()
            os.close(ours_out)
            os.close(ours_in)
