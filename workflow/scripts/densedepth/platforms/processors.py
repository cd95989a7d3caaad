"""What the processor of this machine can do."""

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
