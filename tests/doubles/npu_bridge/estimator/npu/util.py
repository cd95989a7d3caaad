"""Iterations per loop: the variables and the operation's name are the bridge's; the loop itself is the device's."""

import tensorflow as tf

from npu_bridge import record


def set_iteration_per_loop(sess, train_op, iterations_per_loop=1):
    record("set_iteration_per_loop", sess=sess, train_op=train_op, iterations_per_loop=iterations_per_loop)
    if not isinstance(train_op, tf.Operation):
        raise ValueError("train_op must be an Operation")
    if iterations_per_loop == 1:
        return train_op
    values = {"iterations_per_loop": iterations_per_loop - 1, "loop_cond": 0, "zero": 0, "one": 1}
    for name, value in values.items():
        with tf.compat.v1.variable_scope("npu_runconfig", reuse=tf.compat.v1.AUTO_REUSE):
            variable = tf.compat.v1.get_variable(
                name,
                shape=[],
                dtype=tf.int64,
                initializer=tf.compat.v1.zeros_initializer(),
                trainable=False,
                collections=["npu_runconfig_" + name, tf.compat.v1.GraphKeys.LOCAL_VARIABLES],
                use_resource=True,
            )
        variable.load(value, session=sess)
    return tf.group(train_op, name="IterationOp")
