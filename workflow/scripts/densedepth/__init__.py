"""DenseDepth: monocular depth estimation, from archives to deployable networks.

    import densedepth

    network = densedepth.load("results/1p/export/model.pb")
    metres = network.predict(rgb)

`load` is `inference.networks.load`, `PipelineError` what it and `predict` raise. Both are fetched by name when they are
first asked for, so that importing the package runs nothing, and an edit of the inference code concerns no program that
does not use it.

Files here run under Python 3.7 with TensorFlow 1.15 and under current Python and TensorFlow alike, so they keep Python
3.7 syntax. Nothing here imports Snakemake or argparse.
"""

import importlib
from typing import Any, List

_PLACES = {"load": ".inference.networks", "PipelineError": ".errors"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError("module {!r} has no attribute {!r}".format(__name__, name))
    return getattr(importlib.import_module(_PLACES[name], __name__), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *_PLACES])
