"""The module of the star import. Since 2022 importing it changes tf.Session for the whole process."""

from npu_bridge import record

record("import npu_init")
