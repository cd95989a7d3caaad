"""Depth of a video as a video: colours of one scale for all frames, and how much depth flickers.

Frames are read a batch ahead of the network and drawn a batch behind it; memory does not grow with the clip.
"""

import concurrent.futures
import itertools
import os
import time
from typing import Any, Iterator, List, Sequence, Tuple

import numpy as np

from .. import files, progress
from ..errors import PipelineError
from ..imaging import depth, panels, temporal
from . import forward, prediction_files, video_files


def write(predictor: Any, path: str, out: str, side_file: str, options: Any, size: Tuple[int, int]) -> None:
    """Write the depth of the video `path` to the video `out`, and to the JSON `side_file` what it is.

    options: as of `predictions`. `scale`, or else its `limits`, are the ends of the colours; with "panel" among its
    `kinds` each frame stands beside its depth; `smooth` is the weight of `temporal.Smoother`. size: (height, width) of
    the network's input. Says frames a second, and at the end the flicker. Raises PipelineError for a video that cannot
    be read to its end, and then leaves both files as they were; so it does where `prediction_files.check_own` refuses.
    """
    video_files.container(out)
    clip = video_files.describe(path)
    stem = os.path.splitext(side_file)[0]
    ends = [out[len(stem) :]]
    prediction_files.check_own(stem, ends, path)
    draw = _drawing(os.path.basename(path), options)
    shown = draw(np.zeros(clip.size + (3,), np.uint8), np.full(clip.size, options.limits[0], np.float32)).shape[:2]
    maps = _Maps(predictor, depth.place(clip.size, size), options)
    report = progress.Progress(clip.frames, "frames", os.path.basename(path))
    started, done = time.monotonic(), 0
    frames = _Frames(path, clip, maps.where, size, predictor.batch or options.batch_size)
    with video_files.writer(out, shown, clip) as add, concurrent.futures.ThreadPoolExecutor(1) as drawing:

        def finish(batch, lows):
            for rgb, low in zip(batch, lows):
                add(draw(rgb, depth.taken_out(low, maps.where, size, clip.size)))

        behind: List[Any] = []
        for batch, images in forward.ahead(iter(frames)):
            lows = maps.of(images)
            if np.isnan(lows).any():
                raise PipelineError("{}: the network's output for it is not a number".format(path))
            for one in behind:
                one.result()
            behind = [drawing.submit(finish, batch, lows)]
            done += len(batch)
            report(done)
        for one in behind:
            one.result()
        if not done:
            raise PipelineError("{}: a video without frames".format(path))
        # The new video is there when the block ends.
        earlier = prediction_files.begin(stem, ends)
    progress.line(_said(out, done, clip, time.monotonic() - started, maps))
    if _ended_early(done, clip):
        words = "warning: {}: ended after {} frames, by its duration it has {}; is the file cut off?"
        progress.line(words.format(path, done, clip.frames))
    side = prediction_files.made_by(predictor.describe(), options, size)
    prediction_files.end(stem, dict(side, **_described(path, out, done, clip, options, maps)), earlier)


class _Frames:
    """The batches of a video: (the frames as they are, the network's input float32 (n, height, width, 3))."""

    def __init__(self, path, clip, where, size, batch_size):
        self._frames = video_files.frames(path, clip)
        self._where, self._size, self._batch_size = where, size, batch_size

    def __iter__(self) -> Iterator[Tuple[Sequence[np.ndarray], np.ndarray]]:
        while True:
            batch = list(itertools.islice(self._frames, self._batch_size))
            if not batch:
                return
            yield batch, np.stack([depth.put(rgb, self._where, self._size) for rgb in batch])


class _Maps:
    """Depth of successive batches at the network's output size, smoothed as asked, and its flicker."""

    def __init__(self, predictor, where, options):
        self.where = where
        self.plain, self.smoothed = temporal.Flicker(), temporal.Flicker()
        self.pixels = self.still = 0
        self._predictor, self._options = predictor, options
        self._smoother = temporal.Smoother(options.smooth)
        self._last = None

    def of(self, images):
        """Depth (n, h, w) in metres for the next frames, float32 (n, height, width, 3) as the network takes them."""
        options = self._options
        batch_size = self._predictor.batch or options.batch_size
        maps = forward.metres(self._predictor, images, batch_size, options.limits, options.flip_average)
        return np.stack([self._next(image, low) for image, low in zip(images, maps)])

    def _next(self, image, low):
        unchanged = None
        if self._last is not None:
            unchanged = temporal.still(self._last, image, low.shape)
        self._last = image
        smooth = self._smoother(low, unchanged)
        if unchanged is not None:
            unchanged = unchanged[self._inside(low.shape, image.shape)]
            self.pixels += unchanged.size
            self.still += int(unchanged.sum())
        inside = self._inside(low.shape, image.shape)
        self.plain.add(low[inside], unchanged)
        self.smoothed.add(smooth[inside], unchanged)
        return smooth

    def _inside(self, low, high):
        """Where the frame lies in the map: what repeats its border does not count."""
        where, (down, across) = self.where, (high[0] // low[0], high[1] // low[1])
        rows = slice(where.top // down, -(-(where.top + where.height) // down))
        return rows, slice(where.left // across, -(-(where.left + where.width) // across))


def _drawing(name, options):
    """What draws a frame, uint8 (H, W, 3), and its depth (H, W) in metres: uint8 (H', W', 3), always of one size."""
    near, far = options.scale or options.limits
    if "panel" in options.kinds:
        return lambda rgb, metres: panels.panel(name, rgb, metres, (near, far), options.colours)
    return lambda rgb, metres: panels.coloured(metres, near, far, options.colours)


def _said(out, done, clip, seconds, maps):
    words = "{}: {} frames of {}x{} at {:.2f} a second, predicted at {:.2f} frames/s".format(
        out, done, clip.size[1], clip.size[0], float(clip.rate), done / max(seconds, 1e-9)
    )
    if done == 1:
        return words + "; no flicker, as it has a single frame"
    after, before = maps.smoothed.mean(), maps.plain.mean()
    if after is None or before is None:
        return words + "; no flicker, as no pixel of successive frames is alike"
    words += "; flicker {:.2f} %".format(100 * after)
    words += " ({:.2f} % before smoothing)".format(100 * before) if after != before else ""
    return words + " of depth, in the {:.0f} % of the pixels that hardly change".format(
        100 * maps.still / max(maps.pixels, 1)
    )


def _ended_early(done, clip):
    return bool(clip.frames and done < 0.9 * clip.frames)


def _described(path, out, done, clip, options, maps):
    return {
        "source": {
            "path": files.printable(path),
            "sha256": files.sha256(path),
            "frame": None,
            "size": list(clip.size),
            "frames": done,
            "frames_by_duration": clip.frames,
            "ended_early": _ended_early(done, clip),
            "frames_per_second": str(clip.rate),
        },
        "depth": {"unit": "metres along the viewing axis", "limits": list(options.limits)},
        "colours": {"name": options.colours, "ends": list(options.scale or options.limits), "unit": "metres"},
        "flip_average": options.flip_average,
        "smoothing": {"weight": options.smooth, "of": "1 / depth where the image hardly changes"},
        "flicker": {
            "depth": maps.smoothed.mean(),
            "before_smoothing": maps.plain.mean(),
            "share_of_pixels": maps.still / maps.pixels if maps.pixels else None,
        },
        "files": {"video": {"name": files.printable(os.path.basename(out)), "holds": "depth in colour"}},
    }
