"""Marks on the operations that are built inside."""

import contextlib

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2

from npu_bridge import record


@contextlib.contextmanager
def keep_dtype_scope():
    record("keep_dtype_scope")
    with tf.compat.v1.get_default_graph()._attr_scope({"_keep_dtype": attr_value_pb2.AttrValue(i=1)}):
        yield
