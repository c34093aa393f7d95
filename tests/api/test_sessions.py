"""A page that closes ends what it ordered and nobody has begun, by its session alone."""

from pathlib import Path
from typing import Any

from makegood_adapters.access import LimitsConfig
from tests.api.issuer import PUBLIC, a_gate
from tests.api.scene import CREDITS, Scene, opened


async def ordered(scene: Scene, **given: Any) -> dict[str, Any]:
    reply = await scene.client.post("/jobs", json={**await scene.order(), **given})
    assert reply.status == 201, reply
    made: dict[str, Any] = reply.body
    return made


async def state_of(scene: Scene, job: dict[str, Any]) -> str:
    return str((await scene.client.get(f"/jobs/{job['id']}")).body["state"])


async def test_c13_who_knows_the_session_ends_what_waits_and_nothing_else(scene: Scene) -> None:
    nobody = scene.client.as_(None)
    draft = await ordered(scene, draft=True, input={}, session="page 1")
    assert (await nobody.post("/sessions/end", json={"session": "page 1"})).body == {"cancelled": 1}
    waits = await ordered(scene, session="page 1")
    other = await nobody.post("/sessions/end", json={"session": "page 2"})
    assert (other.status, other.body, await state_of(scene, waits)) == (200, {"cancelled": 0}, "queued")
    # A beacon is sent as text, with neither token nor key.
    beacon = await nobody.post("/sessions/end", data='{"session": "page 1"}')
    assert (beacon.status, beacon.body) == (200, {"cancelled": 1})
    assert [await state_of(scene, job) for job in (draft, waits)] == ["cancelled", "cancelled"]
    assert (await scene.engine.wallet("ada")).available == CREDITS
    begun = await ordered(scene, session="page 1")
    [job] = (await scene.engine.list_jobs("ada", active=True)).jobs
    await scene.drive.submit(await scene.drive.dispatch(job))
    again = await nobody.post("/sessions/end", json={"session": "page 1"})
    assert (again.body, await state_of(scene, begun)) == ({"cancelled": 0}, "starting")
    for body in (
        {},
        {"session": ""},
        {"session": "a\x00b"},
        {"session": 5},
        {"session": "a", "owner": "ada"},
    ):
        assert (await nobody.post("/sessions/end", json=body)).status == 422, body


async def test_sessions_cannot_be_guessed_fast(database: str, tmp_path: Path) -> None:
    limits = LimitsConfig(address={"requests": "3/minute"})
    async with a_gate(None, limits=limits) as gate, opened(database, tmp_path, gate=gate) as scene:
        replies = [
            await scene.client.as_(who).post("/sessions/end", json={"session": str(number)})
            for number, who in enumerate((None, PUBLIC, None, PUBLIC, None))
        ]
        assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
