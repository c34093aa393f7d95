"""Attacks on the API: what callers send, and what other programs have written, breaks nothing for anybody."""

import pytest

from tests.api.scene import Scene

ALL = "service:owners,credits,operations,webhooks,metrics,keys"


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"])
async def test_a_time_that_no_calendar_needs_makes_no_list_unreadable(scene: Scene, moment: str) -> None:
    """The first and the last moment of all are infinite for a database, and were read back as no times."""
    service, order = scene.client.as_(ALL), await scene.order()
    for path, body in (
        ("/keys", {"name": "shop", "scopes": ["metrics"], "expires_at": moment}),
        ("/owners/ada/grants", {"amount": 1, "source_ref": "x", "expires_at": moment}),
        ("/owners/ada/cycles", {"amount": 1, "plan": "p", "cycle": "1", "ends_at": moment}),
        (
            "/operations/pauses",
            {"scope": "owner", "name": "ada", "by": "G", "reason": "r", "until": moment},
        ),
    ):
        reply = await service.post(path, json=body)
        assert (reply.status, reply.body["code"]) == (422, "invalid_body"), path
    late = await scene.client.post("/jobs", json={**order, "not_before": moment})
    assert (late.status, late.body["code"]) == (422, "invalid_body")
    assert (await service.get("/keys")).body == {"keys": []}
