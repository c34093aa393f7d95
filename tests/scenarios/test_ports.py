"""The port of a service that comes and goes is nobody else's meanwhile."""

import socket
from pathlib import Path

import pytest

from makegood_adapters.cli.stage import EngineProcess, keep_port


def nobody_else_gets(port: int) -> bool:
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    return True


def test_a_port_that_is_kept_refuses_until_somebody_listens_who_was_told_of_it() -> None:
    with keep_port() as kept:
        address = kept.getsockname()
        for _ in range(2):  # a process that died is started again
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)
            with socket.create_server(address) as server, socket.create_connection(address):
                server.accept()[0].close()
            assert nobody_else_gets(address[1])


def test_an_engine_that_does_not_run_has_its_port_all_the_same(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path, tmp_path / "log", dsn="", blobs=tmp_path, accounts=[])
    assert nobody_else_gets(process.port)
