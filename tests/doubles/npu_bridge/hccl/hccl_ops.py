"""Collective operations of a group whose ranks all hold the same: a sum is the product with their number."""

import os

import tensorflow as tf

from npu_bridge import record


def size():
    """RANK_SIZE, or CM_WORKER_SIZE in place of it, never both, as in the bridge of 2023."""
    if "CM_WORKER_SIZE" in os.environ:
        if {"RANK_TABLE_FILE", "RANK_ID", "RANK_SIZE"} & set(os.environ):
            raise ValueError("CM_CHIEF_IP and RANK_TABLE_FILE cannot be configured at the same time")
        return int(os.environ["CM_WORKER_SIZE"])
    return int(os.getenv("RANK_SIZE", "1"))


def allreduce(tensor, reduction, fusion=1, fusion_id=-1, group="hccl_world_group"):
    record("allreduce", tensor=tensor, reduction=reduction, fusion=fusion, fusion_id=fusion_id, group=group)
    assert reduction in ("max", "min", "prod", "sum")
    tensor = tf.convert_to_tensor(tensor)
    assert tensor.dtype in (tf.int8, tf.int16, tf.int32, tf.float16, tf.float32)
    factor = size() if reduction == "sum" else 1
    return tf.multiply(tensor, tf.cast(factor, tensor.dtype), name="HcomAllReduce")


def broadcast(tensor, root_rank, fusion=2, fusion_id=0, group="hccl_world_group"):
    record("broadcast", tensor=tensor, root_rank=root_rank, fusion=fusion, fusion_id=fusion_id, group=group)
    assert isinstance(tensor, list) and fusion in (0, 2)
    return [tf.identity(one, name="HcomBroadcast") for one in tensor]


def allgather(tensor, rank_size, group="hccl_world_group"):
    record("allgather", tensor=tensor, rank_size=rank_size, group=group)
    return tf.concat([tensor] * rank_size, axis=0, name="HcomAllGather")
