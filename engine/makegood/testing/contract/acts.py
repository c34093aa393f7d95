"""Acts: kept for good in the order in which they came, and read from the newest on."""

# ruff: noqa: D102 - the name of a test is its sentence

from dataclasses import asdict

from makegood.ports import NewAct
from makegood.testing.drive import Drive


class ActsContract:
    """What `Store.acts` promises."""

    async def test_acts_are_read_as_they_were_kept_newest_first_page_by_page(self, drive: Drive) -> None:
        ended = NewAct(
            key="key:shop", by="Grace", act="end_job", subject="job 1", reason="lost\x00", outcome="ok"
        )
        made = NewAct(key="key:shop", act="make_key", subject="", outcome="name_taken")
        for act in (ended, made, ended):
            await drive.store.acts.keep(act)
        acts = await drive.store.acts.page(10)
        told = [{name: value for name, value in asdict(act).items() if name in asdict(made)} for act in acts]
        assert told[1] == asdict(made)
        assert {**told[0], "reason": None} == {**asdict(ended), "reason": None}
        assert [act.id for act in acts] == sorted((act.id for act in acts), reverse=True)
        assert all(act.at.tzinfo is not None for act in acts)
        assert await drive.store.acts.page(1, acts[0].id) == acts[1:2]
        assert await drive.store.acts.page(10, acts[2].id) == []
