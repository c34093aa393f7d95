"""Addresses of files: ours to the letter are names of files, all others are nothing and never asked."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp
import pytest

from makegood.errors import FileNotTaken, FileTooLarge, InvalidRequest, UploadsExhausted
from makegood.job import Job, Verdict
from makegood_adapters.http.v1.links import sign
from makegood_adapters.queue_manager.addresses import RESULT_SECONDS, Addresses
from makegood_adapters.queue_manager.storage import bring_base64
from tests.adapters.queue_manager.scene import OWNER, PNG, RULES, Scene

BASE = "https://ours.example"
OBJECT = "/storage/v1/object/public/artes-cloudinary"
ORDER = {"category": "comida", "resolution": 1024}
NAME = f"artes-cloudinary/upscaler/{OWNER}/a.png"
OURS = f"{BASE}{OBJECT}/upscaler/{OWNER}/a.png"
PATH = f"{OBJECT}/upscaler/{OWNER}/a.png"
# What other programs may take for one of our addresses, or what leads to where only we can go.
FOREIGN = (
    f"https://ours.example.evil.example{PATH}",
    f"https://evilours.example{PATH}",
    f"https://ours.example@evil.example{PATH}",
    f"https://user:word@ours.example{PATH}",
    f"https://evil.example/{OURS}",
    f"https://evil.example/?{OURS}",
    f"https://ours.example:444{PATH}",
    f"https://ours.example:443{PATH}",
    f"https://ours.example.{PATH}",
    f"https://OURS.example{PATH}",
    f"HTTPS://ours.example{PATH}",
    f"http://ours.example{PATH}",
    f"https:/ours.example{PATH}",
    f"https:ours.example{PATH}",
    f"//ours.example{PATH}",
    PATH,
    f" {OURS}",
    f"{OURS}\n",
    f"{OURS}\x00",
    f"https://ours.example\\@evil.example{PATH}",
    f"https://ours.example\\{PATH}",
    f"https://ours.example%2eevil.example{PATH}",
    f"https://ours%2Eexample{PATH}",
    f"https://\u043eurs.example{PATH}",
    f"https://ours。example{PATH}",
    f"https://xn--urs-0cd.example{PATH}",
    f"{OURS}?download=",
    f"{OURS}#top",
    f"{OURS}?",
    f"{OURS}/",
    f"{BASE}//{PATH}",
    f"{BASE}{OBJECT}//upscaler/{OWNER}/a.png",
    f"{BASE}{OBJECT}/upscaler/{OWNER}/../{OWNER}/a.png",
    f"{BASE}{OBJECT}/upscaler/{OWNER}/%2e%2e/{OWNER}/a.png",
    f"{BASE}{OBJECT}/upscaler%2F{OWNER}/a.png",
    f"{BASE}{OBJECT}/upscaler/{OWNER}/%61%252epng",
    f"{BASE}{OBJECT}/upscaler/{OWNER}/a%2epng%00",
    f"{BASE}{OBJECT}/../../../v1/files",
    f"{BASE}/storage/v1/object/public/other/upscaler/{OWNER}/a.png",
    f"{BASE}/storage/v1/object/artes-cloudinary/upscaler/{OWNER}/a.png",
    f"{BASE}/v1/files/a.png",
    f"{BASE}{OBJECT}/upscaler/bob/a.png",
    f"{BASE}{OBJECT}/upscaler/{OWNER}/b.png",
    "http://127.0.0.1/latest/meta-data",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/",
    "http://2130706433/",
    "file:///etc/passwd",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    OURS + "a" * 3_000,
    "",
    None,
    7,
    [OURS],
)


async def brought(scene: Scene, owner: str = OWNER, name: str | None = None, content: bytes = PNG) -> str:
    async def whole() -> AsyncIterator[bytes]:
        yield content

    return (await scene.engine.bring(owner, whole(), name=name)).key


async def running(scene: Scene) -> Job:
    """Return a job of the owner that the provider has taken."""
    given = {**ORDER, "image": await brought(scene)}
    job = await scene.engine.accept((await scene.engine.submit("upscaler", OWNER, given)).id)
    job = await scene.drive.submit(await scene.drive.dispatch(job))
    return await scene.event(job, "begin", Verdict.ACCEPTED)


async def completed(scene: Scene, content: bytes = PNG + b"result") -> Job:
    """Return a paid job of the owner with a text and a picture as its result."""
    job = await running(scene)
    files = [
        {"key": await scene.blobs.put(each, f"r.{kind}"), "kind": kind, "node": ""}
        for each, kind in ((b"seen", "txt"), (content, "png"))
    ]
    return await scene.event(job, "complete", Verdict.SUCCEEDED, output={"files": files})


async def test_f6_what_is_not_ours_to_the_letter_is_refused_before_any_fetch(scene: Scene) -> None:
    ours = Addresses(scene.engine, base_url=BASE, buckets=["artes-cloudinary"])
    key = await brought(scene, name=NAME)
    await brought(scene, "bob", "artes-cloudinary/upscaler/bob/a.png", PNG + b"bob")
    assert await ours.key_of(OWNER, OURS) == key
    for url in FOREIGN:
        assert await ours.key_of(OWNER, url) is None, url
    assert await ours.key_of("bob", OURS) is None
    assert await Addresses(scene.engine, buckets=["artes-cloudinary"]).key_of(OWNER, OURS) is None


async def test_a_service_that_is_called_otherwise_by_its_pages_says_so_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Every job of every page is refused then, and only who operates can set it right."""
    addresses = Addresses(scene.engine, base_url=BASE)
    for url in (f"https://www.ours.example{PATH}", f"https://www.ours.example{PATH}2", f"{BASE}/else", "x"):
        assert await addresses.key_of(OWNER, url) is None
    [told] = caplog.messages
    assert told == (
        "an input was refused whose file is under https://www.ours.example, for public_url is "
        "https://ours.example: if pages are built with the former, set it"
    )
    for number in range(50):
        await addresses.key_of(OWNER, f"https://{number}.example{PATH}")
    assert len(caplog.messages) == 10, "what users make up fills no log"


async def test_f6_nobody_is_asked_what_an_address_is(scene: Scene) -> None:
    """Neither a page that sends on to one of our files, nor a machine of this network."""
    asked = asyncio.Event()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    await brought(scene, name=NAME)
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for url in (f"http://127.0.0.1:{port}{PATH}", f"http://localhost:{port}/?to={OURS}"):
            assert await scene.addresses.key_of(OWNER, url) is None
        assert not asked.is_set()
        _, writer = await asyncio.open_connection("127.0.0.1", port)  # it does listen
        await asked.wait()
        writer.close()


async def test_a_result_is_read_by_its_address_alone_and_by_its_owner_as_an_input(scene: Scene) -> None:
    job = await completed(scene)
    [row] = (await scene.page.select("upscaler_jobs", job.id, "output_url")).body
    url = row["output_url"]
    assert url == scene.addresses.of_result(job, 1), "the picture, and always the same"
    async with aiohttp.ClientSession() as image, image.get(url) as reply:
        assert (reply.status, reply.content_type) == (200, "image/png")
        assert await reply.read() == PNG + b"result"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    key = await scene.addresses.key_of(OWNER, url)
    assert await scene.addresses.key_of("bob", url) is None
    assert list(await scene.engine.brought(OWNER, [key or ""])) == [key]
    given = {**ORDER, "image": key}
    await scene.engine.check_files(OWNER, "upscaler", given)
    await scene.engine.submit("upscaler", OWNER, given)
    text = scene.addresses.of_result(job, 0)
    assert await scene.addresses.key_of(OWNER, text) is None, "no job takes one"


async def test_an_address_of_a_result_cannot_be_made_changed_or_prolonged(scene: Scene) -> None:
    job, unpaid = await completed(scene), await running(scene)
    url, secret = scene.addresses.of_result(job, 1), RULES.link_secret
    assert url
    assert secret
    assert job.finished_at
    base, _, name = url.rpartition("/")
    token, later = name.partition(".")[0], job.finished_at + timedelta(seconds=60)
    over = sign(secret, job.id, 1, job.finished_at - timedelta(seconds=60))
    for what in (
        f"{base}/{token[:-1]}{'A' if token[-1] != 'A' else 'B'}.png",
        f"{base}/{token[:20]}{'A' if token[20] != 'A' else 'B'}{token[21:]}.png",
        f"{base}/{token}",
        f"{base}/{token}.png.png",
        f"{base}/{sign(b'x' * 32, job.id, 1, later)}.png",
        f"{base}/{over}.png",
        f"{base}/{sign(secret, job.id, 7, later)}.png",
        f"{base}/{sign(secret, unpaid.id, 0, later)}.png",
        f"{base}/{job.id}.png",
    ):
        reply = await scene.page.call("GET", urlsplit(what).path)
        assert (reply.status, reply.body["error"]) == (404, "not_found"), what
        assert await scene.addresses.key_of(OWNER, what) is None, what
    assert scene.addresses.of_result(unpaid, 0) is None
    assert Addresses(scene.engine, base_url=BASE).of_result(job, 1) is None, "without a secret there is none"
    assert RESULT_SECONDS > 86_400, "the page keeps it for a day"


async def test_a_file_that_comes_as_base64_is_bounded_and_told_by_its_bytes(scene: Scene) -> None:
    content = PNG + bytes(range(256)) * 500
    text = base64.b64encode(content).decode()
    for given in (text, f"data:image/jpeg;base64,{text}", f"data:;base64,{text}"):
        upload = await bring_base64(scene.engine, OWNER, given, RULES)
        assert (upload.kind, await scene.blobs.get(upload.key)) == ("png", content)
    html = base64.b64encode(b"<html><script>").decode()
    for wrong in (
        None,
        7,
        "",
        [text],
        "data:image/png,abc",
        f"{text[:-4]}===",
        f"{text}%",
        f"a{text}",
        f"é{text}",
        f"QQ=={text}",
    ):
        with pytest.raises(InvalidRequest):
            await bring_base64(scene.engine, OWNER, wrong, RULES)
    for kind in (html, "data:image/png;base64,", f"data:image/png;base64,{html}"):
        with pytest.raises(FileNotTaken):
            await bring_base64(scene.engine, OWNER, kind, RULES)
    for size_max in (len(content) - 1, 10):
        with pytest.raises(FileTooLarge):
            await bring_base64(scene.engine, OWNER, text, RULES, bytes_max=size_max)
    large = base64.b64encode(PNG + bytes(RULES.upload_bytes_max - len(PNG))).decode()
    await bring_base64(scene.engine, OWNER, large, RULES)
    with pytest.raises(UploadsExhausted):
        await bring_base64(scene.engine, OWNER, base64.b64encode(PNG + bytes(190_000)).decode(), RULES)
