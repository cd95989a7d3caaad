"""Rendezvous and heartbeat of the ranks of a training.

Every rank keeps one connection to rank 0, over which both send a heartbeat of a byte a second. A thread of its own does
this while TensorFlow computes; it stops when the process is stopped or killed.
"""

import json
import os
import select
import socket
import sys
import threading
import time
from typing import Any, Dict, Set

from ..errors import PipelineError
from .ranks import Ranks

# A rank that `launcher` watches and that has lost rank k exits with this status plus k, for the launcher's message.
LOST = 64

# Starting takes longer than a heartbeat, and not equally long on machines of different load.
_START = 5

_BEAT, _END = b".", b"e"
# Seconds that a rank under the launcher leaves it to act after a connection broke.
_PATIENCE = 5


class Peers:
    """The other ranks. Made by all ranks, each with the `port` of its server; `addresses` are those of all servers.

    kind: what a rank computes with, in words. Ranks of different kinds are refused: their graphs would differ, and one
    would wait in an exchange that the others do not have.

    Waits up to five times `ranks.timeout` seconds for the others to connect, then raises PipelineError. Later the
    process ends with a line on stderr when another rank ends without `finish`, or sends no heartbeat for
    `ranks.timeout`.
    """

    def __init__(self, ranks: Ranks, port: int, kind: str) -> None:
        if ranks.master is None:
            raise ValueError("heartbeats need the address of rank 0")
        self._ranks = ranks
        self._master = ranks.master
        self._kind = kind
        self._patience = _START * ranks.timeout
        self._deadline = time.monotonic() + self._patience
        self._finished = threading.Event()
        self._leaving = False
        if ranks.rank == 0:
            self._links = self._gather(port)
        else:
            self._links = {0: self._join(port)}
        for link in self._links.values():
            link.settimeout(ranks.timeout)
        self._ended: Set[int] = set()
        threading.Thread(target=self._watch, daemon=True).start()

    def _gather(self, port):
        """Rank 0: wait for all others and send all addresses to each."""
        links: Dict[int, socket.socket] = {}
        addresses = {0: "{}:{}".format(self._master[0], port)}
        with self._listening() as listener:
            while len(links) < self._ranks.size - 1:
                listener.settimeout(max(0.01, self._deadline - time.monotonic()))
                try:
                    link, (host, _) = listener.accept()
                    link.settimeout(max(0.01, self._deadline - time.monotonic()))
                    greeting: Dict[str, Any] = dict(_read_line(link))
                except (socket.timeout, ConnectionError, TypeError, ValueError):
                    if time.monotonic() < self._deadline:
                        continue
                    missing = [str(rank) for rank in range(1, self._ranks.size) if rank not in links]
                    raise PipelineError(
                        "rank {} did not connect within {:g} s".format(", ".join(missing), self._patience)
                    ) from None
                rank: Any = greeting.get("rank")
                if greeting.get("size") != self._ranks.size or rank in links or rank not in range(1, self._ranks.size):
                    raise PipelineError(
                        "rank {} of {} connected to a group of {} that has {}; are the ranks numbered alike?".format(
                            rank, greeting.get("size"), self._ranks.size, sorted([0] + list(links))
                        )
                    )
                if greeting.get("kind") != self._kind:
                    raise PipelineError(
                        "rank {} computes with {}, rank 0 with {}; all must be alike".format(
                            rank, greeting.get("kind"), self._kind
                        )
                    )
                links[rank] = link
                addresses[rank] = "{}:{}".format(host, greeting["port"])
        self.addresses = [addresses[rank] for rank in range(self._ranks.size)]
        for link in links.values():
            link.sendall(json.dumps(self.addresses).encode() + b"\n")
        return links

    def _listening(self):
        if self._ranks.listener is not None:
            return socket.socket(fileno=self._ranks.listener)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", self._master[1]))
        except OSError as error:
            raise PipelineError(
                "port {} of this machine, where the other ranks look for rank 0: {}; is another training running "
                "here?".format(self._master[1], error.strerror)
            ) from None
        listener.listen(self._ranks.size)
        return listener

    def _join(self, port):
        """Another rank: connect to rank 0, trying until it is there."""
        greeting = {"rank": self._ranks.rank, "size": self._ranks.size, "port": port, "kind": self._kind}
        while True:
            left = max(0.01, self._deadline - time.monotonic())
            try:
                link = socket.create_connection(self._master, timeout=left)
                link.settimeout(max(0.01, self._deadline - time.monotonic()))
                link.sendall(json.dumps(greeting).encode() + b"\n")
                self.addresses = _read_line(link)
                return link
            except (OSError, ValueError) as error:
                if time.monotonic() >= self._deadline:
                    raise PipelineError(
                        "rank 0 at {}:{} did not answer within {:g} s, last: {}".format(
                            *self._master, self._patience, error
                        )
                    ) from None
                time.sleep(0.1)

    def finish(self) -> None:
        """Return when all ranks have called this."""
        self._leaving = True
        self._finished.wait()

    def _watch(self):
        """The thread: send and receive heartbeats until all have finished."""
        beat = min(1.0, self._ranks.timeout / 10.0)
        seen = {rank: time.monotonic() for rank in self._links}
        said = False
        turn = sent = time.monotonic()
        while True:
            now = time.monotonic()
            if self._leaving and not said and (self._ranks.rank != 0 or len(self._ended) == len(self._links)):
                said = True
                self._send(_END)
            elif now - sent >= beat:
                sent = now
                self._send(_BEAT)
            if said and len(self._ended) == len(self._links):
                self._finished.set()
                return
            open_links = {link: rank for rank, link in self._links.items() if rank not in self._ended}
            readable = select.select(list(open_links), [], [], beat / 2)[0]
            # Asked here alone: most likely, this thread was waiting when the process was stopped.
            now = time.monotonic()
            if now - turn > self._ranks.timeout / 2.0:
                # This process itself was stopped; the others may have been with it.
                seen = dict.fromkeys(seen, now)
            turn = now
            for link in readable:
                rank = open_links[link]
                try:
                    words = link.recv(4096)
                except OSError:
                    words = b""
                if not words:
                    self._lose(rank, "ended or its connection broke")
                seen[rank] = now
                if _END in words:
                    self._ended.add(rank)
            for rank in open_links.values():
                if rank not in self._ended and now - seen[rank] > self._ranks.timeout:
                    self._lose(rank, "sent no heartbeat for {:g} s".format(self._ranks.timeout), patience=0)

    def _send(self, word):
        for link in self._links.values():
            try:
                link.sendall(word)
            except OSError:
                # A broken connection shows itself when read.
                continue

    def _lose(self, rank, how, patience=_PATIENCE):
        """End the process: without rank `rank` the next exchange would wait forever."""
        if self._ranks.launched:
            time.sleep(patience)
            os._exit(LOST + rank)
        sys.stdout.flush()
        print("error: rank {} {}; rank {} ends as well".format(rank, how, self._ranks.rank), file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)


def _read_line(link):
    """The JSON value of the first line from `link`, byte by byte, so that nothing after it is taken."""
    line = b""
    while not line.endswith(b"\n"):
        byte = link.recv(1)
        if not byte:
            raise ConnectionError("closed")
        line += byte
    return json.loads(line.decode())
