"""Operations that start and stop the device's system."""

import tensorflow as tf

from npu_bridge import record


def initialize_system(name=None):
    record("initialize_system", name=name)
    return tf.no_op(name or "NPUInit")


def shutdown_system(name=None):
    record("shutdown_system", name=name)
    return tf.no_op(name or "NPUShutdown")
