"""Several processes of one service behind one port: start them, start them again, and end them in order.

The parent binds the port and passes the socket on, in place of SO_REUSEPORT: what the kernel has accepted
for a process that dies is then taken by its siblings, the port is taken once and by us alone, and whoever
cannot listen learns it before anything starts. Each child has a line to its parent: it says when it is
listening, and when the line is cut, also by the parent's death, it ends in order. So a signal that a service
manager sends to all of them counts once.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence

log = logging.getLogger("makegood.serve")

#: Pause before a process that died is started again; it doubles as long as none of them lives so long.
_PAUSE_SECONDS, _PAUSE_MAX_SECONDS, _STEADY_SECONDS = 0.5, 30.0, 60.0
_LISTENING = b"listening\n"
#: How a command of ours ends that was told a mistake.
_MISTAKEN = 2


class Parent:
    """Keeps *count* children alive, each of which runs *command* with its number and the socket."""

    def __init__(
        self, command: Sequence[str], count: int, listener: socket.socket, environment: Mapping[str, str]
    ) -> None:
        self._command, self._count, self._listener = command, count, listener
        self._environment = dict(environment)
        self._children: dict[int, asyncio.subprocess.Process] = {}
        self._listening, self._mistaken = asyncio.Event(), asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> int:
        """Run until *stopping*, then wait for the end of all; return the exit status: that of a mistake if
        the first child made one before any was listening, since all others would make it too."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(1, stopping))
            await _first_of(stopping, self._listening, self._mistaken)
            if not self._mistaken.is_set():
                for number in range(2, self._count + 1):
                    group.create_task(self._keep(number, stopping))
        return _MISTAKEN if self._mistaken.is_set() else 0

    def kill(self) -> None:
        """End all children at once."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.kill()

    async def _keep(self, number: int, stopping: asyncio.Event) -> None:
        """Run the child of this number, again whenever it ends, until *stopping*."""
        clock, pause = asyncio.get_running_loop().time, _PAUSE_SECONDS / 2
        while not stopping.is_set():
            began = clock()
            try:
                pid, status = await self._live(number, stopping)
            except OSError as error:  # the program is being replaced, or the machine has no room for another
                who, how = f"worker {number}", f"cannot be started ({error})"
            else:
                who = f"worker {number} (process {pid})"
                how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
                if stopping.is_set():
                    log.info("%s has ended with status %s", who, status)
                    return
                if status == _MISTAKEN and not self._listening.is_set():
                    self._mistaken.set()
                    return
            steady = clock() - began > _STEADY_SECONDS
            pause = _PAUSE_SECONDS if steady else min(2 * pause, _PAUSE_MAX_SECONDS)
            log.error("%s %s; it starts again in %g s", who, how, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stopping.wait()

    async def _live(self, number: int, stopping: asyncio.Event) -> tuple[int, int]:
        """Start one child, cut its line once *stopping* is set, and return its id and exit status."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as unused:
            unused.enter_context(ours)
            words = ["--number", str(number), "--listener", str(self._listener.fileno())]
            child = await asyncio.create_subprocess_exec(
                *self._command,
                *words,
                stdin=theirs.fileno(),
                pass_fds=(self._listener.fileno(),),
                env=self._environment,
                start_new_session=True,  # Ctrl-C of the terminal reaches the parent, and through it the child
            )
            unused.pop_all()
        self._children[number] = child
        reader, writer = await asyncio.open_connection(sock=ours)
        hearing = asyncio.create_task(self._hear(reader))
        cutting = asyncio.create_task(_cut(writer, stopping))
        try:
            return child.pid, await child.wait()
        finally:
            for task in (hearing, cutting):
                task.cancel()
            await asyncio.gather(hearing, cutting, return_exceptions=True)
            writer.close()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            if await reader.readline() == _LISTENING:
                self._listening.set()


class LineToParent:
    """A child's line to its parent, which is its standard input."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """From now on the end of the line sets *stopping*."""
        line = socket.socket(fileno=os.dup(sys.stdin.fileno()))
        reader, self._writer = await asyncio.open_connection(sock=line)
        self._waiting = asyncio.create_task(self._wait(reader), name="line to the parent")

    def listening(self) -> None:
        """Tell the parent that this process answers."""
        if self._writer:
            self._writer.write(_LISTENING)

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        if not self._stopping.is_set():
            log.info("the parent ends: what is under way is brought to its end")
            self._stopping.set()


async def _cut(writer: asyncio.StreamWriter, stopping: asyncio.Event) -> None:
    await stopping.wait()
    writer.close()


async def _first_of(*events: asyncio.Event) -> None:
    """Return as soon as one of *events* is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
