"""A stand-in for the Python interface of ais_bench: names, arguments and results as documented, computed on a CPU."""

import time
import types

import numpy as np
import om_session


class InferSession:
    def __init__(self, device_id, model_path):
        self._session = om_session.Session(model_path)
        self._times = []

    def infer(self, feeds, mode="static"):
        assert isinstance(feeds, list) and all(isinstance(feed, np.ndarray) for feed in feeds)
        assert mode == ("dymbatch" if self._session.batches else "static")
        before = time.time()
        output = self._session.run(self._session.checked(feeds[0]))
        # (start, end) in ms, as the newer versions keep them.
        self._times.append((1000 * before, 1000 * time.time()))
        return [output]

    def summary(self):
        return types.SimpleNamespace(exec_time_list=self._times)
