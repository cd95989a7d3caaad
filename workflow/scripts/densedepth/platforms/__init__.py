"""Where training runs: one module per kind of device, all with the interface of `base.Platform`."""

from ..errors import PipelineError
from .ascend import Ascend
from .cpu_gpu import CpuGpu

# Neither class imports its device's software before it starts.
_PLATFORMS = {"cpu_gpu": CpuGpu, "ascend": Ascend}


def create(name, options):
    """The platform called `name` with `options` (a `base.Options`)."""
    return kind(name)(options)


def kind(name):
    """The class of the platform called `name`. Raises PipelineError for an unknown name."""
    if name not in _PLATFORMS:
        raise PipelineError("platform = {!r}: must be one of {}".format(name, ", ".join(sorted(_PLATFORMS))))
    return _PLATFORMS[name]
