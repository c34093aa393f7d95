"""Whatever is called at the same time, the books are right and every caller is told what happened."""

import asyncio
import random
from collections import Counter
from typing import Any

from tests.api.scene import CREDITS, OTHER, OWNER, Answer, Scene

ALL = "service:owners,credits,operations"


async def test_a_storm_of_calls_costs_what_it_shows_and_nothing_else(scene: Scene) -> None:
    """Two owners order with few keys, accept, cancel and report, while operators end jobs and grant."""
    chosen, service = random.Random(7), scene.client.as_(ALL)
    await scene.engine.grant(OTHER, 300, source_ref="order-1")
    orders = {owner: [await scene.order(owner) for _ in range(2)] for owner in (OWNER, OTHER)}
    ids: list[str] = []
    granted = Counter({OWNER: CREDITS, OTHER: 300})
    refs: dict[tuple[str, str], int] = {}

    async def submit(owner: str) -> Answer:
        body: dict[str, Any] = {**chosen.choice(orders[owner]), "accept": chosen.random() < 0.7}
        if ids and chosen.random() < 0.2:
            body["retry_of"] = chosen.choice(ids)
        key = {"Idempotency-Key": f"key-{chosen.randrange(5)}"} if chosen.random() < 0.7 else {}
        answer = await scene.client.as_(f"user:{owner}").post("/jobs", json=body, headers=key)
        if answer.status == 201 and answer.body["id"] not in ids:
            ids.append(answer.body["id"])
        return answer

    async def act(owner: str) -> Answer:
        client = scene.client.as_(f"user:{owner}")
        job = chosen.choice(ids)
        match chosen.randrange(4):
            case 0:
                return await client.post(f"/jobs/{job}/accept")
            case 1:
                return await client.post(f"/jobs/{job}/cancel")
            case 2:
                return await client.post(f"/jobs/{job}/report", json={"message": "no picture"})
            case _:
                return await client.get(f"/jobs/{job}")

    async def operate(owner: str) -> Answer:
        sign = {"by": "Grace", "reason": "asked for"}
        job, file = chosen.choice(ids), chosen.choice(orders[owner])["input"]["image"]
        match chosen.randrange(5):
            case 0:
                body = {"event": "complete", "files": [file], "earned": chosen.randrange(90), **sign}
            case 1:
                body = {"event": chosen.choice(["fail", "cancel"]), **sign}
            case 2 | 3:
                ref, amount = f"ref-{chosen.randrange(3)}", chosen.randrange(1, 100)
                answer = await service.post(
                    f"/owners/{owner}/grants", json={"amount": amount, "source_ref": ref}
                )
                if answer.status == 200 and answer.body["done"]:
                    assert (owner, ref) not in refs, "done twice"
                    refs[owner, ref] = amount
                    granted[owner] += amount
                return answer
            case _:
                return await service.get("/operations/audit")
        return await service.post(f"/operations/jobs/{job}/end", json=body)

    for _ in range(8):
        await asyncio.gather(*(submit(chosen.choice([OWNER, OTHER])) for _ in range(4)))
        answers = await asyncio.gather(
            *(chosen.choice([submit, act, act, operate])(chosen.choice([OWNER, OTHER])) for _ in range(16))
        )
        assert [answer.body for answer in answers if answer.status >= 500] == []
    audit = (await service.get("/operations/audit")).body
    assert (audit["broken"], audit["total"]["difference"]) == (0, 0)
    for owner in (OWNER, OTHER):
        wallet = (await service.get(f"/owners/{owner}/wallet")).body
        jobs = (await scene.client.as_(f"user:{owner}").get("/jobs?limit=200")).body["jobs"]
        shown = [(await scene.client.as_(f"user:{owner}").get(f"/jobs/{job['id']}")).body for job in jobs]
        spent = sum(job["money"]["captured"] for job in shown)
        held = sum(job["money"]["held"] for job in shown)
        assert (wallet["available"], wallet["held"]) == (granted[owner] - spent - held, held)
