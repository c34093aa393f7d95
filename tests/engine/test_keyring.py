"""Keys of calling programs: their secrets are drawn, shown once, and found by nothing else."""

import re
from datetime import datetime, timedelta

import pytest

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.errors import InvalidRequest, KeyNameTaken, UnknownKey
from makegood.testing.clock import FakeClock
from makegood_adapters.memory import MemoryBlobs, MemoryStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(clock: FakeClock) -> Engine:
    return Engine(MemoryStore(clock), Catalog([]), blobs=MemoryBlobs(), run_loops=False)


async def test_a_secret_has_256_bits_and_is_in_no_text_of_its_key(engine: Engine) -> None:
    made = [await engine.make_key(f"shop-{n}", ["owners", "owners"], actor="olga") for n in range(3)]
    assert len({each.secret for each in made}) == 3
    for each in made:
        found = re.fullmatch(r"mgk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", each.secret)
        assert found is not None
        assert found[1] == each.key.id
        assert found[2] not in repr(each)
        assert each.key.scopes == ("owners",)
        assert await engine.find_key(each.secret) is not None
    listed = repr(await engine.service_keys())
    assert all(each.secret.split("_", 2)[2] not in listed for each in made)


async def test_only_the_whole_secret_opens(engine: Engine) -> None:
    made = await engine.make_key("shop", ["owners"], actor="olga")
    for wrong in (
        "",
        "mgk_",
        made.key.id,
        made.secret[:-1],
        made.secret + "x",
        made.secret.upper(),
        "\udcff",
    ):
        assert await engine.find_key(wrong) is None
    last = "A" if made.secret[-1] != "A" else "B"
    assert await engine.find_key(made.secret[:-1] + last) is None


async def test_a_key_ends_when_it_was_said_to_and_a_rotation_takes_time(
    engine: Engine, clock: FakeClock
) -> None:
    made = await engine.make_key("shop", ["owners"], actor="olga", expires_at=timedelta(hours=1))
    again = await engine.rotate_key(made.key.id, grace_seconds=60)
    assert (again.key.id, again.secret == made.secret) == (made.key.id, False)
    assert await engine.find_key(made.secret) is not None
    await clock.advance(61)
    assert await engine.find_key(made.secret) is None
    assert await engine.find_key(again.secret) is not None
    await clock.advance(3_600)
    assert await engine.find_key(again.secret) is None
    with pytest.raises(UnknownKey, match="neither over nor revoked"):
        await engine.rotate_key(made.key.id)


async def test_mistakes_are_told_and_make_nothing(engine: Engine) -> None:
    await engine.make_key("shop", ["owners"], actor="olga")
    with pytest.raises(KeyNameTaken, match="choose another name, or revoke that one"):
        await engine.make_key("shop", ["owners"], actor="olga")
    with pytest.raises(InvalidRequest, match="1 to 50 scopes, not 0"):
        await engine.make_key("none", [], actor="olga")
    with pytest.raises(InvalidRequest, match="printable"):
        await engine.make_key("a\nb", ["owners"], actor="olga")
    with pytest.raises(InvalidRequest, match="time with zone"):
        await engine.make_key("naive", ["owners"], actor="olga", expires_at=datetime(2100, 1, 1))  # noqa: DTZ001 - the mistake
    with pytest.raises(InvalidRequest, match="has passed"):
        await engine.make_key("late", ["owners"], actor="olga", expires_at=timedelta(seconds=-1))
    with pytest.raises(InvalidRequest, match="0 to 2,592,000 seconds"):
        await engine.rotate_key("0" * 12, grace_seconds=-1)
    for act in (engine.rotate_key("0" * 12), engine.revoke_key("0" * 12, actor="olga")):
        with pytest.raises(UnknownKey):
            await act
    assert [key.name for key in await engine.service_keys()] == ["shop"]
