"""How results are brought home: addresses as they came, and redirects that lead nowhere they should not."""

import aiohttp
import pytest

from makegood.errors import ProviderUnavailable
from makegood.outcome import Output, Succeeded
from makegood.ports import Provider
from makegood_adapters.download import address_of, download
from makegood_adapters.replicate import Replicate, ReplicateClient
from makegood_adapters.runninghub import RunningHub
from tests.adapters.scripted_runninghub import KEY, TASK, Script, serve_script

BOUNDS = aiohttp.ClientTimeout(total=20)
SECRET = b'{"AccessKeyId": "ours"}'


def moved(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def content(session: aiohttp.ClientSession, url: str) -> bytes:
    return b"".join([piece async for piece in download(session, url, 1_000, BOUNDS)])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_f6_a_redirect_into_our_own_network_is_not_followed(
    script: Script, session: aiohttp.ClientSession, status: int
) -> None:
    async with serve_script() as inside:
        inside.reply(SECRET)
        script.answer = moved(f"{inside.url}/latest/meta-data", status)
        with pytest.raises(ProviderUnavailable, match="to another site without https"):
            await content(session, f"{script.url}/a.json")
        assert inside.requests == []


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://a.cn/b", "data:,x", "http://[x", "//localhost:1/a", "https://"]
)
async def test_a_redirect_to_what_is_no_site_is_not_followed(
    script: Script, session: aiohttp.ClientSession, to: str
) -> None:
    script.answer = moved(to)
    with pytest.raises(ProviderUnavailable, match=r"redirected to where|broke off"):
        await content(session, f"{script.url}/a.json")


async def test_a_storage_that_redirects_for_ever_is_left(
    script: Script, session: aiohttp.ClientSession
) -> None:
    script.answer = moved("/again")
    with pytest.raises(ProviderUnavailable, match="redirected more than 3 times"):
        await content(session, f"{script.url}/a.png")
    assert len(script.requests) == 4


async def test_a_signed_address_is_asked_for_as_it_came(
    script: Script, session: aiohttp.ClientSession
) -> None:
    script.reply(b"PNG")
    signed = "/a%2Bb%41.png?sign=1%3B2&s=a%2Fb%3D+c%7E&x=%27(1)"
    assert await content(session, script.url + signed) == b"PNG"
    assert script.requests[0][0] == f"GET {signed} HTTP/1.1"


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("https://a.cn/结果_1.png", "https://a.cn/%E7%BB%93%E6%9E%9C_1.png"),
        ("https://a.cn/my result.png", "https://a.cn/my%20result.png"),
        ("HTTPS://a.cn/a.png", "HTTPS://a.cn/a.png"),
        ("https://user:word@a.cn/%41", "https://user:word@a.cn/%41"),
    ],
)
async def test_an_address_is_read_in_any_spelling(
    script: Script, provider: RunningHub, told: str, address: str
) -> None:
    script.reply({"taskId": TASK, "status": "SUCCESS", "results": [{"url": told, "outputType": "png"}]})
    assert await provider.query(TASK) == Succeeded((Output(address, "png"),))


@pytest.mark.parametrize(
    "told",
    [
        *("file:///etc/passwd", "ftp://a.cn/b.png", "data:image/png;base64,AAAA", "http://[x", "C:\\a.png"),
        *("http://[::1/a.png", "https://a.cn:99999/a.png", "https:///a.png", "https://a.cn/a\nb.png"),
        *("https://a.cn/\0", "//a.cn/b", "https://a.cn/\ud800.png"),
    ],
)
async def test_what_is_no_address_is_no_answer(script: Script, provider: RunningHub, told: str) -> None:
    assert address_of(told) is None
    for body in (
        {"taskId": TASK, "status": "SUCCESS", "results": [{"url": told}]},
        {"taskId": TASK, "status": "SUCCESS", "results": [{"url": told, "outputType": "png"}]},
    ):
        script.reply(body)
        with pytest.raises(ProviderUnavailable, match="a result has no address"):
            await provider.query(TASK)


async def test_an_output_of_replicate_that_is_no_address_is_a_text(
    script: Script, session: aiohttp.ClientSession
) -> None:
    provider: Provider = Replicate(ReplicateClient(session, KEY, script.url))
    script.reply({"id": "p1", "status": "succeeded", "output": "http://[x"})
    assert await provider.query("p1") == Succeeded((Output("", "txt", "", "http://[x"),))


@pytest.mark.parametrize("adapter", ["runninghub", "replicate"])
async def test_a_download_that_is_given_up_closes_its_connection(
    script: Script, session: aiohttp.ClientSession, provider: RunningHub, adapter: str
) -> None:
    replicate = Replicate(ReplicateClient(session, KEY, script.url))
    chosen: Provider = provider if adapter == "runninghub" else replicate
    script.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + bytes(1_000_000)
    pieces = chosen.fetch(Output(f"{script.url}/a.png", "png"), 2_000_000)
    assert await anext(pieces)
    connector = session.connector
    assert connector is not None
    assert connector._acquired
    await pieces.aclose()
    assert not connector._acquired
