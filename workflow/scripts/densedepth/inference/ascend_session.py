"""OM files run by the Python interface of ais_bench, with its own times.

The interface is that of the documentation: `InferSession(device_id, model_path)`, `infer([array], mode)` with a list of
outputs, and `summary().exec_time_list`, in ms on the device, in older versions named `sumary()`; newer ones list
(start, end).
"""

import time
from typing import Any, Dict, List, Sequence

import numpy as np

from ..errors import PipelineError
from . import forward


class Session:
    """An OM file on a device; `infer` takes a batch as the file wants it, of its one input."""

    def __init__(self, path: str, device: int, dynamic: bool = False) -> None:
        self._path = path
        self._mode = "dymbatch" if dynamic else "static"
        self._seconds: List[float] = []
        self._images: List[int] = []
        self._started = time.perf_counter()
        try:
            from ais_bench.infer.interface import InferSession
        except ImportError as error:
            raise PipelineError("ais_bench: cannot be imported ({})".format(error)) from None
        try:
            self._session = InferSession(device, path)
        # What the device's library says has no class of its own.
        except Exception as error:
            raise PipelineError("{}: ais_bench cannot load it on device {}: {}".format(path, device, error)) from None

    def infer(self, images: np.ndarray) -> np.ndarray:
        """The output of the network, float32, flat, for `images` (batch, height, width, 3)."""
        before = time.perf_counter()
        try:
            (output,) = self._session.infer([np.ascontiguousarray(images)], mode=self._mode)
        except Exception as error:
            raise PipelineError("{}: ais_bench failed: {}".format(self._path, error)) from None
        self._seconds.append(time.perf_counter() - before)
        self._images.append(len(images))
        return np.asarray(output, "<f4").reshape(-1)

    def speed(self, warmups: int) -> Dict[str, Any]:
        """As `forward.Speed.as_dict`, without the first `warmups` batches.

        And of the device alone, as ais_bench prints it: `device_ms`, the mean of a batch, `device_images_per_second`.
        """
        seconds, batch = self._seconds[warmups:], max(self._images)
        images = sum(self._images[warmups:])
        rate = images / sum(seconds)
        device = float(np.mean(_device_ms(self._session)[warmups:]))
        whole = time.perf_counter() - self._started
        found = forward.speed_figures(batch, images, rate, seconds, whole, warmups)
        return dict(found, device_ms=device, device_images_per_second=1000 * batch / device)


def _device_ms(session: Any) -> Sequence[float]:
    summary = (getattr(session, "summary", None) or session.sumary)()
    return [entry[1] - entry[0] if isinstance(entry, (list, tuple)) else entry for entry in summary.exec_time_list]
