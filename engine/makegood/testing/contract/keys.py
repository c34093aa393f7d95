"""Service keys: one name, one secret at a time but for a rotation, and an end that stands."""

# ruff: noqa: D102 - the name of a test is its sentence

from datetime import datetime, timedelta

import pytest

from makegood.errors import InvalidRequest
from makegood.ports import ServiceKey
from makegood.testing.drive import Drive

FIRST, SECOND, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))


async def make(
    drive: Drive,
    secret: bytes = FIRST,
    *,
    key_id: str = "0" * 12,
    name: str = "shop",
    expires_at: datetime | None = None,
) -> ServiceKey | None:
    """Add a key as the engine does."""
    return await drive.store.keys.add(
        key_id, secret, name=name, scopes=("credits", "owners"), actor="olga", expires_at=expires_at
    )


async def opens(drive: Drive, *secrets: bytes) -> list[bool]:
    """Return which of the secrets are taken now."""
    return [await drive.store.keys.find(secret) is not None for secret in secrets]


class KeysContract:
    """What `Store.keys` promises."""

    async def test_a_key_is_found_by_its_secret_alone_and_its_use_is_noted(self, drive: Drive) -> None:
        made = await make(drive)
        assert made is not None
        assert (made.name, made.scopes, made.created_by) == ("shop", ("credits", "owners"), "olga")
        assert (made.last_used_at, made.revoked_at, made.expires_at) == (None, None, None)
        assert await opens(drive, FIRST, SECOND) == [True, False]
        [first] = await drive.store.keys.all()
        assert first.last_used_at is not None
        await opens(drive, FIRST)
        assert (await drive.store.keys.all())[0].last_used_at == first.last_used_at
        await drive.advance(61)
        await opens(drive, FIRST)
        [later] = await drive.store.keys.all()
        assert later.last_used_at is not None
        assert later.last_used_at > first.last_used_at

    async def test_the_same_call_again_is_the_same_key(self, drive: Drive) -> None:
        assert await make(drive) == await make(drive)
        assert len(await drive.store.keys.all()) == 1

    async def test_no_two_keys_in_use_have_one_name(self, drive: Drive) -> None:
        await make(drive)
        assert await make(drive, SECOND, key_id="1" * 12) is None
        await drive.store.keys.revoke("0" * 12, actor="olga")
        assert await make(drive, SECOND, key_id="1" * 12) is not None
        assert [key.id for key in await drive.store.keys.all()] == ["0" * 12, "1" * 12]

    async def test_a_key_is_over_at_its_end(self, drive: Drive) -> None:
        now = await drive.now()
        await make(drive, expires_at=now + timedelta(seconds=60))
        assert await opens(drive, FIRST) == [True]
        await drive.advance(60)
        assert await opens(drive, FIRST) == [False]
        assert await drive.store.keys.rotate("0" * 12, SECOND, grace_seconds=60) is None
        with pytest.raises(InvalidRequest, match="has passed"):
            await make(drive, SECOND, key_id="1" * 12, name="late", expires_at=now)

    async def test_after_a_rotation_both_secrets_are_taken_for_a_while(self, drive: Drive) -> None:
        await make(drive)
        key = await drive.store.keys.rotate("0" * 12, SECOND, grace_seconds=300)
        assert key is not None
        assert await drive.store.keys.rotate("0" * 12, SECOND, grace_seconds=300) == key  # a repetition
        assert await opens(drive, FIRST, SECOND) == [True, True]
        before, now = [await drive.store.keys.find(secret) for secret in (FIRST, SECOND)]
        assert before is not None
        assert now is not None
        assert (before.expires_at, now.expires_at) == (key.previous_until, None)
        await drive.advance(301)
        assert await opens(drive, FIRST, SECOND) == [False, True]

    async def test_of_two_rotations_only_the_last_secret_before_is_taken(self, drive: Drive) -> None:
        await make(drive)
        await drive.store.keys.rotate("0" * 12, SECOND, grace_seconds=300)
        await drive.store.keys.rotate("0" * 12, THIRD, grace_seconds=300)
        assert await opens(drive, FIRST, SECOND, THIRD) == [False, True, True]

    async def test_without_grace_the_old_secret_ends_at_once(self, drive: Drive) -> None:
        await make(drive)
        await drive.store.keys.rotate("0" * 12, SECOND, grace_seconds=0)
        assert await opens(drive, FIRST, SECOND) == [False, True]

    async def test_what_is_revoked_stays_so_with_both_its_secrets(self, drive: Drive) -> None:
        await make(drive)
        await drive.store.keys.rotate("0" * 12, SECOND, grace_seconds=300)
        first = await drive.store.keys.revoke("0" * 12, actor="olga")
        assert first is not None
        assert await opens(drive, FIRST, SECOND) == [False, False]
        await drive.advance(60)
        assert await drive.store.keys.revoke("0" * 12, actor="paul") == first
        assert await drive.store.keys.rotate("0" * 12, THIRD, grace_seconds=300) is None
        assert await opens(drive, FIRST, SECOND, THIRD) == [False, False, False]

    async def test_of_a_key_that_is_not_there_nothing_is_done(self, drive: Drive) -> None:
        assert await drive.store.keys.rotate("0" * 12, SECOND, grace_seconds=300) is None
        assert await drive.store.keys.revoke("0" * 12, actor="olga") is None
        assert await drive.store.keys.all() == []
