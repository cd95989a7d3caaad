"""Data-parallel training in several processes, on TensorFlow's collective runtime over gRPC.

Ranks of one machine hand each other their gradients through shared memory, and only say over gRPC that they are there.
"""

import collections
import socket
from typing import Any, Dict, List, Sequence

from ..errors import PipelineError
from ..tf import Tensor, collective_ops, tf
from . import shared_memory
from .heartbeat import Peers
from .ranks import Ranks

# Bytes of gradients exchanged in one piece. Few pieces cost few round trips; the first can leave while the backward
# pass still computes the others, and only for the last does nothing else remain to do.
_PIECE = 8 << 20
# Bytes that gRPC packs together; with TensorFlow's own 4096 an exchange takes a quarter more of the processor.
_CHUNK = 256 << 10
# In whose name scopes, `exchange`, `exchange_1`, ..., the operations of the pieces lie.
SCOPE = "exchange"


class Group:
    """All ranks of a training; made once per process, before the graph.

    ranks: `ranks.Ranks`. config: the tf.ConfigProto of a process alone. kind: what computes, in words, which must be
    the same on all. Attributes: target and config for the session. The tensors are exchanged through host memory,
    whatever device computes. Raises PipelineError when the ranks do not find each other.
    """

    def __init__(self, ranks: Ranks, config: Any, kind: str) -> None:
        self._exchange = Exchange(ranks)
        with socket.socket() as reserved:
            reserved.bind(("", 0))
            port = reserved.getsockname()[1]
            # All ranks hold their ports until all have one, so that no two on a machine choose the same.
            self._peers = Peers(ranks, port, "TensorFlow {}, {}".format(tf.VERSION, kind))
        config.intra_op_parallelism_threads = ranks.threads
        # Of a rank with one thread one: two would share its core. Nothing that runs in it waits for another rank, but
        # what has come from one waits there for the backward pass. Between machines the exchange shall not end then.
        config.inter_op_parallelism_threads = ranks.threads if ranks.memory is not None else max(2, ranks.threads)
        config.experimental.recv_buf_max_chunk = _CHUNK
        config.experimental.collective_group_leader = "/job:worker/replica:0/task:0"
        config.device_filters.append("/job:worker/task:{}".format(ranks.rank))
        cluster = tf.train.ClusterSpec({"worker": self._peers.addresses})
        try:
            self._server = tf.train.Server(cluster, job_name="worker", task_index=ranks.rank, config=config)
        except tf.errors.OpError:
            address = self._peers.addresses[ranks.rank]
            raise PipelineError("{}: no server could be started there; is the port taken?".format(address)) from None
        self.target = self._server.target
        self.config = config

    def total(self, vector: Tensor) -> Tensor:
        """`vector` summed over all ranks."""
        return self._exchange.sum(vector)

    def averaging(self, optimizer: Any) -> Any:
        """`optimizer` with gradients averaged over all ranks."""
        return _Averaging(optimizer, self._exchange.means)

    def broadcast(self, variables: Sequence[Tensor]) -> Tensor:
        """An operation that assigns rank 0's values to `variables` (float32 or integer) on all ranks."""
        return self._exchange.broadcast(variables)

    def close(self) -> None:
        """Wait for all ranks to come here, so that none leaves while another still receives from it."""
        self._peers.finish()


class Exchange:
    """The operations by which ranks exchange tensors; all ranks must make the same ones in the same order.

    piece: bytes of gradients that are exchanged together, at most.
    """

    def __init__(self, ranks: Ranks, piece: int = _PIECE) -> None:
        self._ranks = ranks
        self._piece = piece
        self._key = 0

    def sum(self, tensor: Tensor, final: str = "Id") -> Tensor:
        """`tensor` summed over all ranks; with `final` "Div" their mean."""
        # Every exchange has a number of its own, equal on all ranks because their graphs are built alike.
        self._key += 1
        with tf.device("/cpu:0"):
            return collective_ops.all_reduce(tf.identity(tensor), self._ranks.size, 1, self._key, "Add", final)

    def means(self, tensors: Sequence[Tensor]) -> List[Tensor]:
        """The float32 `tensors`, each averaged over all ranks; exchanged in pieces, the last tensors first."""
        found = pieces(tensors, self._piece)
        shapes = [[tensors[i].shape.as_list() for i in piece] for piece in found]
        areas: Sequence[Any] = [None] * len(found)
        if self._ranks.memory is not None:
            areas = shared_memory.areas(self._ranks.memory, self._ranks.rank, self._ranks.size, shapes)
        means: Dict[int, Tensor] = {}
        for piece, area in zip(found, areas):
            members = [tensors[i] for i in piece]
            with tf.name_scope(SCOPE):
                means.update(zip(piece, self._shared(members, area) if area else self._sent(members)))
        return [means[i] for i in range(len(tensors))]

    def _sent(self, tensors):
        """The means of `tensors` over all ranks, wherever these are."""
        mean = self.sum(_joined(tensors), "Div")
        return _parted(mean, [tensor.shape.as_list() for tensor in tensors])

    def _shared(self, tensors, area):
        """The same over ranks of this machine, through an area of shared memory.

        The sums, of a number each, let no rank go on before all have come so far. No thread waits for them.
        """
        with tf.device("/cpu:0"):
            there = self.sum(tf.py_func(area.put, tensors, tf.float32, name="put"))
            averaged = self.sum(tf.py_func(area.average, [there], tf.float32, name="average"))
            means = tf.py_func(area.take, [averaged], [tf.float32] * len(tensors), name="take")
        for mean, tensor in zip(means, tensors):
            mean.set_shape(tensor.shape)
        return means

    def broadcast(self, variables: Sequence[Tensor]) -> Tensor:
        """See `Group.broadcast`."""
        kinds: Dict[Any, List[Tensor]] = collections.OrderedDict()
        for variable in variables:
            kinds.setdefault(variable.dtype.base_dtype, []).append(variable)
        done: List[Tensor] = []
        for dtype, members in kinds.items():
            for piece in pieces(members):
                # One after another: all at once would take the memory of all variables several times.
                with tf.control_dependencies(done[-1:]):
                    done.append(self._sent_by_first([members[i] for i in piece], dtype))
        return tf.group(*done)

    def _sent_by_first(self, variables, dtype):
        """As `broadcast`, of a piece."""
        shapes = [variable.shape.as_list() for variable in variables]
        if self._ranks.rank == 0:
            return tf.group(*_parted(self.sum(_joined(variables)), shapes))
        # Adding zeros to rank 0's values hands them over as they are.
        values = _parted(self.sum(tf.zeros([sum(_count(shape) for shape in shapes)], dtype)), shapes)
        return tf.group(*(tf.assign(variable, value) for variable, value in zip(variables, values)))


class _Averaging:
    def __init__(self, optimizer, means):
        self._optimizer = optimizer
        self._means = means

    def compute_gradients(self, loss, var_list):
        gradients, variables = zip(*self._optimizer.compute_gradients(loss, var_list))
        return list(zip(self._means(gradients), variables))

    def apply_gradients(self, grads_and_vars, global_step):
        return self._optimizer.apply_gradients(grads_and_vars, global_step)


def pieces(tensors: Sequence[Tensor], limit: int = _PIECE) -> List[List[int]]:
    """Lists of indices of `tensors`, from the last to the first, each of up to `limit` bytes or of one tensor.

    The backward pass computes the gradients of the last variables first.
    """
    found: List[List[int]] = []
    size = limit + 1
    for index in reversed(range(len(tensors))):
        tensor = tensors[index]
        own = _count(tensor.shape.as_list()) * tensor.dtype.base_dtype.size
        if size + own > limit:
            found.append([])
            size = 0
        found[-1].append(index)
        size += own
    return found


def _count(shape):
    count = 1
    for side in shape:
        count *= side
    return count


def _joined(tensors):
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


def _parted(flat, shapes):
    parts = tf.split(flat, [_count(shape) for shape in shapes])
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes)]
