"""The engine's cache of compiled graphs on disk: a folder for each graph, since it compares nothing.

By its documentation (session parameter graph_compiler_cache_dir) a graph that has changed, or another version of CANN,
would load what an earlier one left. It also says that models with resource operators are not supported, so the cache is
used only where it is asked for.
"""

import hashlib
import os
import re
from typing import Any, Dict

from .. import runtime
from . import ascend_versions

# What the input and files of a graph are made of: their nodes hold paths and numbers of functions.
_HOST = re.compile(r"Iterator|Dataset|MakeIterator|OneShot|Save|Restore|MergeV2|ShardedFilename")


def folder(path: str, rank: int, graph: Any, parameters: Dict[str, Any]) -> str:
    """The folder below `path` for this rank's `graph` under these session parameters, by the installed CANN; made."""
    digest = hashlib.sha256(repr(sorted(parameters.items())).encode())
    digest.update(ascend_versions.installed("/", dict(os.environ), "", runtime.describe()).cann.encode())
    for node in graph.as_graph_def().node:
        if not _HOST.search(node.op):
            digest.update(node.SerializeToString(deterministic=True))
    made = os.path.join(path, "rank{}-{}".format(rank, digest.hexdigest()[:16]))
    os.makedirs(made, exist_ok=True)
    return made
