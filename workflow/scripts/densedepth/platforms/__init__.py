"""Where training runs: one module per kind of device, all with the interface of `base.Platform`."""

from ..errors import PipelineError
from .cpu_gpu import CpuGpu

_PLATFORMS = {"cpu_gpu": CpuGpu}


def create(name, options):
    """The platform called `name` with `options` (a `base.Options`). Raises PipelineError for an unknown name."""
    try:
        return _PLATFORMS[name](options)
    except KeyError:
        raise PipelineError("platform = {!r}: must be one of {}".format(name, ", ".join(sorted(_PLATFORMS)))) from None
