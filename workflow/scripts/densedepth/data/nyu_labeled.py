"""The test archive from NYU's labelled data, if `nyu_test.zip` is not available.

nyu_depth_v2_labeled.mat   MATLAB 7.3, which is HDF5 with all axes reversed: `images` uint8 (1449, 3, 640, 480),
                           `depths` float32 (1449, 640, 480), metres, invalid depth filled in
splits.mat                 MATLAB 5: `testNdxs`, the 654 numbers of the test images, from 1

Two public programs rebuild DenseDepth's arrays in this way (computational-imaging/single_spad_depth,
nianticlabs/wavelet-monodepth): filled depths, images in the order of `testNdxs`, crop 20..459 x 24..615.
"""

import collections
import contextlib

import numpy as np

from ..errors import PipelineError
from ..progress import Progress
from . import matfile, test_archive_writer

CROP = (20, 459, 24, 615)
NYU_IMAGES = 654
_ROWS, _COLUMNS = 480, 640


def write(labeled: str, splits: str, out: str) -> int:
    """Write the test images of the file `labeled` that `splits` names as the archive `out`; returns their number.

    One image is in memory at a time. Raises PipelineError with file and variable for what is not as described above.
    """
    # Here, since a test archive of custom data is written without h5py.
    from . import hdf5

    numbers = matfile.read_numbers(splits, "testNdxs")
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(hdf5.open_file(labeled))
            images = _variable(source, labeled, "images", (3, _COLUMNS, _ROWS), "uint8")
            depths = _variable(source, labeled, "depths", (_COLUMNS, _ROWS), "float")
        except hdf5.DAMAGE as error:
            raise PipelineError(
                "{}: cannot be opened as a MATLAB 7.3 file ({}); get it again".format(labeled, hdf5.words(error))
            ) from None
        count = min(len(images), len(depths))
        wrong = [number for number in numbers if not 1 <= number <= count]
        if wrong:
            raise PipelineError("{}: testNdxs holds {}, but {} has {} images".format(splits, wrong[0], labeled, count))
        _check_count(splits, numbers)
        progress = Progress(len(numbers), "images")

        def pairs():
            for done, number in enumerate(numbers, 1):
                try:
                    rgb = np.ascontiguousarray(images[number - 1].transpose(2, 1, 0))
                    depth = np.ascontiguousarray(depths[number - 1].transpose(1, 0))
                except hdf5.DAMAGE as error:
                    raise PipelineError(
                        "{}: image {} cannot be read ({}); get it again".format(labeled, number, hdf5.words(error))
                    ) from None
                if not (depth.min() > 0 and depth.max() < np.inf):
                    raise PipelineError(
                        "{}: depths: image {} has depths that are not finite and above zero".format(labeled, number)
                    )
                yield rgb, depth
                progress(done)

        test_archive_writer.write(out, pairs(), len(numbers), (_ROWS, _COLUMNS), CROP)
    return len(numbers)


def _check_count(splits, numbers):
    repeated = [number for number, times in collections.Counter(numbers).items() if times > 1]
    if repeated:
        raise PipelineError("{}: testNdxs holds {} more than once; download it again".format(splits, repeated[0]))
    if len(numbers) != NYU_IMAGES:
        words = "{}: warning: testNdxs holds {} numbers, where NYU's has {}"
        print(words.format(splits, len(numbers), NYU_IMAGES), flush=True)


def _variable(source, path, name, shape, kind):
    """The dataset `name`, whose entries have `shape` and numbers of `kind`: uint8, or float of any width."""
    if name not in source:
        raise PipelineError("{}: has no variable {}; it has {}".format(path, name, ", ".join(sorted(source)) or "none"))
    found = source[name]
    # A group has no shape, and an empty dataset None.
    if (getattr(found, "shape", None) or ())[1:] != shape:
        raise PipelineError(
            "{}: expected {} of shape (images, {}), got {}".format(
                path, name, ", ".join(map(str, shape)), getattr(found, "shape", None)
            )
        )
    if found.dtype != np.uint8 if kind == "uint8" else found.dtype.kind != "f":
        raise PipelineError(
            "{}: expected {} of dtype {}, got {}; is it nyu_depth_v2_labeled.mat as NYU publishes it?".format(
                path, name, kind, found.dtype
            )
        )
    return found
