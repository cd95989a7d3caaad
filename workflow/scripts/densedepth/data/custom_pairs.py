"""RGB-D pairs of a csv, of two folders or of a data set (`datasets`), read one by one as a list of them names them.

The list (a JSON file) holds what is needed to read the pairs: where and which files, which are kept for the test,
what the stored depth means (`stored_depth`), the greatest depth, and the size that all are brought to.

Sizes: the largest central crop of each image with the aspect ratio of the network's input is resized to its size;
colours by the area mean (see `resize`), depth by nearest neighbour, so that no depth arises that was not measured. The
two files of a pair may differ in resolution, not in aspect ratio. Test pairs may keep the size of their ground truth.
"""

import hashlib
import io
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np
from PIL import Image

from .. import files, metadata
from ..imaging import resize
from ..imaging.untrusted import open_image
from . import array_files, stored_depth
from .pair_files import PairFiles
from .train_archive import Malformed, Row, size_text

FORMAT = 1
TRAIN, VALIDATION, TEST = "train", "validation", "test"
# What test pairs have: the size of the network's input, or their own.
TEST_SIZES = ("network", "own")

_ONE = {
    "size": metadata.PICTURE_SIZE,
    "max_depth_m": metadata.Number(1e-3, 1000),
    "rows": [
        {
            "row": metadata.COUNT,
            "rgb": metadata.Text(),
            "depth": metadata.Text(),
            "split": metadata.OneOf(TRAIN, VALIDATION, TEST),
            "mask?": metadata.Text(),
            "metres_per_unit?": metadata.Number(0, 1000),
            "bits?": metadata.OneOf(8, 16),
        }
    ],
    # Of a data set: where its files are, of which form they are, and the crop of its test at its own size.
    "tree?": metadata.Text(),
    "form?": metadata.Text(),
    "crop?": metadata.Null(dict),
    # Of KITTI: whether images are cut, not resized.
    "window?": bool,
    "test_size?": metadata.OneOf(*TEST_SIZES),
    "depth?": stored_depth.SCHEMA,
    # Of the 16 bits of the records; of a set of a mixture that of the main one.
    "range_m?": metadata.Number(1e-3, 1000),
}
# Under `mixture` the further sets of the training, see there.
SCHEMA = dict(_ONE, **{"mixture?": metadata.Map(dict(_ONE, weight=metadata.Number(0, 1000)))})

# Pixels of the depth that may be too many or too few where it is laid over its image: what rounding causes.
_MOST_OVER = 0.6

# Of the cameras' filters that make one pixel of depth of several: the factors, and what lengths are padded to.
_DECIMATIONS = range(2, 9)
_PADDED_TO = 4

_QUALITY = 95
# Of measured depth, whose noise does not compress, the usual level 6 takes seven times as long for 4 % less.
_PNG_LEVEL = 1
_SIXTEEN_BITS = 65535

# The orientations of EXIF by which Pillow turns or mirrors an image.
_TURNED = range(2, 9)


class Pictures:
    """The pairs of one split of a list, open. A context manager, as `train_archive.Archive` is.

    path: of the list; with `::name` behind it, the set of this name in its mixture.
    """

    def __init__(self, path: str, split: str = TRAIN) -> None:
        self.path, _, name = path.partition("::")
        content = metadata.read(self.path, SCHEMA, FORMAT)
        # What the training sees, each part of it a source of its own: [(name, weight, path)].
        self.sets = [("", 1.0, path)] if name else sets_of(path, content)
        content = content["mixture"][name] if name else content
        self._split = split
        self._content = content
        self._files = PairFiles(content, split)
        height, width = content["size"]
        self.size = (height, width)
        self.max_depth = content["max_depth_m"]
        self.crop: Optional[Dict[str, Any]] = content.get("crop")
        # Whether the test is at the size of the ground truth, and for which size of a network images are cut then.
        self.own_size = content.get("test_size") == "own"
        self.window = self.size if content.get("window") else None
        # Metres a value of the 16-bit depth that `pair` gives.
        self.unit = content.get("range_m", self.max_depth) / _SIXTEEN_BITS

    def __enter__(self) -> "Pictures":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._files.tree.close()

    def rows(self, check_members: bool = True, malformed: Optional[Malformed] = None) -> List[Row]:
        """The `Row`s of the split, in the order of the list; that a file is not there is seen when its pair is read.

        check_members, malformed: as in `train_archive.Archive.rows`, and without effect.
        """
        return [
            Row(entry["row"], entry["rgb"], entry["depth"])
            for entry in self._content["rows"]
            if entry["split"] == self._split
        ]

    def identity(self) -> Dict[str, Any]:
        """What tells this list from another, as JSON: its checksum."""
        return {"sha256": files.sha256(self.path)}

    def state(self, rows: Iterable[Row]) -> str:
        """Text that differs once the list, or a file of one of `rows`, was changed."""
        names = [name.partition("::")[0] for row in rows for name in (row.rgb, row.depth)]
        return files.state([self.path]) + self._files.tree.state(names)

    def digest(self, row: Row) -> str:
        """What tells the image of `row` from others: the SHA-256 of its file, or of the pixels within one."""
        if "::" in row.rgb:
            return hashlib.sha256(self._files.picture(row).tobytes()).hexdigest()
        return hashlib.sha256(self._files.read(row, row.rgb)).hexdigest()

    def pair(self, row: Row, check: bool = True) -> Tuple[bytes, bytes, Tuple[int, int]]:
        """(JPEG or PNG bytes, PNG bytes, (height, width)) of `row`, of the size of the list.

        The depth has 16 bits, metres = value * `unit`, 0 is invalid. An image that is of the right size and form keeps
        its bytes, others become JPEG. Every pixel is read, whatever `check`. Raises PipelineError with row and file.
        """
        rgb, _, depth = self._read(row)
        stored = np.round(depth / self.unit).astype(np.uint16)
        # What is nearer than half a step would become invalid depth.
        stored[(stored == 0) & (depth > 0)] = 1
        data = self._bytes(row.rgb, rgb)
        if data is None:
            data = _encoded(Image.fromarray(fit_image(rgb, self.size)), "JPEG", quality=_QUALITY, subsampling=0)
        return data, _encoded(Image.fromarray(stored), "PNG", compress_level=_PNG_LEVEL), self.size

    def arrays(self, row: Row) -> Tuple[np.ndarray, np.ndarray]:
        """(rgb uint8 (H, W, 3), depth float32 (H, W) in metres, 0 where invalid) of `row`, of the list's size."""
        rgb, _, depth = self._read(row)
        return fit_image(rgb, self.size), depth

    def whole(self, row: Row) -> Tuple[np.ndarray, np.ndarray]:
        """As `arrays`, all of the image at the size of its depth, of which no value is left out or moved."""
        rgb, measured = self._view(row)
        return fit_image(rgb, measured.shape), self._near(row, measured)

    def look(self, row: Row) -> Tuple[np.ndarray, np.ndarray, int]:
        """What `arrays` gives, and the number of pixels that are invalid for a depth of `max_depth` or more."""
        rgb, measured, depth = self._read(row)
        return fit_image(rgb, self.size), depth, int(np.count_nonzero(measured) - np.count_nonzero(depth))

    def stored_as(self, row: Row) -> str:
        """How the depth of `row` is stored, in words; of one that can be read."""
        if "form" in self._content:
            # A data set has units of its own for each of its ways.
            return "as the data set has it"
        dtype = self._files.stored(row).dtype
        return (
            "fractions" if dtype.kind == "f" else "8 bit" if dtype.itemsize == 1 else "whole numbers of more than 8 bit"
        )

    def _read(self, row):
        """The image; its depth of the list's size, in metres, 0 for what was not measured, and as `_near` has it."""
        rgb, measured = self._view(row)
        if self._split == TEST and self.own_size:
            self._near(row, measured)
        if self.window and rgb.shape[:2] == measured.shape:
            rgb, measured = (_window(array, self.size) for array in (rgb, measured))
        fitted = fit_depth(measured, self.size, rgb.shape[:2])
        return rgb, fitted, self._near(row, fitted, not (self._split == TEST and self.own_size))

    def _view(self, row):
        """The image and its depth, both whole: metres, however great, 0 for what was not measured."""
        rgb, measured = _same_view(self._files.picture(row), self._files.measured(row))
        over = _over(rgb.shape, measured.shape)
        if over > _MOST_OVER:
            raise self._files.error(
                row,
                row.rgb,
                "is {}, its depth {} is {}; the two must show the same view, but laid over the image the depth has "
                "{:.2g} of its pixels too many or too few at an edge; take off what was padded, or cut both alike",
                *(size_text(rgb.shape[:2]), row.depth, size_text(measured.shape), over),
            )
        return rgb, measured

    def _near(self, row, measured, needed=True):
        """Depth float32 in metres, 0 where invalid and from `max_depth` on. Raises PipelineError where none counts."""
        near = np.minimum(measured, self.max_depth).astype(np.float32)
        # Where the greatest depth is a measurement, what rounding adds to it is none of it.
        counts = self._files.settings.get("farthest")
        near[measured > self.max_depth * (1 + 1e-6) if counts else measured >= self.max_depth] = 0
        if needed and not near.any():
            raise self._files.error(
                row,
                row.depth,
                "no pixel has a depth below {} m; check metres_per_unit, invalid and max_depth (greatest found: {})",
                *(self.max_depth, "{:.4g} m".format(measured.max()) if measured.any() else "none"),
            )
        return near

    def _bytes(self, path, rgb):
        """The file as it is where nothing has to be done to it."""
        if rgb.shape[:2] != self.size or array_files.suffix(path) in (".npy",) + array_files.HDF5:
            return None
        data = self._files.tree.read(path)
        with open_image(io.BytesIO(data)) as stored:
            turned = stored.getexif().get(0x0112) in _TURNED
            kept = stored.mode == "RGB" and stored.format in ("JPEG", "PNG") and stored.size[::-1] == self.size
            return data if kept and not turned else None


def sets_of(path: str, content: Dict[str, Any]) -> List[Tuple[str, float, str]]:
    """[(name, weight, path for `Pictures`)] of what a list trains on; one where it is no mixture."""
    more = sorted(content.get("mixture", {}).items())
    main = (content.get("dataset", "custom"), 1.0, path)
    return [main] + [(name, part["weight"], "{}::{}".format(path, name)) for name, part in more]


def _window(array, size):
    """The part of `size` at the bottom in the middle of an image or a map, where it is that large."""
    top, left = array.shape[0] - size[0], (array.shape[1] - size[1]) // 2
    return array[top : top + size[0], left : left + size[1]] if min(top, left) >= 0 else array


def fit_image(rgb: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """The middle of the image `rgb` (H, W, 3) as uint8 of `size` (height, width), resized as predictions do it."""
    if rgb.shape[:2] == tuple(size):
        return rgb
    return np.rint(resize.resized(rgb, size, _middle(rgb.shape[:2], size))).astype(np.uint8)


def fit_depth(depth: np.ndarray, size: Tuple[int, int], view: Any) -> np.ndarray:
    """The map `depth` (H, W) in `size` (height, width), each value that of the nearest pixel.

    view: (height, width) of the image that shows the same; of both the same part is taken.
    """
    if tuple(size) == tuple(view) == depth.shape:
        return depth
    box = [length * depth.shape[i % 2] / view[i % 2] for i, length in enumerate(_middle(view, size))]
    rows, columns = (
        np.minimum(np.floor(box[i] + (np.arange(size[i]) + 0.5) * box[i + 2] / size[i]).astype(int), depth.shape[i] - 1)
        for i in (0, 1)
    )
    return depth[rows[:, np.newaxis], columns]


def _over(view, shape):
    """Pixels that a depth of `shape` has too many or too few for an image of `view`, along the axis with fewer."""
    height, width = (new / old for new, old in zip(shape, view))
    return min(abs(view[1] * height - shape[1]), abs(view[0] * width - shape[0]))


def _same_view(rgb, depth):
    """Both without what only one of them shows, where `depth` has the form of a camera's decimation filter.

    Such a filter makes one pixel of several from the top left on, leaves out what remains of the image at the right
    and at the bottom, and pads both sides with unknown depth (librealsense).
    """
    for factor in _DECIMATIONS:
        height, width = (length // factor for length in rgb.shape[:2])
        padded = tuple(-(-length // _PADDED_TO) * _PADDED_TO for length in (height, width))
        if (height, width) != depth.shape == padded and not (depth[height:].any() or depth[:, width:].any()):
            return rgb[: height * factor, : width * factor], depth[:height, :width]
    return rgb, depth


def _middle(source, size):
    """(top, left, height, width) of the largest part in the middle of `source` with the aspect ratio of `size`."""
    height, width = (float(length) for length in source)
    ratio = size[1] / size[0]
    fitted = (height, height * ratio) if width > height * ratio else (width / ratio, width)
    return ((height - fitted[0]) / 2, (width - fitted[1]) / 2) + fitted


def _encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
