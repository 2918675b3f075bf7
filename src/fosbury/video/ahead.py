"""Work that overlaps: each step of a pipeline in a thread of its own, with a bounded queue to the next.

Decoding, a network and encoding leave Python's lock while they compute, so threads do.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import Any, TypeVar

Item = TypeVar("Item")

_POLL = 0.1
"""Seconds after which a thread that waits looks whether anybody still wants its items."""
_END = object()


def ahead(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """Yield items that a thread of its own makes, at most so many ahead of who takes them.

    An error of the thread is raised where its item would have come; a consumer that stops early stops the thread.

    Parameters
    ----------
    items : iterable
    depth : int
        Items that may wait; 0: no thread, each is made when it is asked for.
    """
    if depth < 1:
        yield from items
        return
    waiting: Queue[Any] = Queue(depth)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        ending: object = _END
        iterator = iter(items)
        try:
            for item in iterator:
                if not put((item,)):
                    break
        except BaseException as error:
            ending = error
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
        put(ending)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item = _taken(waiting, thread)
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        stopped.set()
        thread.join()


def _taken(waiting: Queue[Any], thread: threading.Thread) -> Any:
    while True:
        try:
            return waiting.get(timeout=_POLL)
        except Empty:
            if not thread.is_alive() and waiting.empty():
                return _END
