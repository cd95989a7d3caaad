"""Custom RGB-D pairs: a csv or two folders of files, listed once, then read pair by pair.

The list (a JSON file) holds all that is needed to read the pairs: which files, which are kept for the test, the unit of
the depth, the value of invalid depth, the greatest depth, and the size that all are brought to.

Sizes: the largest central crop of each image with the aspect ratio of the network's input is resized to its size;
colours by the area mean (see `resize`), depth by nearest neighbour, so that no depth arises that was not measured. The
two files of a pair may differ in resolution, not in aspect ratio.
"""

import csv
import io
import os
import tokenize

import numpy as np
from PIL import Image, ImageOps

from .. import file_names, files, metadata
from ..errors import PipelineError
from ..imaging import resize
from ..imaging.untrusted import open_image
from .train_archive import Row, size_text

FORMAT = 1
TRAIN, TEST = "train", "test"
SCHEMA = {
    "size": metadata.PICTURE_SIZE,
    "max_depth_m": metadata.Number(1e-3, 1000),
    "rows": [
        {"row": metadata.COUNT, "rgb": metadata.Text(), "depth": metadata.Text(), "split": metadata.OneOf(TRAIN, TEST)}
    ],
}

# Names of folders, in lower case, by which somebody means a split.
_SPLIT_FOLDERS = {TRAIN, TEST, "training", "testing", "val", "valid", "validation"}

RGB_SUFFIXES = (".jpg", ".jpeg", ".png", ".npy")
DEPTH_SUFFIXES = (".png", ".npy")

# Pixels of the depth that may be too many or too few where it is laid over its picture: what rounding causes.
_MOST_OVER = 0.6

# Of the cameras' filters that make one pixel of depth of several: the factors, and what lengths are padded to.
_DECIMATIONS = range(2, 9)
_PADDED_TO = 4

_QUALITY = 95
_SIXTEEN_BITS = 65535

# Faulty rows of a csv that are named one by one.
_NAMED = 100

# The orientations of EXIF by which Pillow turns or mirrors a picture.
_TURNED = range(2, 9)

_READING = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def listed(size, metres_per_unit, max_depth, hole=0, table=None, rgb=None, depth=None, test_share=0.1, seed=0):
    """The content of a list: of the csv `table`, or of the folders `rgb` and `depth`.

    size: (height, width) that the pictures are brought to. metres_per_unit: metres per unit of stored depth.
    max_depth: metres; this depth and greater ones are invalid. hole: stored value that means none was measured; values
    that are not finite or not above zero always do.

    The split is given by the third column of the csv, or by folders `train` and `test` in which all pictures of the two
    folders lie; else `test_share` of the pairs, at least one, is drawn by `seed`. Raises PipelineError with file and
    row for what is not there or not unique, for a file that is for both train and test, and for folders that only look
    like a split; and for a number that cannot be.
    """
    _check_numbers(metres_per_unit, max_depth, hole)
    rows = _csv_rows(table) if table else _folder_rows(rgb, depth)
    where = table or rgb
    given = {split for _, _, _, split in rows} != {None}
    if not given:
        drawn = _drawn(len(rows), test_share, seed, where)
        rows = [(number, a, b, TEST if place in drawn else TRAIN) for place, (number, a, b, _) in enumerate(rows)]
    for split in (TRAIN, TEST):
        if not any(row[3] == split for row in rows):
            raise PipelineError("{}: no pair is for {}; both train and test are needed".format(where, split))
    _check_leaks(rows, where)
    return {
        "format": FORMAT,
        "source": [table] if table else [rgb, depth],
        "split": "given" if given else "drawn",
        "size": list(size),
        "metres_per_unit": metres_per_unit,
        "max_depth_m": max_depth,
        "hole": hole,
        "test_share": test_share,
        "seed": seed,
        "rows": [{"row": number, "rgb": a, "depth": b, "split": split} for number, a, b, split in rows],
    }


def _check_numbers(metres_per_unit, max_depth, hole):
    for key, value in (("metres_per_unit", metres_per_unit), ("max_depth", max_depth)):
        if not 0 < value < np.inf:
            raise PipelineError("{} {}: must be a finite number above 0".format(key, value))
    if not np.isfinite(hole):
        raise PipelineError(
            "hole {}: must be a finite number; values that are not finite are always invalid".format(hole)
        )


def _check_leaks(rows, where):
    """Raise PipelineError for a file that is for train and for test, whatever links or paths lead to it."""
    trained = {_which(path): (row[0], path) for row in rows if row[3] == TRAIN for path in (row[1], row[2])}
    for row in rows:
        for path in (row[1], row[2]) if row[3] == TEST else ():
            number, other = trained.get(_which(path), (None, None))
            if number is not None:
                raise PipelineError(
                    "{}: row {}: {} is for test, and in row {} for train{}; the test must be on pictures that were not "
                    "trained on: take one of the rows out, or have both for the same".format(
                        *(where, row[0], path, number, "" if other == path else " as {}".format(other))
                    )
                )


def _which(path):
    """What tells a file from others: its number on the disk, else its path without links.

    A file that is not there has no number, nor have those of some file systems of networks.
    """
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _csv_rows(table):
    try:
        with open(table, encoding="utf-8-sig", newline="") as stream:
            lines = [[field.strip() for field in line] for line in csv.reader(stream)]
    except UnicodeDecodeError:
        raise PipelineError(
            '{}: is not text in UTF-8; save it as UTF-8 (a spreadsheet calls it "CSV UTF-8")'.format(table)
        ) from None
    except (OSError, csv.Error) as error:
        raise PipelineError("{}: cannot be read ({})".format(table, _words(error))) from None
    rows, faults = [], []
    for number, fields in enumerate(lines, 1):
        if not any(fields) or (number == 1 and [field.lower() for field in fields[:2]] == ["rgb", "depth"]):
            continue
        try:
            rows.append(_csv_row(table, number, fields))
        except PipelineError as error:
            faults.append(str(error))
    _refuse(faults)
    if not rows:
        raise PipelineError("{}: has no rows".format(table))
    for row in rows:
        if (row[3] is None) != (rows[0][3] is None):
            raise PipelineError("{}: row {}: some rows name a split and some do not".format(table, row[0]))
    if not any(os.path.exists(row[1]) for row in rows):
        hint = file_names.hint(rows[0][1], os.path.dirname(table))
        hint += "; folders are separated by /" if "\\" in rows[0][1] else ""
        raise PipelineError(
            "{}: none of its pictures is there, such as {}; paths start from the csv's folder{}".format(
                table, rows[0][1], hint
            )
        )
    return rows


def _csv_row(table, number, fields):
    """(number, picture, depth, split or None) of a line of the csv."""
    where = "{}: row {}".format(table, number)
    if any("\0" in field for field in fields):
        raise PipelineError("{}: holds a NUL byte; save the csv as text in UTF-8".format(where))
    if len(fields) not in (2, 3) or not all(fields):
        parted = len(fields) == 1 and (";" in fields[0] or "\t" in fields[0])
        raise PipelineError(
            "{}: {!r} is not `rgb file,depth file` or `rgb file,depth file,train|test`{}".format(
                where, ",".join(fields)[:80], "; fields must be separated by commas" if parted else ""
            )
        )
    rgb, depth = (os.path.join(os.path.dirname(table), os.path.expanduser(name)) for name in fields[:2])
    _check_suffix(rgb, RGB_SUFFIXES, where)
    _check_suffix(depth, DEPTH_SUFFIXES, where)
    if len(fields) == 3 and fields[2] not in (TRAIN, TEST):
        raise PipelineError("{}: split {!r} is neither train nor test".format(where, fields[2]))
    return number, rgb, depth, fields[2] if len(fields) == 3 else None


def _refuse(faults):
    """Raise PipelineError with the first of `faults`; of several each is named in a line before."""
    if len(faults) > 1:
        print("\n".join(faults[:_NAMED]), flush=True)
        more = "" if len(faults) <= _NAMED else "the first {} ".format(_NAMED)
        raise PipelineError("{}; {} rows are faulty, {}named above".format(faults[0], len(faults), more))
    if faults:
        raise PipelineError(faults[0])


def _check_suffix(path, suffixes, where):
    if not path.lower().endswith(suffixes):
        header = "; a header must be `rgb,depth` or `rgb,depth,split`" if where.endswith("row 1") else ""
        raise PipelineError("{}: {} does not end in {}{}".format(where, path, ", ".join(suffixes), header))


def _folder_rows(rgb, depth):
    if os.path.realpath(rgb) == os.path.realpath(depth):
        raise PipelineError("{}: rgb and depth lie in one folder; give two folders, or a csv".format(rgb))
    pictures, depths = _by_name(rgb, RGB_SUFFIXES), _by_name(depth, DEPTH_SUFFIXES)
    for here, there, folder, other in ((pictures, depths, rgb, depth), (depths, pictures, depth, rgb)):
        alone = sorted(set(here) - set(there))
        if alone:
            near = file_names.nearest(alone[0], there)
            hint = "; did you mean {}?{}".format(there[near], file_names.form_hint(alone[0], near)) if near else ""
            raise PipelineError(
                "{}: {} has no partner of the same name in {} ({} of {} files have none){}".format(
                    folder, here[alone[0]], other, len(alone), len(here), hint
                )
            )
    given = _given_by_folders(rgb, pictures)
    return [
        (number, pictures[name], depths[name], name.partition("/")[0] if given else None)
        for number, name in enumerate(sorted(pictures), 1)
    ]


def _given_by_folders(folder, pictures):
    """Whether all `pictures` ({path below `folder` without suffix: path}) lie in its folders `train` and `test`.

    Raises PipelineError where others stand beside such folders: a drawn split would mix what is kept apart.
    """
    tops, odd = set(), set()
    for name, path in pictures.items():
        top, below, _ = name.partition("/")
        tops.update([top] if below else [])
        if not below or top not in (TRAIN, TEST):
            odd.add(top + "/" if below else os.path.basename(path))
    if odd and any(top.lower() in _SPLIT_FOLDERS for top in tops):
        named = ", ".join(sorted(odd)[:5]) + (", ..." if len(odd) > 5 else "")
        raise PipelineError(
            "{}: a split by folders needs all pictures in `train` and `test`, but there is {}; rename or take it out, "
            "here and in the folder of the depths, or give a csv with a third column".format(folder, named)
        )
    return not odd


def _by_name(folder, suffixes):
    """{path below the folder, without its suffix: path} of the files with one of `suffixes`."""
    if not os.path.isdir(folder):
        raise PipelineError("{}: no such folder{}".format(folder, file_names.hint(folder)))
    found = {}
    others = file_names.left_out(folder, suffixes)
    for path in file_names.files_below(folder):
        stem, suffix = os.path.splitext(path)
        if suffix.lower() not in suffixes:
            continue
        _check_name(path)
        key = os.path.relpath(stem, folder).replace(os.sep, "/")
        if key in found:
            raise PipelineError(
                "{}: {} and {} have one name; rename one, or, where they are picture and depth in one folder, give two "
                "folders or a csv".format(folder, found[key], path)
            )
        found[key] = path
    if not found:
        more = "; {}".format(others) if others else ""
        raise PipelineError("{}: has no file that ends in {}{}".format(folder, ", ".join(suffixes), more))
    if others:
        print(files.printable(others), flush=True)
    return found


def _check_name(path):
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise PipelineError(
            "{}: a name that is not UTF-8; rename the file or folder".format(files.printable(path))
        ) from None


def _drawn(count, share, seed, where):
    """The places of the pairs that are kept for the test."""
    if not 0 < share < 1:
        raise PipelineError("test_share {}: must lie between 0 and 1".format(share))
    number = max(1, round(count * share))
    if number >= count:
        raise PipelineError("{}: {} pairs leave none to train on".format(where, count))
    return set(np.random.RandomState(seed).permutation(count)[:number].tolist())


class Pictures:
    """The pairs of one split of a list, open. A context manager, as `train_archive.Archive` is."""

    def __init__(self, path, split=TRAIN):
        self.path = path
        content = metadata.read(path, SCHEMA, FORMAT)
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

    def rows(self, check_members=True, malformed=None):
        """The `Row`s of the split, in the order of the list; that a file is not there is seen when its pair is read.

        check_members, malformed: as in `train_archive.Archive.rows`, and without effect.
        """
        return [
            Row(entry["row"], entry["rgb"], entry["depth"])
            for entry in self._content["rows"]
            if entry["split"] == self._split
        ]

    def identity(self):
        """What tells this list from another, as JSON: its checksum."""
        return {"sha256": files.sha256(self.path)}

    def state(self, rows):
        """Text that differs once the list, or a file of one of `rows`, was changed."""
        return files.state([self.path] + [path for row in rows for path in (row.rgb, row.depth)])

    def pair(self, row, check=True):
        """(JPEG or PNG bytes, PNG bytes, (height, width)) of `row`, of the size of the list.

        The depth has 16 bits, metres = value * `unit`, 0 is invalid. A picture that is of the right size and form keeps
        its bytes, others become JPEG. Every pixel is read, whatever `check`. Raises PipelineError with row and file.
        """
        rgb, measured = self._read(row)
        depth = self._near(measured)
        stored = np.round(depth / self.unit).astype(np.uint16)
        # What is nearer than half a step would become invalid depth.
        stored[(stored == 0) & (depth > 0)] = 1
        data = self._bytes(row.rgb, rgb)
        if data is None:
            data = _encoded(Image.fromarray(fit_image(rgb, self.size)), "JPEG", quality=_QUALITY, subsampling=0)
        return data, _encoded(Image.fromarray(stored), "PNG"), self.size

    def arrays(self, row):
        """(rgb uint8 (H, W, 3), depth float32 (H, W) in metres, 0 where invalid) of `row`, of the list's size."""
        return self.look(row)[:2]

    def look(self, row):
        """What `arrays` gives, and the number of pixels that are invalid for a depth of `max_depth` or more."""
        rgb, measured = self._read(row)
        beyond = int((measured >= self.max_depth).sum())
        return fit_image(rgb, self.size), self._near(measured), beyond

    def stored_as(self, row):
        """How the depth of `row` is stored, in words; of one that can be read."""
        if row.depth.lower().endswith(".npy"):
            dtype = np.lib.format.open_memmap(row.depth, mode="r").dtype
            narrow, fractions = dtype.itemsize == 1, dtype.kind == "f"
        else:
            with open_image(row.depth) as image:
                narrow, fractions = image.mode == "L", False
        return "fractions" if fractions else "8 bit" if narrow else "whole numbers of more than 8 bit"

    def _read(self, row):
        """The whole picture, and the depth of the list's size: metres, however great, 0 for what was not measured."""
        rgb, measured = _same_view(np.asarray(self._picture(row)), self._measured(row))
        over = _over(rgb.shape, measured.shape)
        if over > _MOST_OVER:
            raise self._error(
                row,
                row.rgb,
                "is {}, its depth {} is {}; the two must show the same view, but laid over the picture the depth has "
                "{:.2g} of its pixels too many or too few at an edge; take off what was padded, or cut both alike",
                *(size_text(rgb.shape[:2]), row.depth, size_text(measured.shape), over),
            )
        fitted = fit_depth(measured, self.size, rgb.shape[:2])
        if not self._near(fitted).any():
            raise self._error(
                row,
                row.depth,
                "no pixel has a depth below {} m; check metres_per_unit, hole and max_depth (greatest found: {})",
                *(self.max_depth, "{:.4g} m".format(measured.max()) if measured.any() else "none"),
            )
        return rgb, fitted

    def _near(self, measured):
        """Depth float32 in metres, 0 where invalid and from `max_depth` on."""
        return np.where(measured < self.max_depth, measured, 0).astype(np.float32)

    def _picture(self, row):
        """The picture, upright, RGB."""
        if row.rgb.lower().endswith(".npy"):
            array = self._array(row, row.rgb)
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
                raise self._error(
                    row, row.rgb, "expected uint8 (height, width, 3), got {} {}", array.dtype, array.shape
                )
            return Image.fromarray(np.ascontiguousarray(array))
        try:
            with open_image(row.rgb) as image:
                if image.mode not in ("RGB", "L", "RGBA", "P", "1", "LA"):
                    raise self._error(row, row.rgb, "expected 8-bit colours, got an image of mode {}", image.mode)
                return ImageOps.exif_transpose(image).convert("RGB")
        except _READING as error:
            raise self._error(row, row.rgb, "cannot be read as a picture ({})", _words(error)) from None

    def _measured(self, row):
        """Depth in metres, however great, 0 for what was not measured."""
        values = self._stored(row)
        with np.errstate(invalid="ignore"):
            metres = values.astype(np.float64) * self._content["metres_per_unit"]
            return np.where(np.isfinite(metres) & (metres > 0) & (values != self._content["hole"]), metres, 0)

    def _stored(self, row):
        if row.depth.lower().endswith(".npy"):
            values = self._array(row, row.depth)
            values = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
            if values.ndim != 2 or values.dtype.kind not in "uif" or not values.size:
                raise self._error(
                    row, row.depth, "expected numbers (height, width), got {} {}", values.dtype, values.shape
                )
            return values
        try:
            with open_image(row.depth) as image:
                # Here, since NumPy keeps the error to itself.
                image.load()
                values = np.asarray(image)
        except _READING as error:
            raise self._error(row, row.depth, "cannot be read as a picture ({})", _words(error)) from None
        if image.format != "PNG":
            lossy = "; its compression changes depth: store the original measurement" if image.format == "JPEG" else ""
            raise self._error(row, row.depth, "expected PNG, got {}{}", image.format, lossy)
        if image.mode not in ("L", "I", "I;16", "I;16B"):
            raise self._error(
                row, row.depth, "expected depth of one channel, 8 or 16 bit, got an image of mode {}", image.mode
            )
        return values

    def _array(self, row, path):
        try:
            # Mapped first: a header that claims more than the file holds, and an array of objects, are refused then.
            return np.array(np.lib.format.open_memmap(path, mode="r"))
        except _READING + (OverflowError, tokenize.TokenError) as error:
            raise self._error(row, path, "cannot be read as a NumPy array ({})", _words(error)) from None

    def _bytes(self, path, rgb):
        """The file as it is where nothing has to be done to it."""
        if rgb.shape[:2] != self.size or path.lower().endswith(".npy"):
            return None
        with open(path, "rb") as stream:
            data = stream.read()
        with open_image(io.BytesIO(data)) as stored:
            turned = stored.getexif().get(0x0112) in _TURNED
            kept = stored.mode == "RGB" and stored.format in ("JPEG", "PNG") and stored.size[::-1] == self.size
            return data if kept and not turned else None

    def _error(self, row, path, text, *values):
        where = "{}: row {}, {}: ".format(self._content["source"][0], row.number, path)
        return PipelineError(
            where + text.format(*values) + file_names.hint(path, os.path.dirname(self._content["source"][0]))
        )


def fit_image(rgb, size):
    """The middle of the picture `rgb` (H, W, 3) as uint8 of `size` (height, width), resized as predictions do it."""
    if rgb.shape[:2] == tuple(size):
        return rgb
    return np.rint(resize.resized(rgb, size, _middle(rgb.shape[:2], size))).astype(np.uint8)


def fit_depth(depth, size, view):
    """The map `depth` (H, W) in `size` (height, width), each value that of the nearest pixel.

    view: (height, width) of the picture that shows the same; of both the same part is taken.
    """
    box = [length * depth.shape[i % 2] / view[i % 2] for i, length in enumerate(_middle(view, size))]
    rows, columns = (
        np.minimum(np.floor(box[i] + (np.arange(size[i]) + 0.5) * box[i + 2] / size[i]).astype(int), depth.shape[i] - 1)
        for i in (0, 1)
    )
    return depth[rows[:, np.newaxis], columns]


def _over(view, shape):
    """Pixels that a depth of `shape` has too many or too few for a picture of `view`, along the axis with fewer."""
    height, width = (new / old for new, old in zip(shape, view))
    return min(abs(view[1] * height - shape[1]), abs(view[0] * width - shape[0]))


def _same_view(rgb, depth):
    """Both without what only one of them shows, where `depth` has the form of a camera's decimation filter.

    Such a filter makes one pixel of several from the top left on, leaves out what remains of the picture at the right
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


def _words(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
