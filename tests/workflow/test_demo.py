"""The demo in a real browser: the depth of predict.py, nothing asked of other hosts, files that can be read back."""

import shutil
import subprocess
import sys
import time

import browser
import export_demo
import numpy as np
import pytest
from conftest import REPOSITORY, runtime_python
from densedepth.demo import npm_package, pages
from densedepth.errors import PipelineError
from PIL import Image

PYTHON = runtime_python("tf2")
VERTEX = [(axis, "<f4") for axis in "xyz"] + [(colour, "u1") for colour in ("red", "green", "blue")]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The archive of ONNX Runtime Web: the one in dataset/, or fetched by npm."""
    path = REPOSITORY / "dataset" / pages.RUNTIME.archive
    if not path.exists():
        path = tmp_path_factory.mktemp("npm") / pages.RUNTIME.archive
        if shutil.which("npm") is None:
            pytest.skip("no npm on PATH, and no {} in dataset/".format(path.name))
        try:
            npm_package.fetch(pages.RUNTIME, str(path))
        except PipelineError as error:
            if "npm cannot fetch" not in str(error):
                raise
            pytest.skip(str(error))
    return str(path)


def run(python, program, *words):
    """Run a program of the repository."""
    words = [python, str(REPOSITORY / "workflow/scripts" / program), *map(str, words)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def photos(walked, tmp_path_factory):
    """A photo of the sample, larger than the network's input, and a narrow one that is smaller."""
    folder = tmp_path_factory.mktemp("photos")
    shutil.copy(walked.path("results/sample/examples/1.png"), folder / "room.png")
    with Image.open(folder / "room.png") as room:
        room.resize((41, 75)).save(folder / "narrow.png")
    return folder


@pytest.fixture(scope="module")
def demo(walked, photos, package, tmp_path_factory, quick):
    """The demo of a finished run; beside it what predict.py makes of the photos with the same network."""
    looked = "import importlib.util, sys; sys.exit(importlib.util.find_spec('tf2onnx') is None)"
    if not PYTHON.exists() or subprocess.run([str(PYTHON), "-c", looked]).returncode:
        pytest.skip("tf2onnx is not installed; `make onnx` adds it to tf2")
    folder = tmp_path_factory.mktemp("demo")
    network = folder / "model.onnx"
    python = quick(PYTHON)
    run(python, "export_onnx.py", "--model_path", walked.path("results/1p/export/model.pb"), "--out", network)
    words = ("--write", "npy", "ply", "colour")
    run(python, "predict.py", "--model_path", network, "--input", photos, "--out", folder / "expected", *words)
    words = ["--model_path", str(network), "--out", str(folder / "demo"), "--name", "1p", "--package", package]
    assert export_demo.main(words) == 0
    return folder


class Page:
    """The demo, opened. `photo` and `chosen` give it a file, `saved` presses a button."""

    def __init__(self, chromium, address, downloads):
        self.chromium, self.address, self._downloads = chromium, address, downloads
        chromium.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def wait(self, condition):
        """Until a JavaScript expression is true; what the page says tells why it never is."""
        for _ in range(2400):
            if self.chromium.evaluate(condition):
                return
            time.sleep(0.05)
        raise AssertionError("{}: {}".format(condition, self.chromium.evaluate("document.body.innerText")))

    def text(self, name):
        return self.chromium.evaluate("document.getElementById('{}').textContent".format(name))

    def dropped(self, path):
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.chromium.call("Input.dispatchDragEvent", type=kind, x=200, y=50, data=data)

    def chosen(self, path):
        root = self.chromium.call("DOM.getDocument")["root"]["nodeId"]
        node = self.chromium.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.chromium.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def saved(self, button, name):
        """The path of the file of that name, which this button saves."""
        path = self._downloads / name
        path.unlink(missing_ok=True)
        self.chromium.evaluate("document.getElementById('{}').click()".format(button))
        for _ in range(2400):
            if path.exists():
                return path
            time.sleep(0.05)
            self.chromium.evaluate("0")
        raise AssertionError("{} was not saved".format(name))


@pytest.fixture(scope="module")
def page(demo, tmp_path_factory):
    """The demo as its own server serves it, in a window of 1280 pixels, its network ready."""
    words = [sys.executable, str(demo / "demo/serve.py"), "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            address = server.stdout.readline().split()[0]
            with browser.browser("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as chromium:
                opened = Page(chromium, address, tmp_path_factory.mktemp("downloads"))
                chromium.open(address, width=1280)
                opened.wait("document.getElementById('backend').textContent.startsWith('Web')")
                yield opened
        finally:
            server.kill()


def cloud(path):
    """(comment lines, points) of a binary PLY file."""
    head, _, content = path.read_bytes().partition(b"end_header\n")
    lines = head.decode("ascii").splitlines()
    return [line for line in lines if line.startswith("comment")], np.frombuffer(content, VERTEX)


@browser.needs_browser
def test_the_network_runs_and_the_page_says_what_it_is(page):
    # Several threads need the headers of its server.
    assert page.chromium.evaluate("crossOriginIsolated")
    assert page.text("backend").startswith("WebAssembly, ")
    text = page.chromium.evaluate("document.querySelector('header').innerText")
    assert "0.1 to 10 m" in text and "96 × 64 pixels" in text and "1p, epoch 2" in text


@browser.needs_browser
@pytest.mark.parametrize("name, given", [("room", "dropped"), ("narrow", "chosen")])
def test_depth_is_that_of_predict_py(page, demo, photos, name, given):
    expected = np.load(demo / "expected" / (name + "_depth.npy"))
    height, width = expected.shape
    # Depth that is at a limit everywhere would prove nothing.
    assert np.ptp(expected) > 0.01
    getattr(page, given)(photos / (name + ".png"))
    page.wait("document.getElementById('title').textContent.startsWith('{}.png')".format(name))
    assert page.text("title") == "{}.png, {} × {} pixels".format(name, width, height)
    assert page.text("message") == "" and "(network " in page.text("time")

    comments, points = cloud(page.saved("save_points", name + "_points.ply"))
    theirs, wanted = cloud(demo / "expected" / (name + "_points.ply"))
    assert comments == theirs and len(points) == height * width
    for axis in "xyz":
        np.testing.assert_allclose(points[axis], wanted[axis], rtol=1e-3, atol=1e-6)
    for colour in ("red", "green", "blue"):
        np.testing.assert_array_equal(points[colour], wanted[colour])
    with Image.open(page.saved("save_depth", name + "_depth_mm.png")) as image:
        np.testing.assert_allclose(np.asarray(image) / 1000, expected, rtol=1e-3, atol=6e-4)
    with Image.open(page.saved("save_colours", name + "_colour.png")) as image:
        mine = np.asarray(image.convert("RGB"))
    with Image.open(demo / "expected" / (name + "_colour.png")) as image:
        assert (mine == np.asarray(image)).all(axis=2).mean() > 0.99

    # Of many pixels, every n-th of every n-th row is drawn; the cloud turns by the keyboard, too.
    drawn = "[document.getElementById('cloud').dataset.points, document.getElementById('cloud').toDataURL()]"
    page.chromium.evaluate("document.getElementById('cloud').focus()")
    before = page.chromium.evaluate(drawn)
    page.chromium.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft")
    after = page.chromium.evaluate(drawn)
    assert before[0] == after[0] == str({"room": 320 * 240, "narrow": 41 * 75}[name]) and before[1] != after[1]

    # Under the pointer, and by the arrow keys.
    column, row = width // 3, height // 4
    box = "document.getElementById('depth').getBoundingClientRect()"
    page.chromium.evaluate("document.getElementById('depth').scrollIntoView({block: 'center'})")
    left, top, wide, high = page.chromium.evaluate("(b => [b.left, b.top, b.width, b.height])({})".format(box))
    page.chromium.point(left + (column + 0.5) / width * wide, top + (row + 0.5) / height * high)
    metres, _, rest = page.text("read").partition(" m at ")
    assert rest == "column {}, row {}".format(column, row)
    assert float(metres) == pytest.approx(expected[row, column], abs=0.006)
    page.chromium.evaluate("document.getElementById('depth').focus()")
    page.chromium.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowDown")
    assert page.text("read").endswith("column {}, row {}".format(column, row + 1))


@browser.needs_browser
def test_the_camera_s_angle_counts(page, photos):
    # Tests of this file may be shared out among processes: what it measures, it brings.
    page.chosen(photos / "narrow.png")
    page.wait("document.getElementById('title').textContent.startsWith('narrow.png')")
    page.chromium.evaluate(TYPE.format("angle", "90"))
    comments, points = cloud(page.saved("save_points", "narrow_points.ply"))
    assert comments[1].startswith("comment fx 20.500 fy 20.500 cx 20.000 cy 37.000")
    np.testing.assert_allclose(points["x"][0], -20 / 20.5 * points["z"][0], rtol=1e-6)
    page.chromium.evaluate(TYPE.format("angle", ""))


TYPE = """(function (field) {{
  field.value = '{1}';
  field.dispatchEvent(new Event('input'));
}})(document.getElementById('{0}'))"""


@browser.needs_browser
@pytest.mark.parametrize("end", [".png", ".jpg"])
def test_a_damaged_or_foreign_file_is_one_line(page, photos, tmp_path, end):
    with Image.open(photos / "room.png") as image:
        image.save(tmp_path / ("whole" + end))
    whole = (tmp_path / ("whole" + end)).read_bytes()
    for name, content in (("text", b"no image\n" * 20), ("half", whole[: len(whole) // 2])):
        (tmp_path / (name + end)).write_bytes(content)
        page.dropped(tmp_path / (name + end))
        said = "{}: not a whole image that this browser can read".format(name + end)
        page.wait("document.getElementById('message').textContent === '{}'".format(said))


@browser.needs_browser
def test_a_webcam_is_shown_until_it_is_stopped(page):
    press = "document.getElementById('webcam').click()"
    page.chromium.evaluate(press)
    page.wait("document.getElementById('title').textContent === 'webcam.png, 640 × 480 pixels'")
    page.chromium.evaluate(press)
    assert page.text("webcam") == "Use the webcam"


@browser.needs_browser
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_fits_its_window(page, width):
    page.chromium.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    assert page.chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")


@browser.needs_browser
def test_the_browser_knows_the_style(page, demo):
    assert browser.unknown_declarations(page.chromium, (demo / "demo/demo.css").read_text()) == []


@browser.needs_browser
def test_a_page_without_a_server_says_so(demo):
    with browser.browser() as chromium:
        chromium.open(demo / "demo/index.html")
        assert "run python3 serve.py in its folder" in chromium.evaluate("document.body.innerText")


@browser.needs_browser
def test_nothing_was_asked_of_another_host(page):
    asked = page.chromium.requests()
    assert [url for url in asked if not url.startswith(page.address)] == []
    # What the network's own thread asks for is among them.
    assert {"model.onnx", "ort-wasm-simd-threaded.wasm"} <= {url.rpartition("/")[2] for url in asked}
    # Of graphics Chromium tells by itself that there are none.
    texts = [complaint.get("entry", {}).get("text") for complaint in page.chromium.complaints()]
    assert [text for text in texts if text != "No available adapters."] == []
