"""One's own pictures with depth: a csv or two folders of files, listed once, then read pair by pair.

The list (a JSON file) holds all that is needed to read the pairs: which files, which are kept for the test, the unit of
the depth, the value of a hole, the greatest depth, and the size that all are brought to.

The one rule for sizes: of each picture the largest part in the middle that has the aspect ratio of the network's input
is taken, and resized to its size; colours by averaging (bilinearly when enlarged), depth by the nearest value, so that
no depth arises that was not measured. The two files of a pair may differ in resolution, not in aspect ratio.
"""

import csv
import io
import os
import tokenize

import numpy as np
from PIL import Image, ImageOps

from . import files
from .archives import Row, size_text
from .errors import PipelineError

FORMAT = 1
TRAIN, TEST = "train", "test"

RGB_SUFFIXES = (".jpg", ".jpeg", ".png", ".npy")
DEPTH_SUFFIXES = (".png", ".npy")

# How much the aspect ratios of the two files of a pair may differ: what rounding a resolution down can cause.
_ASPECT_TOLERANCE = 0.01
_QUALITY = 95
_SIXTEEN_BITS = 65535

_READING = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def listed(size, metres_per_unit, max_depth, hole=0, table=None, rgb=None, depth=None, test_share=0.1, seed=0):
    """The content of a list: of the csv `table`, or of the folders `rgb` and `depth`.

    size: (height, width) that the pictures are brought to. metres_per_unit: what a stored depth is multiplied by.
    max_depth: metres; this depth and greater ones are holes. hole: stored value that means none was measured; values
    that are not finite or not above zero always do.

    The split is given by the third column of the csv, or by folders `train` and `test` in which all pictures of the two
    folders lie; else `test_share` of the pairs, at least one, is drawn by `seed`. Raises PipelineError with file and
    row for what is not there or not unique.
    """
    if not (metres_per_unit > 0 and max_depth > 0):
        raise PipelineError("metres_per_unit {} and max_depth {}: must be above 0".format(metres_per_unit, max_depth))
    rows = _csv_rows(table) if table else _folder_rows(rgb, depth)
    where = table or rgb
    given = {split for _, _, _, split in rows} != {None}
    if not given:
        drawn = _drawn(len(rows), test_share, seed, where)
        rows = [(number, a, b, TEST if place in drawn else TRAIN) for place, (number, a, b, _) in enumerate(rows)]
    for split in (TRAIN, TEST):
        if not any(row[3] == split for row in rows):
            raise PipelineError("{}: no pair is for {}; both train and test are needed".format(where, split))
    trained = {row[1]: row[0] for row in rows if row[3] == TRAIN}
    for number, path, _, split in rows:
        if split == TEST and path in trained:
            raise PipelineError(
                "{}: row {}: {} is for test, and in row {} for train; the test must be on pictures that were not "
                "trained on".format(where, number, path, trained[path])
            )
    return {
        "format": FORMAT,
        "source": [table] if table else [rgb, depth],
        "split": "given" if given else "drawn",
        "size": list(size),
        "metres_per_unit": metres_per_unit,
        "max_depth_m": max_depth,
        "hole": hole,
        "rows": [{"row": number, "rgb": a, "depth": b, "split": split} for number, a, b, split in rows],
    }


def _csv_rows(table):
    try:
        with open(table, encoding="utf-8-sig", newline="") as stream:
            lines = [[field.strip() for field in line] for line in csv.reader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PipelineError("{}: cannot be read as a csv in UTF-8 ({})".format(table, _words(error))) from None
    folder = os.path.dirname(table)
    rows = []
    for number, fields in enumerate(lines, 1):
        if not any(fields) or (number == 1 and [field.lower() for field in fields[:2]] == ["rgb", "depth"]):
            continue
        where = "{}: row {}".format(table, number)
        if len(fields) not in (2, 3) or not all(fields):
            raise PipelineError(
                "{}: {!r} is not `rgb file,depth file` or `rgb file,depth file,train|test`".format(
                    where, ",".join(fields)[:80]
                )
            )
        if len(fields) == 3 and fields[2] not in (TRAIN, TEST):
            raise PipelineError("{}: split {!r} is neither train nor test".format(where, fields[2]))
        if rows and (rows[0][3] is None) != (len(fields) == 2):
            raise PipelineError("{}: some rows name a split and some do not".format(where))
        rgb, depth = (os.path.join(folder, name) for name in fields[:2])
        _check_suffix(rgb, RGB_SUFFIXES, where)
        _check_suffix(depth, DEPTH_SUFFIXES, where)
        rows.append((number, rgb, depth, fields[2] if len(fields) == 3 else None))
    if not rows:
        raise PipelineError("{}: has no rows".format(table))
    if not any(os.path.exists(row[1]) for row in rows):
        raise PipelineError(
            "{}: none of its pictures is there, such as {}; paths start from the csv's folder".format(table, rows[0][1])
        )
    return rows


def _check_suffix(path, suffixes, where):
    if not path.lower().endswith(suffixes):
        header = "; a header must be `rgb,depth`" if where.endswith("row 1") else ""
        raise PipelineError("{}: {} does not end in {}{}".format(where, path, ", ".join(suffixes), header))


def _folder_rows(rgb, depth):
    pictures, depths = _by_name(rgb, RGB_SUFFIXES), _by_name(depth, DEPTH_SUFFIXES)
    for here, there, folder, other in ((pictures, depths, rgb, depth), (depths, pictures, depth, rgb)):
        alone = sorted(set(here) - set(there))
        if alone:
            raise PipelineError(
                "{}: {} has no partner of the same name in {} ({} of {} files have none)".format(
                    folder, here[alone[0]], other, len(alone), len(here)
                )
            )
    first = {name.partition("/")[0] for name in pictures}
    given = first <= {TRAIN, TEST} and all("/" in name for name in pictures)
    return [
        (number, pictures[name], depths[name], name.partition("/")[0] if given else None)
        for number, name in enumerate(sorted(pictures), 1)
    ]


def _by_name(folder, suffixes):
    """{path below the folder, without its suffix: path} of the files with one of `suffixes`."""
    if not os.path.isdir(folder):
        raise PipelineError("{}: no such folder".format(folder))
    found = {}
    for parent, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in suffixes or name.startswith("."):
                continue
            path = os.path.join(parent, name)
            key = os.path.relpath(os.path.join(parent, stem), folder).replace(os.sep, "/")
            if key in found:
                raise PipelineError("{}: {} and {} have one name; remove one".format(folder, found[key], path))
            found[key] = path
    if not found:
        raise PipelineError("{}: has no file that ends in {}".format(folder, ", ".join(suffixes)))
    return found


def _drawn(count, share, seed, where):
    """The places of the pairs that are kept for the test."""
    if not 0 < share < 1:
        raise PipelineError("test_share {}: must lie between 0 and 1".format(share))
    number = max(1, round(count * share))
    if number >= count:
        raise PipelineError("{}: {} pairs leave none to train on".format(where, count))
    return set(np.random.RandomState(seed).permutation(count)[:number].tolist())


class Pictures:
    """The pairs of one split of a list, open. A context manager, as `archives.Archive` is."""

    def __init__(self, path, split=TRAIN):
        self.path = path
        content = files.read_json(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT or "rows" not in content:
            raise PipelineError("{}: not a list of pictures; make it with list_pictures.py".format(path))
        self._split = split
        self._content = content
        self.size = tuple(content["size"])
        self.max_depth = content["max_depth_m"]
        # Metres a value of the 16-bit depth that `pair` gives.
        self.unit = self.max_depth / _SIXTEEN_BITS

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def rows(self):
        """The `Row`s of the split, in the order of the list."""
        return [
            Row(entry["row"], entry["rgb"], entry["depth"])
            for entry in self._content["rows"]
            if entry["split"] == self._split
        ]

    def pair(self, row, check=True):
        """(JPEG or PNG bytes, PNG bytes, (height, width)) of `row`, of the size of the list.

        The depth has 16 bits, metres = value * `unit`, 0 is a hole. A picture that is of the right size and form keeps
        its bytes, others become JPEG. Every pixel is read, whatever `check`. Raises PipelineError with row and file.
        """
        image, depth = self._read(row)
        stored = np.round(depth / self.unit).astype(np.uint16)
        # What is nearer than half a step would become a hole.
        stored[(stored == 0) & (depth > 0)] = 1
        data = self._bytes(row.rgb, image)
        if data is None:
            data = _encoded(fit_image(image, self.size), "JPEG", quality=_QUALITY, subsampling=0)
        return data, _encoded(Image.fromarray(stored), "PNG"), self.size

    def arrays(self, row):
        """(rgb uint8 (H, W, 3), depth float32 (H, W) in metres, 0 for holes) of `row`, of the size of the list."""
        image, depth = self._read(row)
        return np.asarray(fit_image(image, self.size)), depth

    def _read(self, row):
        image = self._picture(row)
        depth = self._metres(row)
        width, height = image.size
        if abs(width * depth.shape[0] / (height * depth.shape[1]) - 1) > _ASPECT_TOLERANCE:
            raise self._error(
                row,
                row.rgb,
                "is {}, its depth {} is {}; the two must show the same view",
                *(size_text((height, width)), row.depth, size_text(depth.shape)),
            )
        fitted = fit_depth(depth, self.size)
        if not fitted.any():
            raise self._error(
                row,
                row.depth,
                "no pixel has a depth below {} m; check metres_per_unit, hole and max_depth (greatest found: {})",
                *(self.max_depth, self._largest(row)),
            )
        return image, fitted

    def _picture(self, row):
        """The picture, upright, RGB."""
        if row.rgb.lower().endswith(".npy"):
            array = self._array(row, row.rgb)
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
                raise self._error(
                    row, row.rgb, "is {} {}, where uint8 (height, width, 3) belongs", array.dtype, array.shape
                )
            return Image.fromarray(np.ascontiguousarray(array))
        try:
            with Image.open(row.rgb) as image:
                if image.mode not in ("RGB", "L", "RGBA", "P", "1", "LA"):
                    raise self._error(row, row.rgb, "is a picture of mode {}, where 8-bit colours belong", image.mode)
                return ImageOps.exif_transpose(image).convert("RGB")
        except _READING as error:
            raise self._error(row, row.rgb, "cannot be read as a picture ({})", _words(error)) from None

    def _metres(self, row):
        """Depth (H, W) float32 in metres, 0 for holes."""
        metres = self._measured(row)
        return np.where(metres < self.max_depth, metres, 0).astype(np.float32)

    def _measured(self, row):
        """Depth in metres however great, 0 for holes."""
        values = self._stored(row)
        with np.errstate(invalid="ignore"):
            metres = values.astype(np.float64) * self._content["metres_per_unit"]
            return np.where(np.isfinite(metres) & (metres > 0) & (values != self._content["hole"]), metres, 0)

    def _largest(self, row):
        largest = self._measured(row).max()
        return "{:.4g} m".format(largest) if largest > 0 else "none"

    def _stored(self, row):
        if row.depth.lower().endswith(".npy"):
            values = self._array(row, row.depth)
            values = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
            if values.ndim != 2 or values.dtype.kind not in "uif":
                raise self._error(
                    row, row.depth, "is {} {}, where numbers (height, width) belong", values.dtype, values.shape
                )
            return values
        try:
            with Image.open(row.depth) as image:
                # Here, since NumPy keeps the error to itself.
                image.load()
                values = np.asarray(image)
        except _READING as error:
            raise self._error(row, row.depth, "cannot be read as a picture ({})", _words(error)) from None
        if image.mode not in ("L", "I", "I;16", "I;16B"):
            raise self._error(
                row, row.depth, "is a picture of mode {}, where depth of one channel, 8 or 16 bit, belongs", image.mode
            )
        return values

    def _array(self, row, path):
        try:
            # Mapped first: a header that claims more than the file holds, and an array of objects, are refused then.
            return np.array(np.lib.format.open_memmap(path, mode="r"))
        except _READING + (OverflowError, tokenize.TokenError) as error:
            raise self._error(row, path, "cannot be read as a NumPy array ({})", _words(error)) from None

    def _bytes(self, path, image):
        """The file as it is where nothing has to be done to it."""
        if image.size[::-1] != self.size or path.lower().endswith(".npy"):
            return None
        with open(path, "rb") as stream:
            data = stream.read()
        with Image.open(io.BytesIO(data)) as stored:
            as_stored = stored.mode == "RGB" and stored.format in ("JPEG", "PNG") and not stored.getexif().get(0x0112)
        return data if as_stored else None

    def _error(self, row, path, text, *values):
        where = "{}: row {}, {}: ".format(self._content["source"][0], row.number, path)
        return PipelineError(where + text.format(*values))


def fit_image(image, size):
    """The middle of the Pillow `image` as one of `size` (height, width)."""
    if image.size[::-1] == tuple(size):
        return image
    top, left, height, width = _middle(image.size[::-1], size)
    method = Image.Resampling.BOX if height > size[0] else Image.Resampling.BILINEAR
    return image.resize(size[::-1], method, box=(left, top, left + width, top + height))


def fit_depth(depth, size):
    """The middle of the map `depth` (H, W) in `size` (height, width), each value that of the nearest pixel."""
    if depth.shape == tuple(size):
        return depth
    top, left, height, width = _middle(depth.shape, size)
    rows = np.floor(top + (np.arange(size[0]) + 0.5) * height / size[0]).astype(int)
    columns = np.floor(left + (np.arange(size[1]) + 0.5) * width / size[1]).astype(int)
    return depth[np.minimum(rows, depth.shape[0] - 1)[:, np.newaxis], np.minimum(columns, depth.shape[1] - 1)]


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


def _words(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
