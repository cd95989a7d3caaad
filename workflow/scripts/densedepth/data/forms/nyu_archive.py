"""NYU Depth v2 as DenseDepth's `nyu_data.zip` has it: zipped in any way, unpacked, or as Kaggle gives it.

The csvs name members from the folder above theirs. Depth to train on has 8 bits and 255 is 10 m, a measurement; that of
the test images has 16 bits and is in millimetres.
"""

from ...errors import PipelineError
from .base import TEST, TRAIN, Form, ending, of_lists


def _find(tree, tolerance):
    train, test = (ending(tree, "nyu2_{}\\.csv".format(split)) for split in (TRAIN, TEST))
    if not train:
        return None
    if len(train) > 1:
        raise PipelineError("{}: has two lists, {} and {}; take one of them out".format(tree.path, *train[:2]))
    if not test:
        raise PipelineError(
            "{}: has no nyu2_test.csv, so no images for the test; give nyu_test.zip with data.train_archive and "
            "data.test_archive instead of data.dataset".format(tree.path)
        )
    return of_lists(tree, [(train[0], TRAIN)], bits=8) + of_lists(tree, [(test[0], TEST)], bits=16)


FORM = Form(
    "nyu",
    "nyu_data.zip of DenseDepth",
    "data/nyu2_train.csv, data/nyu2_train/<scene>_out/N.jpg and N.png, data/nyu2_test.csv, data/nyu2_test/...",
    _find,
    {TRAIN: 10 / 255, TEST: 0.001},
    "255 = 10 m (train, 8 bit), 1000 = 1 m (test, 16 bit)",
    "0",
    "github.com/ialhashim/DenseDepth issues 122, 146, 184",
    {"invalid": [0], "farthest": True},
    {"size": [480, 640], "rows": [20, 459], "columns": [24, 615]},
)
