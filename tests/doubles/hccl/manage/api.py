"""Getters of CANN that are valid only after the group is initialized: the pipeline does not use them."""

from npu_bridge import record


def _refuse(name, group):
    record(name, group=group)
    raise RuntimeError("the collective group is not initialized")


def get_rank_size(group="hccl_world_group"):
    _refuse("get_rank_size", group)


def get_rank_id(group="hccl_world_group"):
    _refuse("get_rank_id", group)


def get_local_rank_id(group="hccl_world_group"):
    _refuse("get_local_rank_id", group)
