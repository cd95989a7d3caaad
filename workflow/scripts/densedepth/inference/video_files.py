"""Videos, read and written frame by frame by ffmpeg; memory is that of a few frames, however long they are.

ffmpeg is the one in the package imageio-ffmpeg, or without it the one on PATH. It runs as a process of its own, so
decoding and encoding go on beside the network. Frames come upright, as the video's rotation says, at one size and a
constant rate: where the rate varies, frames are repeated or left out so that times stay.
"""

import collections
import contextlib
import errno
import fractions
import os
import re
import shutil
import subprocess
import threading
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import file_names, files
from ..errors import PipelineError

# Ends of names that are written, and ffmpeg's names of the containers.
WRITTEN = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}


class Clip(NamedTuple):
    """What is known of a video before it is read."""

    # (height, width), upright.
    size: Tuple[int, int]
    # Frames a second.
    rate: fractions.Fraction
    # Width of a pixel by its height.
    aspect: fractions.Fraction
    # About how many frames it has, by its duration; None where the file does not tell.
    frames: Optional[int]


def is_video(path: str) -> bool:
    """Whether a file is taken for a video, by its name."""
    return path.lower().endswith(file_names.VIDEOS)


def container(path: str) -> str:
    """ffmpeg's name of the container that is written to `path`. Raises PipelineError for an end that none has."""
    kind = WRITTEN.get(os.path.splitext(path)[1].lower())
    if not kind:
        raise PipelineError(
            "--out {}: videos are written as {} only; or give a folder".format(path, ", ".join(WRITTEN))
        )
    return kind


def describe(path: str) -> Clip:
    """The `Clip` in the file. Raises PipelineError when no frame of it can be read."""
    if os.path.isfile(path) and not os.path.getsize(path):
        raise PipelineError("{}: is empty; copy or record it again".format(path))
    # Of the formats without compression, this one tells size, rate and aspect, and these are of the turned frame.
    command = _reading(path) + ["-frames:v", "1", "-pix_fmt", "gray", "-f", "yuv4mpegpipe", "pipe:1"]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    log = answer.stderr.decode(errors="replace")
    head = {word[:1]: word[1:] for word in answer.stdout[:200].split(b"\n")[0].decode("latin-1").split()[1:]}
    if not {"W", "H", "F"} <= set(head):
        raise PipelineError("{}: {}".format(path, _no_video(path, log, answer.returncode)))
    rate, aspect = (_ratio(head.get(letter, "1:1")) for letter in "FA")
    found = re.search(r"Duration: (\d+):(\d\d):(\d\d\.\d+)", log)
    seconds = sum(float(part) * unit for part, unit in zip(found.groups(), (3600, 60, 1))) if found else 0
    return Clip((int(head["H"]), int(head["W"])), rate, aspect, round(seconds * rate) or None)


def frames(path: str, clip: Clip) -> Iterator[np.ndarray]:
    """Yield the frames of the video that `describe` calls `clip`: uint8 (H, W, 3).

    Raises PipelineError at damage, and where the frames change their size.
    """
    command = _reading(path) + ["-r", str(clip.rate), "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
    count = 3 * clip.size[0] * clip.size[1]
    with _Process(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        done = 0
        for data in iter(lambda: process.popen.stdout.read(count), b""):
            _check_size(path, process)
            done += 1
            yield np.frombuffer(data, np.uint8).reshape(clip.size + (3,))
        status = process.wait()
        _check_size(path, process)
        if status:
            words = "{}: damaged after {} frames ({}); let ffmpeg leave out what it cannot read: ffmpeg -i {} out.mp4"
            raise PipelineError(words.format(path, done, process.reason(), os.path.basename(path)))


def _check_size(path, process):
    if len(process.sizes) > 1:
        old, new = ("{1}x{0}".format(*size) for size in process.sizes[:2])
        words = "{}: its frames change from {} to {}; make them one size: ffmpeg -i {} -vf scale={} out.mp4"
        raise PipelineError(words.format(path, old, new, os.path.basename(path), old.replace("x", ":")))


@contextlib.contextmanager
def writer(path: str, size: Tuple[int, int], clip: Clip) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield what takes the frames, uint8 (H, W, 3) of `size` (H, W), of a video with the rate and aspect of `clip`.

    H.264 with colours by BT.709, sides continued to even numbers of pixels. The file is there, whole, when the block
    has ended well, and is not otherwise. Raises PipelineError where ffmpeg cannot write it, OSError on a full disk.
    """
    kind = container(path)
    height, width = (side + side % 2 for side in size)
    command = [_ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "level+warning", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "{}x{}".format(width, height), "-r", str(clip.rate)]
    command += ["-i", "pipe:0", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"]
    command += ["-vf", "scale=out_color_matrix=bt709:out_range=tv,setsar={}".format(clip.aspect)]
    command += ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    with files.atomic_path(path) as temporary:
        with _Process(command + ["-f", kind, temporary], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:

            def write(rgb: np.ndarray) -> None:
                even = np.pad(rgb, ((0, height - size[0]), (0, width - size[1]), (0, 0)), "edge")
                with contextlib.suppress(BrokenPipeError):
                    process.popen.stdin.write(even.tobytes())
                    return
                _not_written(path, process)

            yield write
            with contextlib.suppress(BrokenPipeError):
                process.popen.stdin.close()
            if process.wait():
                _not_written(path, process)


def _not_written(path, process):
    process.wait()
    reason = process.reason()
    if "No space left" in reason:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    raise PipelineError("{}: cannot be written ({})".format(path, reason))


class _Process:
    """ffmpeg while a block runs: killed at its end where it still works. Its messages are read beside it."""

    def __init__(self, command: List[str], **streams: Any) -> None:
        self.popen: Any = subprocess.Popen(command, stderr=subprocess.PIPE, **streams)
        # (height, width) of the frames before they are turned and scaled, each new one as it comes.
        self.sizes: List[Tuple[int, int]] = []
        self._lines: collections.deque = collections.deque(maxlen=200)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for raw in self.popen.stderr:
            line = raw.decode(errors="replace")
            self._lines.append(line)
            found = re.match(r"\[graph .*\bw:(\d+) h:(\d+)", line)
            size = (int(found.group(2)), int(found.group(1))) if found else None
            if size and size not in self.sizes[-1:]:
                self.sizes.append(size)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.popen.poll() is None:
            self.popen.kill()
        self.wait()
        for stream in filter(None, (self.popen.stdin, self.popen.stdout, self.popen.stderr)):
            with contextlib.suppress(OSError):
                stream.close()

    def wait(self):
        """The exit status, once all messages are read."""
        status = self.popen.wait()
        self._reader.join()
        return status

    def reason(self):
        """Why it failed, in a line."""
        return _reason("".join(self._lines), self.popen.returncode)


def _ffmpeg() -> str:
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        found = shutil.which("ffmpeg")
    if not found:
        raise PipelineError(
            "videos need ffmpeg, which is not there; pip install imageio-ffmpeg, or the system's package ffmpeg"
        )
    return found


def _reading(path):
    """ffmpeg up to the streams of a file: the first that is a video, not a cover; no file that it may point to."""
    command = [_ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "level+verbose", "-xerror"]
    return command + ["-protocol_whitelist", "file", "-i", "file:" + path, "-map", "0:V:0"]


def _ratio(words):
    over, under = map(int, words.split(":"))
    return fractions.Fraction(over, under) if over and under else fractions.Fraction(1)


def _no_video(path, log, status):
    if "matches no streams" in log:
        return "has no video in it"
    without_frame = re.search(r"Stream #0:\d.*: Video:", log)
    words = "a video without a frame that can be read ({})" if without_frame else "not a video that can be read ({})"
    # What is not there or must not be read, ffmpeg cannot convert either.
    if os.access(path, os.R_OK):
        words += "; play it, or convert it: ffmpeg -i {} out.mp4"
    return words.format(_reason(log, status), os.path.basename(path))


def _reason(log, status):
    """The last error among ffmpeg's messages, or how it ended."""
    found = re.findall(r"(?m)^(?:\[[^\]]*@[^\]]*\] )?\[(?:error|fatal)\] (.*\S)", log)
    if found:
        return found[-1].split(": ")[-1].rstrip(".")
    return "ffmpeg ended with status {}".format(status)
