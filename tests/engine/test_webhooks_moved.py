"""Webhooks out to an endpoint that moves to another address while a message is under way."""

import asyncio
from dataclasses import replace

from makegood.ports import DeliveryState, Posted
from tests.engine.test_webhooks_out import URL, Service
from tests.engine.world import PATIENCE_SECONDS, SETTINGS, a_world


async def test_a_410_of_an_address_that_was_left_disables_nothing_and_the_message_goes_to_the_new_one() -> (
    None
):
    async with a_world(settings=replace(SETTINGS, webhook_again_seconds=(5, 300))) as world:
        service = Service(world)
        endpoint = await service.endpoint(states=["queued"])
        await service.world.queued()
        service.messenger.answers, service.messenger.held = [Posted(status=410)], asyncio.Event()
        while await service.world.sequencer.turn():
            pass
        while await service.herald.turn():
            pass
        await service.courier.turn()
        await service.messenger.arrived.wait()
        await service.engine.change_endpoint(endpoint.id, url=f"{URL}/new")
        service.messenger.held.set()
        await service.courier.crew.drain(PATIENCE_SECONDS)
        assert (await service.engine.endpoint(endpoint.id)).disabled_at is None
        await service.world.clock.advance(6.1)
        await service.carry()
        assert [letter.url for letter in service.messenger.posted] == [URL, f"{URL}/new"]
        assert await service.states(endpoint) == [DeliveryState.DELIVERED]
