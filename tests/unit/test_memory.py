import os
import subprocess
import sys

import pytest
from densedepth import memory

# Frees an array of 24 MB, by which glibc raises its limits, before and after the functions are called, then 30 MB in
# small ones; prints what is resident after that, in MB above what was before.
PROGRAM = """
import ctypes
import resource
from densedepth import memory

def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * resource.getpagesize() / 1e6

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p

def taken(size):
    place = ctypes.c_void_p(library.malloc(size))
    ctypes.memset(place, 1, size)
    return place

library.free(taken(24 << 20))
memory.give_back()
for name in "{}".split():
    getattr(memory, name)()
before = resident()
library.free(taken(24 << 20))
places = [taken(512 << 10) for _ in range(60)]
for place in places:
    library.free(place)
print(resident() - before)
"""


def left(functions):
    command = [sys.executable, "-c", PROGRAM.format(functions)]
    # Without what would set the limits, too.
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    environment = dict(settings, PYTHONPATH=os.pathsep.join(sys.path))
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout)


@pytest.mark.skipif(not memory._function("mallopt"), reason="this C library has no such options")
def test_freed_memory_stays_or_goes_as_told():
    assert left("keep_little") < 3
    assert left("keep keep_little") < 3
    assert left("keep") > 25
    # What the library itself does, without which neither would be needed.
    assert left("give_back") > 25
