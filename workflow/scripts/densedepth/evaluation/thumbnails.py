"""Thumbnails of all test images with what a network makes of them, on one sheet each, for the report."""

import io
import math
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from PIL import Image

from .. import files
from ..errors import PipelineError
from ..imaging import depth, visualize

# Pixels; the height follows the images.
WIDTH = 96
# Of so many test images there are thumbnails; of more, of so many spread evenly over them.
MOST = 1000
# Sheets have rows of so many.
ACROSS = 16
# What is kept of each test image: itself, and depths.
SHEETS = ("input", "truth", "prediction", "error")
# The error's colours end here, as a share of the true depth.
_WORST = 0.5


class Sheets(NamedTuple):
    """The thumbnails of a run: JPEG files by the names in `SHEETS`, with thumbnail i of image `indices[i]`."""

    indices: List[int]
    # (height, width) of a thumbnail.
    size: Tuple[int, int]
    jpegs: Dict[str, bytes]


class Thumbnails:
    """Collects the thumbnails of a test set (see `test_archive.TestSet`) in any order, maybe in several threads."""

    def __init__(self, test_set: Any) -> None:
        count = min(MOST, test_set.count)
        self._chosen = {(2 * place + 1) * test_set.count // (2 * count) for place in range(count)}
        self._crop = test_set.crop
        self._inside = depth.inside(self._crop)
        height, width = (part.stop - part.start for part in self._inside)
        # Whole blocks of JPEG, so that neighbours do not run into each other.
        self._size = 8 * max(1, round(WIDTH * height / width / 8)), WIDTH
        self._inputs: Dict[int, np.ndarray] = {}
        self._maps: Dict[int, Tuple[np.ndarray, np.ndarray]] = {}

    def add_inputs(self, numbers: Sequence[int], rgb: np.ndarray) -> None:
        """Whole images, uint8 (n, H, W, 3)."""
        for number, image in zip(numbers, rgb):
            if number in self._chosen:
                shown = image[self._inside][np.newaxis]
                self._inputs[number] = np.rint(depth.fit(shown, self._size)[0] * 255).astype(np.uint8)

    def add_maps(self, numbers: Sequence[int], truth: np.ndarray, predicted: np.ndarray) -> None:
        """True and predicted depth inside the crop (n, h, w), metres; a truth of 0 is not known."""
        for number, one, other in zip(numbers, truth, predicted):
            if number in self._chosen:
                pixels = np.ix_(
                    *(((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(self._size, one.shape))
                )
                self._maps[number] = one[pixels].astype(np.float32), other[pixels].astype(np.float32)

    def watching(self, depth_in: Callable[..., Any], numbers: Sequence[int]) -> Callable[..., Any]:
        """`depth_in` of a batch as `scoring.scored` asks for it, from which this takes what it gives of the crop."""

        def watched(crop, limits, size, truth):
            predicted = depth_in(crop, limits, size, truth)
            if tuple(crop) == tuple(self._crop):
                self.add_maps(numbers, truth, predicted)
            return predicted

        return watched

    def write(self, path: str) -> None:
        """Write the sheets to the .npz file `path`; equal images give equal bytes with one release of Pillow."""
        indices = sorted(self._maps)
        truth, prediction = (np.stack([self._maps[index][part] for index in indices]) for part in (0, 1))
        known = truth > 0
        # Of the truth alone, so that the colours of all networks mean the same.
        near, far = np.percentile(truth[known], (1, 99))
        table = visualize.depth_colours()
        tiles = {
            "input": np.stack([self._inputs[index] for index in indices]),
            "truth": np.where(known[..., np.newaxis], _coloured(truth, near, far, table), 128),
            "prediction": _coloured(prediction, near, far, table),
            "error": _signed((prediction - truth) / np.where(known, truth, np.inf)),
        }
        sheets: Dict[str, Any] = {name: np.frombuffer(_jpeg(tiles[name].astype(np.uint8)), np.uint8) for name in SHEETS}
        with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, indices=np.array(indices), size=np.array(self._size), **sheets)


def read(path: str) -> Sheets:
    """The `Sheets` in a file. Raises PipelineError when it holds none."""
    try:
        with np.load(path) as data:
            jpegs = {name: data[name].tobytes() for name in SHEETS}
            height, width = data["size"].tolist()
            return Sheets(data["indices"].tolist(), (height, width), jpegs)
    except (OSError, ValueError, KeyError) as error:
        raise PipelineError("{}: not the thumbnails of a test set ({}); evaluate again".format(path, error)) from None


def _coloured(metres, near, far, table):
    shares = (metres - near) / max(far - near, 1e-3)
    return table[np.clip(256 * shares, 0, 255).astype(int)]


def _signed(shares):
    """Blue where predictions are too near, red where too far, white where right; uint8."""
    strength = np.clip(np.abs(shares) / _WORST, 0, 1)[..., np.newaxis]
    ends = np.where(shares[..., np.newaxis] < 0, (33, 102, 172), (178, 24, 43))
    return np.rint(255 + strength * (ends - 255.0))


def _jpeg(tiles):
    """One image of all tiles, row by row."""
    count, height, width = tiles.shape[:3]
    down = math.ceil(count / ACROSS)
    sheet = np.full((down * height, ACROSS * width, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, ACROSS)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "JPEG", quality=72, subsampling=0)
    return stream.getvalue()
