"""Receivers of webhooks that mean harm, or cannot show who they are."""

import asyncio
import datetime as dt
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from makegood.ports import Posted
from makegood_adapters.http import hooks_out
from makegood_adapters.http.hooks_out import WebhookMessenger
from makegood_adapters.internet import public_connector
from tests.adapters.test_hooks_out import LETTER

PATIENCE = 180.0
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
BAD = "its certificate is not valid, or not for its name"


async def test_names_that_nobody_answers_hold_up_no_file_and_no_other_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask, answers = socket.getaddrinfo, threading.Event()

    def silent(host: Any, *args: Any, **given: Any) -> Any:
        if str(host).endswith("silent.example"):
            answers.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return ask(host, *args, **given)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    monkeypatch.setattr(hooks_out, "_RESOLVE_SECONDS", PATIENCE)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=2))
    async with WebhookMessenger.open(timeout_seconds=PATIENCE) as messenger:
        waiting = [
            asyncio.create_task(messenger.post(replace(LETTER, url=f"https://n{n}.silent.example/")))
            for n in range(20)
        ]
        waiting += [asyncio.create_task(_named(messenger, n)) for n in range(20)]
        try:
            async with asyncio.timeout(PATIENCE / 3):
                await asyncio.sleep(0)
                assert await asyncio.to_thread(lambda: "a file") == "a file"
                assert "not on the public" in str(await messenger.problem_of("https://localhost:8443/"))
            assert not any(task.done() for task in waiting)
        finally:
            answers.set()
        told = await asyncio.gather(*waiting)
    assert {posted.problem for posted in told} == {"no connection", "its name leads nowhere at present"}


async def _named(messenger: WebhookMessenger, number: int) -> Posted:
    return Posted(problem=await messenger.problem_of(f"https://m{number}.silent.example/"))


async def test_headers_without_end_are_given_up() -> None:
    async def pours(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                writer.write(b"X-More: " + b"x" * 4_000 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(pours, "127.0.0.1", 0)
    async with server, WebhookMessenger.open(private=True, timeout_seconds=PATIENCE) as messenger:
        port = server.sockets[0].getsockname()[1]
        told = await messenger.post(replace(LETTER, url=f"http://127.0.0.1:{port}/"))
    assert (told.delivered, told.status) == (False, None)
    assert str(told.problem).startswith("the exchange broke off")


class Authority:
    """Signs certificates, and can be trusted."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._own = self._sign("authority", self._key.public_key(), DAY, is_authority=True)

    @property
    def trusted(self) -> ssl.SSLContext:
        pem = self._own.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server(self, host: str, lasts: dt.timedelta) -> ssl.SSLContext:
        """Return what a server shows that is *host*, until so long from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        chain, secret = self._folder / "chain.pem", self._folder / "key.pem"
        chain.write_bytes(self._sign(host, key.public_key(), lasts).public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, secret)
        return context

    def _sign(
        self, name: str, key: ec.EllipticCurvePublicKey, lasts: dt.timedelta, is_authority: bool = False
    ) -> x509.Certificate:
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = (
            x509.CertificateBuilder()
            .subject_name(named)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 9 * DAY)
            .not_valid_after(NOW + lasts)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(by, critical=False)
        )
        if not is_authority:
            alternative: x509.GeneralName = (
                x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
            )
            made = made.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        return made.sign(self._key, hashes.SHA256())


@asynccontextmanager
async def receiver(shows: ssl.SSLContext, heard: list[bytes]) -> AsyncIterator[str]:
    """Serve a receiver that thanks for everything over TLS."""

    async def thank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(thank, "127.0.0.1", 0, ssl=shows)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"


@pytest.mark.parametrize(
    ("host", "lasts", "known", "problem"),
    [
        ("127.0.0.1", DAY, True, None),
        ("127.0.0.1", -DAY, True, BAD),
        ("example.org", DAY, True, BAD),
        ("127.0.0.1", DAY, False, BAD),
    ],
    ids=["good", "expired", "of another name", "signed by a stranger"],
)
async def test_nothing_is_told_to_a_receiver_whose_certificate_does_not_hold(
    tmp_path: Path, host: str, lasts: dt.timedelta, known: bool, problem: str | None
) -> None:
    authority, heard = Authority(tmp_path), list[bytes]()
    context = authority.trusted if known else ssl.create_default_context()
    connector = public_connector(private=True, ssl=context)
    async with (
        receiver(authority.server(host, lasts), heard) as url,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        told = await WebhookMessenger(session, private=True, timeout_seconds=PATIENCE).post(
            replace(LETTER, url=url)
        )
    assert (told.delivered, told.problem) == (problem is None, problem)
    assert bool(heard) == (problem is None)
