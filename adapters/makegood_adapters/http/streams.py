"""Streams end when the service does: nobody who reads events holds it up."""

import asyncio

from aiohttp import web


class OpenStreams:
    """The tasks that send events at present, to be ended at once."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def note(self, _: web.Request, response: web.StreamResponse) -> None:
        """Note a stream that begins: for `on_response_prepare`."""
        task = asyncio.current_task()
        if task and response.content_type == "text/event-stream":
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self, _: web.Application) -> None:
        """End them all: for `on_shutdown`. A client comes again with the last id that it has."""
        for task in self._tasks:
            task.cancel()
