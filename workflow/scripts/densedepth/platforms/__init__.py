"""Where training runs: one module per kind of device, all with the interface of `base.Platform`."""

import importlib
from typing import TYPE_CHECKING, Type

from ..errors import PipelineError

if TYPE_CHECKING:
    from .base import Options, Platform

# {name, which is the module's too: its class}. Imported by name, so that only the kind that is used counts as code.
KINDS = {"cpu_gpu": "CpuGpu", "ascend": "Ascend"}


def create(name: str, options: "Options") -> "Platform":
    """The platform called `name` with `options`."""
    return kind(name)(options)


def kind(name: str) -> "Type[Platform]":
    """The class of the platform called `name`. Raises PipelineError for an unknown name."""
    if name not in KINDS:
        raise PipelineError("platform = {!r}: must be one of {}".format(name, ", ".join(sorted(KINDS))))
    return getattr(importlib.import_module("{}.{}".format(__name__, name)), KINDS[name])
