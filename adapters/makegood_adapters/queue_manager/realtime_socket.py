"""One socket of a page: its joins, whose rows it may hear, and the bounds of what it may take of us."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass

from aiohttp import WSCloseCode, WSMsgType, web

from makegood.engine import Engine
from makegood.errors import StoreError, UnknownJob
from makegood_adapters.http.hub import Hub, Inbox, Message, Told
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.queue_manager.realtime_callers import Bearer, Bearers
from makegood_adapters.queue_manager.realtime_frames import BadFrame, Frame
from makegood_adapters.queue_manager.realtime_joins import Channel, Watch, entries_of, numbered, watches_of
from makegood_adapters.queue_manager.realtime_rows import Change, Changes
from makegood_adapters.queue_manager.tables import Tables

log = logging.getLogger("makegood.http")

_TOPIC, _HEART = "realtime:", "phoenix"
_WINDOW_SECONDS = 60.0
_AWAY = "The service cannot look at this now; please join again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """Bounds of the sockets of one process; how many an owner may have is one with its other streams.

    Whoever has the publishable key may open one; of those that nobody has shown a token on, so many may be
    open of one address as `strangers_per_address_max` says. Clients send a heartbeat every 25 s, those of
    pages in the background once a minute: a socket on which nothing comes for `silence_seconds` is closed.
    One that takes nothing for `write_seconds` is cut off.
    """

    sockets_max: int = 10_000
    strangers_per_address_max: int = 50
    channels_max: int = 50
    entries_max: int = 10
    message_bytes_max: int = 64 * 1024
    messages_per_minute: int = 600
    silence_seconds: float = 90.0
    write_seconds: float = 30.0
    close_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class House:
    """What all sockets share."""

    engine: Engine
    tables: Tables
    hub: Hub
    changes: Changes
    limits: SocketLimits


class Socket:
    """Reads what a page sends, and in a task of its own tells it what happens."""

    def __init__(
        self,
        house: House,
        bearers: Bearers,
        wire: web.WebSocketResponse,
        version: str,
        transport: asyncio.Transport | None,
        address: str = "",
    ) -> None:
        self._house, self._bearers, self._wire, self._version = house, bearers, wire, version
        self._transport, self.address = transport, address
        self._channels: dict[str, Channel] = {}
        self._bearer: Bearer | None = None
        self._inbox: Inbox | None = None
        self._telling: set[asyncio.Task[None]] = set()
        # A step that comes while a join reads the row is told after the join.
        self._turn = asyncio.Lock()

    @property
    def is_strangers(self) -> bool:
        """Whether nobody is known by whose token something could be told on it."""
        return self._bearer is None

    async def serve(self) -> None:
        """Serve until either side closes; raises nothing, since a reply was begun."""
        try:
            await self._read()
        except TimeoutError:
            await self.end(WSCloseCode.POLICY_VIOLATION, "No heartbeat came.")
        except BadFrame as error:
            await self.end(WSCloseCode.INVALID_TEXT, str(error))
        except ConnectionError:
            pass  # the page has left, or was cut off
        except Exception:
            log.exception("a socket of a page failed")
            await self.end(WSCloseCode.INTERNAL_ERROR, "Something went wrong on our side.")
        finally:
            self._forget()
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def end(self, code: int, why: str) -> None:
        """Close it. A page that does not take even that within `close_seconds` is cut off."""
        try:
            async with asyncio.timeout(self._house.limits.close_seconds):
                await self._wire.close(code=code, message=why.encode())
        except TimeoutError:
            self._cut()

    async def _read(self) -> None:
        limits, clock = self._house.limits, asyncio.get_running_loop().time
        began, count = clock(), 0
        while True:
            message = await self._wire.receive(limits.silence_seconds)
            if clock() - began > _WINDOW_SECONDS:
                began, count = clock(), 0
            count += 1
            if count > limits.messages_per_minute:
                return await self.end(WSCloseCode.POLICY_VIOLATION, "Too many messages.")
            match message.type:
                case WSMsgType.TEXT:
                    await self._answer(Frame.read(message.data, self._version))
                case WSMsgType.PING:
                    await self._within_time(self._wire.pong(message.data))
                case WSMsgType.PONG:
                    continue
                case WSMsgType.BINARY:
                    return await self.end(WSCloseCode.UNSUPPORTED_DATA, "Messages are texts.")
                case _:
                    return None

    async def _answer(self, frame: Frame) -> None:
        match frame.event:
            case "heartbeat" if frame.topic == _HEART:
                await self._send(frame.reply("ok", {}))
            case "phx_join":
                await self._join(frame)
            case "phx_leave":
                self._channels.pop(frame.topic, None)
                await self._send(frame.reply("ok", {}))
            case _ if frame.topic not in self._channels:
                await self._refuse(frame, "unmatched topic")
            case "access_token":
                await self._refresh(self._channels[frame.topic], frame.payload.get("access_token"))
            case _:
                await self._refuse(frame, "This service tells of changes of rows, and of nothing else.")

    async def _join(self, frame: Frame) -> None:
        limits, entries = self._house.limits, entries_of(frame.payload)
        if not frame.topic.startswith(_TOPIC):
            return await self._refuse(frame, "unmatched topic")
        if entries is None:
            return await self._refuse(frame, "The payload of the join names no list of postgres_changes.")
        self._channels.pop(frame.topic, None)
        if len(entries) > limits.entries_max or len(self._channels) >= limits.channels_max:
            return await self._refuse(frame, "Too many rows are watched on this connection.")
        token = frame.payload.get("access_token")
        channel = Channel(frame.topic, frame.join_ref, watches_of(entries, self._house.tables))
        try:
            if token is not None or self._bearer is None:
                await self._identify("" if token is None else token)
        except (ApiProblem, StoreError) as error:
            return await self._refuse(frame, _told(error))
        async with self._turn:
            try:
                changes = [await self._change_of(watch) for watch in channel.watches]
            except (ApiProblem, StoreError) as error:
                return await self._refuse(frame, _told(error))
            self._channels[frame.topic] = channel
            await self._send(frame.reply("ok", {"postgres_changes": numbered(entries)}))
            for watch, change in zip(channel.watches, changes, strict=True):
                await self._tell(channel, watch, change)
        return None

    async def _refresh(self, channel: Channel, token: object) -> None:
        """Take the token that comes in place of another. One that is not valid is told and nothing more: a
        good one may follow. Where it cannot be checked now, the page comes again."""
        try:
            await self._identify(token)
        except (ApiProblem, StoreError) as error:
            if isinstance(error, ApiProblem) and error.code == "unauthenticated":
                await self._send(_system(channel, _told(error)))
            else:
                await self.end(WSCloseCode.TRY_AGAIN_LATER, _AWAY)

    async def _identify(self, token: object) -> None:
        """Take the token of whoever is signed in. One that is not valid, or stands for nobody, ends what the
        former one let be heard. Raises ApiProblem, StoreError."""
        try:
            if not isinstance(token, str):
                raise ApiProblem("unauthenticated", "The access token is no text.")
            bearer = await self._bearers.know(token)
            if bearer is None:
                self._forget()
            elif self._bearer is None or self._bearer.owner != bearer.owner:
                self._forget()
                await self._listen(bearer)
            else:
                self._bearer = bearer
        except BaseException:
            self._forget()
            raise

    async def _listen(self, bearer: Bearer) -> None:
        """Hear of the bearer's jobs, and tell what has changed since something was told last."""
        account = f"socket {id(self)}" if bearer.owner is None else f"owner {bearer.owner}"
        inbox = await self._house.hub.join(bearer.owner, account)
        inbox.listen()
        self._bearer, self._inbox = bearer, inbox
        async with self._turn:
            for channel in self._channels.values():
                for watch in channel.watches:
                    await self._tell(channel, watch, await self._change_of(watch))
        task = asyncio.create_task(self._hear(inbox), name="makegood socket")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _forget(self) -> None:
        """Hear of nobody's jobs any more."""
        inbox, self._inbox, self._bearer = self._inbox, None, None
        if inbox is not None:
            inbox.leave()

    async def _hear(self, inbox: Inbox) -> None:
        """Tell what comes into the inbox for as long as it is the socket's and the token is good."""
        try:
            while (left := self._seconds_left()) > 0:
                messages = await inbox.take(left)
                if inbox.over:
                    break
                for message in messages:
                    await self._pass_on(inbox, message)
            if self._inbox is not inbox:
                return
            if inbox.over:  # the server stops, or the page takes too little: it comes back and reads anew
                await self.end(WSCloseCode.GOING_AWAY, "Please come again.")
                return
            self._forget()
            for channel in list(self._channels.values()):
                await self._send(_system(channel, "The access token has expired."))
        except ConnectionError:
            pass  # the page has left, and whoever reads from it knows
        except StoreError as error:
            log.warning("a socket is closed, and its page reads anew: %s", error)
            await self.end(WSCloseCode.TRY_AGAIN_LATER, _AWAY)
        except Exception:
            log.exception("a socket of a page failed")
            await self.end(WSCloseCode.INTERNAL_ERROR, "Something went wrong on our side.")

    async def _pass_on(self, inbox: Inbox, message: Message) -> None:
        if not isinstance(message, Told):
            return
        step = message.step
        async with self._turn:
            for channel in list(self._channels.values()):
                for watch in channel.watches:
                    if watch.job_id != step.job_id or not watch.table.tool(step.type):
                        continue
                    if step.version <= watch.version:
                        continue
                    change = await self._house.changes.after(message, watch.table)
                    heard = self._inbox is inbox and self._channels.get(channel.topic) is channel
                    if heard and self._seconds_left() > 0:
                        await self._tell(channel, watch, change)

    async def _change_of(self, watch: Watch) -> Change | None:
        """Return the present row, if the bearer may see it and it has changed since it was told last."""
        bearer = self._bearer
        if bearer is None:
            return None
        await self._bearers.admit(bearer)
        try:
            job = await self._house.engine.get(watch.job_id, owner=bearer.owner)
        except UnknownJob:
            return None
        if not watch.table.tool(job.type) or job.version <= watch.version:
            return None
        return await self._house.changes.present(job, watch.table)

    async def _tell(self, channel: Channel, watch: Watch, change: Change | None) -> None:
        if change is None or change.version <= watch.version:
            return
        watch.version = change.version
        payload = change.payload(watch.table, watch.ids)
        await self._send(
            Frame(topic=channel.topic, event="postgres_changes", payload=payload, join_ref=channel.join_ref)
        )

    async def _refuse(self, frame: Frame, why: str) -> None:
        await self._send(frame.reply("error", {"reason": why}))

    async def _send(self, frame: Frame) -> None:
        await self._within_time(self._wire.send_str(frame.text(self._version)))

    async def _within_time(self, sending: Awaitable[None]) -> None:
        """Send. Raises ConnectionError where the page has left or does not take it."""
        try:
            async with asyncio.timeout(self._house.limits.write_seconds):
                await sending
        except TimeoutError:
            log.info("a socket was cut off: its page takes too little")
            self._cut()
            raise ConnectionResetError from None

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _seconds_left(self) -> float:
        return 0.0 if self._bearer is None else self._bearer.expires_at - time.time()


def _system(channel: Channel, why: str) -> Frame:
    """Return what tells a person who looks at the messages why nothing more comes; the library ignores it."""
    payload = {"extension": "system", "status": "error", "message": why}
    return Frame(topic=channel.topic, event="system", payload=payload, join_ref=channel.join_ref)


def _told(error: ApiProblem | StoreError) -> str:
    if isinstance(error, ApiProblem):
        return error.detail or error.title
    log.warning("a page cannot join: %s", error)
    return _AWAY
