"""What the tests of this folder share."""

import http.server
import threading

import numpy as np
import pytest
from pairs import SIZE, listed, rgb, save
from record_archive import make_archive
from servers import Handler


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive") / "nyu_data.zip")


@pytest.fixture
def camera(tmp_path):
    """The list of 6 pairs; the fourth is faulty."""
    rows = []
    for number in range(6):
        depth = np.full(SIZE, 1000 + 1000 * number, np.uint16)
        depth[:8] = 0
        save(tmp_path / "{}.jpg".format(number), rgb(seed=number))
        save(tmp_path / "{}.png".format(number), depth)
        rows.append("{0}.jpg,{0}.png,{1}".format(number, "test" if number % 2 else "train"))
    (tmp_path / "3.jpg").write_bytes(b"")
    return listed(tmp_path, rows)


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    # What urllib has read of the environment before.
    monkeypatch.setattr("urllib.request._opener", None)


@pytest.fixture
def server(no_proxies):
    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.seen = []
    instance.files = {}
    instance.answers = {}
    instance.address = "http://127.0.0.1:{}".format(instance.server_address[1])
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield instance
    instance.shutdown()
    thread.join()
    instance.server_close()


@pytest.fixture
def out(tmp_path, no_proxies):
    return tmp_path / "folder" / "file.bin"
