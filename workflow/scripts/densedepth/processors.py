"""What the processor of this machine can do, and what TensorFlow is to use of it."""

import os

# Instructions for bfloat16, as /proc/cpuinfo calls them. Without them oneDNN computes bfloat16 in float32, which takes
# longer than float32 itself.
BFLOAT16 = frozenset(["avx512_bf16", "amx_bf16"])


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 (Linux on x86; False elsewhere)."""
    try:
        with open("/proc/cpuinfo") as stream:
            return any(line.startswith("flags") and not BFLOAT16.isdisjoint(line.split()) for line in stream)
    except OSError:
        return False


def onednn_asked() -> bool:
    """Whether the environment leaves oneDNN on, by TensorFlow's own reading of `TF_ENABLE_ONEDNN_OPTS`."""
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() not in ("0", "false")
