"""Depth of photos and videos, any number of any size, in files that other programs read.

Images are read and results written beside the network, a batch ahead and a batch behind: memory is that of a few
batches, however many images there are. An image that cannot be read, predicted or written is listed and left out,
and no file of it remains. Results of an earlier run with the same options are kept, so that an interrupted one resumes.
"""

import collections
import concurrent.futures
import dataclasses
import os
import re
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import files, progress, runtime
from ..errors import PipelineError
from ..imaging import camera, depth, panels
from . import forward, image_files, meshes, point_clouds, prediction_files, video_files, video_predictions

SUMMARY = "predictions.json"
_SUMMARY_NAME = os.path.splitext(SUMMARY)[0]

# Threads that write; what takes the time there, compression, lets others run.
_WRITERS = 4

_FRAME = re.compile(r"\d{6,}\.json$")


@dataclasses.dataclass(frozen=True)
class Options:
    """How images are predicted, and what is written of each."""

    batch_size: int
    # Of `prediction_files.KINDS`.
    kinds: Sequence[str]
    # Whether depth is the mean with that of the mirrored image.
    flip_average: bool
    # (height, width) of the network's input where it takes any, else None.
    size: Optional[Sequence[int]]
    # None: those of NYU Depth v2's camera, scaled.
    intrinsics: Optional[camera.Intrinsics]
    # The most in a cloud.
    points: int
    # Nearest and farthest depth in metres.
    limits: Tuple[float, float]
    # Ends of the colours in metres; None: each image has its own.
    scale: Optional[Tuple[float, float]]
    # Of `panels.COLOURS`.
    colours: str = panels.COLOURS[0]
    # Of a video: the weight of the past in a mean over time, from 0 for none to below 1.
    smooth: float = 0.0


class _Job(NamedTuple):
    """An image on its way through the network."""

    path: str
    # Of the file `path`.
    sha256: str
    name: str
    frame: image_files.Frame
    # Where the image lies in the network's input, and that input: float32 (height, width, 3), 0..1.
    where: depth.Place
    image: np.ndarray


def predict(predictor: Any, paths: Sequence[str], out: str, options: Options) -> Dict[str, Any]:
    """Predict the images and videos in the files `paths` and write the results below the folder `out`; returns the
    summary.

    Results are called after the images (see `names`). The summary, also in `out`/predictions.json, names what was
    made, the number of them `taken_over` from an earlier run and, under `failed`, the files that could not be used and
    why. What is there and was not made by an earlier run of the same images is left alone, and its image has failed.
    Raises PipelineError when that is all of them, and for what is wrong with network or options.
    """
    size = forward.input_size(predictor, options.size)
    batch_size = predictor.batch or options.batch_size
    run = _Run(predictor, out, options, size)
    named = names(paths)
    report = progress.Progress(len(paths), "files")
    clips = [path for path in paths if video_files.is_video(path)]
    pictures = [path for path in paths if not video_files.is_video(path)]
    prediction_files.check_summary(os.path.join(out, SUMMARY))
    with concurrent.futures.ThreadPoolExecutor(_WRITERS) as writer:
        written: List[Any] = []
        for batch in forward.ahead(_batches(run.jobs(pictures, named, report), batch_size)):
            maps = run.metres(np.stack([job.image for job in batch]), batch_size)
            for one in written:
                one.result()
            written = [writer.submit(run.write, job, low) for job, low in zip(batch, maps)]
        for one in written:
            one.result()
    for done, path in enumerate(clips, len(pictures) + 1):
        run.clip(path, named[path])
        report(done)
    position = {path: number for number, path in enumerate(paths)}
    failed = run.failed_of(position)
    summary = {
        "format": prediction_files.FORMAT,
        "network": predictor.describe(),
        "runtime": runtime.describe(),
        "flip_average": options.flip_average,
        "pictures": run.made_of(position),
        "taken_over": run.taken_over,
        "failed": failed,
    }
    if not run.made:
        words = "none of {} files could be used, first {}" if len(paths) > 1 else "no file could be used: {1}"
        raise PipelineError(words.format(len(paths), failed[0]["reason"]))
    files.write_json(os.path.join(out, SUMMARY), summary)
    return summary


def names(paths: Sequence[str]) -> Dict[str, str]:
    """{path: what its results are called}: the path from the folder common to all, without its suffix.

    Where two would be called the same, as a.jpg and a.png, or one as the summary, they keep their suffixes.
    """
    root = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    full = {path: os.path.relpath(os.path.abspath(path), root) for path in paths}
    named = {path: os.path.splitext(name)[0] for path, name in full.items()}
    while True:
        counts = collections.Counter(named.values())
        counts[_SUMMARY_NAME] += 1
        clashing = [path for path, name in named.items() if counts[name] > 1 and name != full[path]]
        if not clashing:
            return named
        named.update((path, full[path]) for path in clashing)


def _batches(jobs, batch_size):
    batch = []
    for job in jobs:
        batch.append(job)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


class _Folder:
    """Where results are written."""

    def __init__(self, path):
        self.path = path
        self._changed = False

    def change(self):
        """To be called before results in it change: its summary tells of an earlier run until this one ends."""
        # Of several threads each that comes first makes sure by itself.
        if not self._changed:
            os.makedirs(self.path, exist_ok=True)
            prediction_files.remove_file(os.path.join(self.path, SUMMARY))
            self._changed = True


class _Run:
    """One prediction of many images: what is the same for all, and what became of each."""

    def __init__(self, predictor, out, options, size):
        self._predictor = predictor
        self._folder = _Folder(out)
        self._options = options
        self._size = size
        self._ends = [prediction_files.KINDS[kind] for kind in options.kinds]
        self._made_by = prediction_files.made_by(predictor.describe(), options, size)
        self._names = {_SUMMARY_NAME}
        self.taken_over = 0
        # (path, entry of the summary), and (path, reason), each once; threads that read and write add to both.
        self.made = []
        self._failed = {}
        self._warned = set()
        self._lock = threading.Lock()

    def jobs(self, paths, named, report):
        """The images that can be read and were not made before, placed in the network's input."""
        for done, path in enumerate(paths, 1):
            try:
                yield from self._jobs_of(path, named[path])
            except PipelineError as error:
                self._fail(path, str(error))
            except (OSError, MemoryError) as error:
                self._fail(path, "{}: cannot be read ({})".format(path, _words(error)))
            self._clear(path, named[path])
            report(done)

    def _jobs_of(self, path, named):
        if self._take_over(path, named, None):
            return
        sha256 = None
        for frame in image_files.frames(path):
            sha256 = sha256 or files.sha256(path)
            name = named if frame.number is None else "{}/{:06d}".format(named, frame.number)
            if frame.number is not None and self._take_over(path, name, frame.number, sha256):
                continue
            where = depth.place(frame.rgb.shape[:2], self._size)
            job = _Job(path, sha256, name, frame, where, depth.put(frame.rgb, where, self._size))
            if name in self._names:
                raise PipelineError("{}: other results are called {}; rename it".format(path, name))
            self._names.add(name)
            prediction_files.check_own(self._stem(name), self._ends, path, sha256)
            yield job

    def clip(self, path, name):
        """The depth of a video as a video, unless an earlier run has made it."""
        try:
            if name in self._names:
                raise PipelineError("{}: other results are called {}; rename it".format(path, name))
            if not self._take_over(path, name, None, ends=[prediction_files.VIDEO]):
                out = self._stem(name) + prediction_files.VIDEO, self._stem(name) + ".json"
                video_predictions.write(self._predictor, path, *out, options=self._options, size=self._size)
                self._folder.change()
                self._names.add(name)
                self._note(path, name)
        except PipelineError as error:
            self._fail(path, str(error))
        except (OSError, MemoryError) as error:
            if getattr(error, "errno", None) in prediction_files.ENDS_ALL:
                raise
            self._fail(path, "{}: cannot be predicted ({})".format(path, _words(error)))
        self._clear(path, name)

    def _take_over(self, path, name, number, sha256=None, ends=None):
        """Whether an earlier run has made the same of the same image; then its results count as this run's."""
        stem = self._stem(name)
        side = None if name in self._names else prediction_files.side_file(stem + ".json")
        known = self._made_by["network"].get("sha256")
        there = all(os.path.isfile(stem + end) for end in ends or self._ends)
        if not there or not side or not known or {key: side.get(key) for key in self._made_by} != self._made_by:
            return False
        source = side["source"]["path"], side["source"]["frame"], side["source"]["sha256"]
        if source != (files.printable(path), number, sha256 or files.sha256(path)):
            return False
        self._names.add(name)
        self.taken_over += 1
        self._note(path, name)
        return True

    def _clear(self, path, name):
        """Remove what an earlier run has made of the file or of its frames, and this one has not."""
        stem = self._stem(name)
        found = os.listdir(stem) if os.path.isdir(stem) else []
        frames = ["{}/{}".format(name, entry[: -len(".json")]) for entry in found if _FRAME.match(entry)]
        for one in [name] + frames:
            side = None if one in self._names else prediction_files.side_file(self._stem(one) + ".json")
            if side and os.path.abspath(side["source"]["path"]) == files.printable(os.path.abspath(path)):
                self._folder.change()
                prediction_files.remove(self._stem(one))

    def _stem(self, name):
        return os.path.join(self._folder.path, *name.split("/"))

    def _note(self, path, name):
        entry = {"name": name, "source": path, "side_file": os.path.basename(name) + ".json"}
        self.made.append((path, {key: files.printable(value) for key, value in entry.items()}))

    def metres(self, images, batch_size):
        """Depth (n, h, w) in metres at the network's output size."""
        return forward.metres(self._predictor, images, batch_size, self._options.limits, self._options.flip_average)

    def write(self, job, low):
        """The files of an image, from its depth at the network's output size; several threads call it at once."""
        stem = self._stem(job.name)
        self._folder.change()
        if np.isnan(low).any():
            prediction_files.remove(stem)
            self._fail(job.path, "{}: the network's output for it is not a number".format(job.path))
            return
        try:
            metres = depth.taken_out(low, job.where, self._size, job.frame.rgb.shape[:2])
            earlier = prediction_files.begin(stem, self._ends)
            prediction_files.end(stem, self._written(job, metres, stem), earlier)
            self._note(job.path, job.name)
        except Exception as error:
            if isinstance(error, ImportError) or getattr(error, "errno", None) in prediction_files.ENDS_ALL:
                raise
            # That of one image, such as a name that is too long.
            prediction_files.remove(stem)
            self._fail(job.path, "{}: its results cannot be written ({})".format(job.path, _words(error)))

    def _written(self, job, metres, stem):
        """What the metadata file says of the files of an image, which it writes."""
        paths = {kind: stem + prediction_files.KINDS[kind] for kind in self._options.kinds}
        intrinsics = self._options.intrinsics or camera.nyu_intrinsics(metres.shape)
        if "npy" in paths:
            prediction_files.write_npy(paths["npy"], metres)
        if "png" in paths:
            prediction_files.write_millimetres(paths["png"], metres)
        if "panel" in paths:
            look = self._options.scale, self._options.colours
            panels.write_panel(paths["panel"], job.name, job.frame.rgb, metres, *look)
        if "colour" in paths:
            panels.write_colours(paths["colour"], metres, self._options.scale, self._options.colours)
        if "ply" in paths or "glb" in paths:
            self._warn_of(intrinsics, metres.shape)
        if "glb" in paths:
            meshes.write_glb(paths["glb"], job.frame.rgb, metres, intrinsics, self._options.points)
        if "ply" in paths:
            cloud = point_clouds.points(job.frame.rgb, metres, intrinsics, self._options.points)
            point_clouds.write_ply(paths["ply"], cloud, point_clouds.ply_comments(intrinsics))
        return self._side(job, metres, paths, intrinsics)

    def _warn_of(self, intrinsics, size):
        """Once for all images of this size."""
        doubt = camera.doubt(intrinsics, size)
        with self._lock:
            new = size not in self._warned
            self._warned.add(size)
        if doubt and new:
            progress.line(
                "warning: --intrinsics: the {}; are they those of images of another size, or in another order than "
                "fx fy cx cy?".format(doubt)
            )

    def _side(self, job, metres, paths, intrinsics):
        side = {
            "source": {
                "path": files.printable(job.path),
                "sha256": job.sha256,
                "frame": job.frame.number,
                "size": list(metres.shape),
                "read_as": job.frame.read_as,
            },
            "input": {
                "size": list(self._size),
                "picture_at": dict(job.where._asdict()),
                "rest": "the image's border pixels",
            },
            "flip_average": self._options.flip_average,
            "depth": {
                "unit": "metres along the viewing axis",
                "limits": list(self._options.limits),
                "nearest": float(metres.min()),
                "median": float(np.median(metres)),
                "farthest": float(metres.max()),
            },
            "files": {
                kind: {"name": files.printable(os.path.basename(path)), "holds": prediction_files.HOLDS[kind]}
                for kind, path in paths.items()
            },
        }
        if "ply" in paths or "glb" in paths:
            side["intrinsics"] = dict(intrinsics._asdict(), unit="pixels of the upright image, the first is 0")
        return dict(self._made_by, **side)

    def _fail(self, path, reason):
        self._failed[path, reason] = True

    def made_of(self, position):
        """The images that have results, as {"name", "source", "side_file"}, in the order of the paths' `position`."""
        return [entry for path, entry in sorted(self.made, key=lambda made: (position[made[0]], made[1]["name"]))]

    def failed_of(self, position):
        """What could not be used, as {"path", "reason"}, in the order of the paths' `position`."""
        failed = sorted(self._failed, key=lambda failure: position[failure[0]])
        return [{"path": files.printable(path), "reason": files.printable(reason)} for path, reason in failed]


def _words(error):
    """An exception in one line."""
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return text.split("\n")[0]
