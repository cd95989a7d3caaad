#!/usr/bin/env bash
# Version: TensorFlow 2.21.0, Python 3.11, Linux on x86-64, no GPU
# Behaviour: In a session of compat.v1, a tf.function(jit_compile=True) with an add_n works for 4 images of 240x320x52 and is refused for 8: the graph's memory optimizer, which takes a processor for a device of 256 MB, rewrites large sums of known shape inside the function to a TemporaryVariable, an operation that XLA does not have. Where the number of images is left open (-1), nothing is rewritten.
# Output seen: known shape: 4 images computed, 8 images "Detected unsupported operations ... TemporaryVariable (No registered 'TemporaryVariable' OpKernel for XLA_CPU_JIT devices"; open number of images: both computed
# Why one guesses wrong: The function has no such operation, whether a function can be compiled seems to hang on its operations and not on their sizes, and in eager mode such a function is compiled for 16 images.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install tensorflow-cpu==2.21.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - <<'PYTHON'
import tensorflow as tf

v1 = tf.compat.v1
v1.disable_v2_behavior()


def compiled(images):
    """A function of maps (n, 240, 320, 52): sums of four rows each."""

    @tf.function(jit_compile=True, autograph=False)
    def sums(x):
        rows = tf.reshape(x, [images, 60, 4, 320, 52])
        return tf.add_n([rows[:, :, row] * (row + 1.0) for row in range(4)])

    return sums


def tried(count, images):
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.get_variable("x", (count, 240, 320, 52), initializer=v1.ones_initializer())
        total = tf.reduce_sum(compiled(images)(tf.nn.relu(x)))
        session.run(v1.global_variables_initializer())
        try:
            return bool(session.run(total) > 0)
        except tf.errors.InvalidArgumentError as error:
            return "TemporaryVariable" in str(error) and "refused"


found = {"4, known": tried(4, 4), "8, known": tried(8, 8), "4, open": tried(4, -1), "8, open": tried(8, -1)}
print(found)
same = found == {"4, known": True, "8, known": "refused", "4, open": True, "8, open": True}
raise SystemExit(0 if same else "the behaviour has changed")
PYTHON
