"""Where training runs: one module per kind of device, all with the interface of `base.Platform`."""

import importlib
from typing import Any

from ..errors import PipelineError

# {name, which is the module's too: its class}. Imported by name, so that only the kind that is used counts as code.
KINDS = {"cpu_gpu": "CpuGpu", "ascend": "Ascend"}


def create(name: str, options: Any) -> Any:
    """The platform (`base.Platform`) called `name` with `options` (a `base.Options`)."""
    return kind(name)(options)


def kind(name: str) -> Any:
    """The class of the platform called `name`. Raises PipelineError for an unknown name."""
    if name not in KINDS:
        raise PipelineError("platform = {!r}: must be one of {}".format(name, ", ".join(sorted(KINDS))))
    return getattr(importlib.import_module("{}.{}".format(__name__, name)), KINDS[name])
