"""The words of a statement: one sentence for every kind of movement, put together from its lines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from makegood.job import JournalLine
from makegood.statement import EntryKind, entry, movements
from tests.engine.world import moved

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(kind: str, amount: int = 60, seq: int = 1, **given: Any) -> JournalLine:
    """Return a line as no store wrote it; *given* replaces fields."""
    usual = JournalLine(
        owner="ada",
        seq=seq,
        kind=kind,
        amount=amount,
        balance=0,
        at=NOW,
        bucket_id=1,
        bucket_kind="purchased",
        expires_at=None,
        source_ref="order-1",
        unlimited=False,
        origin_id=given.get("bucket_id", 1),
    )
    return replace(usual, **given)


def of_job(kind: str, amount: int = 60, seq: int = 1, **given: Any) -> JournalLine:
    usual = {"job_id": JOB, "job_type": "upscaler", "money": "release"}
    return line(kind, amount, seq, **{**usual, **given})


JOB = uuid4()
CANCELLED = replace(moved("cancel", "cancelled"), actor="ada")


class TestKinds:
    @pytest.mark.parametrize(
        ("given", "kind", "change", "text"),
        [
            (line("issue", 1_000), EntryKind.ADDED, 1_000, "1,000 credits added: purchased"),
            (line("issue", 1), EntryKind.ADDED, 1, "1 credit added: purchased"),
            (
                line("issue", 5, bucket_kind="free_trial", expires_at=NOW + timedelta(days=3)),
                EntryKind.ADDED,
                5,
                "5 credits added: free trial, valid until 2026-03-04",
            ),
            (
                line("withdraw", 700),
                EntryKind.TAKEN_BACK,
                -700,
                "700 withdrawn: payment for purchased credits was taken back",
            ),
            (
                line("debt", 300),
                EntryKind.TAKEN_BACK,
                0,
                "300 owed: payment for purchased credits was taken back",
            ),
            (line("expire", 12, bucket_kind="monthly"), EntryKind.EXPIRED, -12, "12 expired: monthly"),
            (of_job("hold", money="hold"), EntryKind.HELD, -60, "60 held for upscaler"),
            (of_job("capture", money="capture"), EntryKind.PAID, 0, "60 paid for upscaler"),
            (
                of_job("capture", money="policy", cause=CANCELLED),
                EntryKind.PAID,
                0,
                "60 paid for upscaler: cancelled by you",
            ),
            (of_job("release", cause=CANCELLED), EntryKind.RETURNED, 60, "60 returned: cancelled by you"),
            (of_job("release"), EntryKind.RETURNED, 60, "60 returned"),
        ],
    )
    def test_a_line_alone(self, given: JournalLine, kind: EntryKind, change: int, text: str) -> None:
        told = entry([given])
        assert (told.kind, told.amount, told.change, told.text) == (kind, given.amount, change, text)
        assert [(part.bucket, part.amount) for part in told.parts] == [(given.bucket_kind, given.amount)]

    def test_a_kind_without_words_is_an_error_and_not_a_guess(self) -> None:
        with pytest.raises(ValueError, match="the kind 'gift'"):
            entry([line("gift")])

    def test_the_name_that_people_know_is_said(self) -> None:
        assert entry([of_job("hold")], lambda name: name.title()).text == "60 held for Upscaler"

    def test_a_payment_taken_back_is_one_entry_with_what_it_leaves_owed(self) -> None:
        graced: dict[str, Any] = {"bucket_id": 2, "bucket_kind": "grace", "origin_id": 1}
        told = entry([line("withdraw", 20, 3, **graced), line("debt", 300, 2), line("withdraw", 680)])
        assert told.text == "700 withdrawn and 300 owed: payment for purchased credits was taken back"
        assert (told.amount, told.change) == (1_000, -700)
        alone = entry([line("withdraw", 20, **graced)])
        assert alone.text == "20 withdrawn: payment was taken back"

    def test_a_grant_says_how_much_of_it_paid_a_debt(self) -> None:
        told = entry([line("repay", 40, 2), line("issue", 1_000)])
        assert told.text == "1,000 credits added: purchased; 40 of them went to your debt"
        assert (told.kind, told.amount, told.change) == (EntryKind.ADDED, 1_000, 960)

    def test_a_return_says_how_much_of_it_paid_a_debt(self) -> None:
        back: dict[str, Any] = {"cause": CANCELLED}
        told = entry([of_job("repay", 60, 2, **back), of_job("release", **back)])
        assert told.text == "60 returned: cancelled by you; all of them went to your debt"
        assert (told.kind, told.amount, told.change) == (EntryKind.RETURNED, 60, 0)

    def test_what_a_plan_without_limit_covers_is_never_told_as_returned(self) -> None:
        plan: dict[str, Any] = {"bucket_kind": "unlimited", "unlimited": True, "cause": CANCELLED}
        held = entry([of_job("hold", seq=2, **plan), of_job("issue", **plan)])
        assert (held.kind, held.change, held.text) == (
            EntryKind.HELD,
            0,
            "60 held for upscaler under your unlimited plan",
        )
        used = entry([of_job("capture", **plan)])
        assert (used.kind, used.change, used.text) == (
            EntryKind.PAID,
            0,
            "60 used under your unlimited plan: upscaler",
        )
        free = entry([of_job("expire", seq=2, **plan), of_job("release", **plan)])
        assert (free.kind, free.change, free.text) == (
            EntryKind.UNUSED,
            0,
            "60 not used under your unlimited plan: cancelled by you",
        )
        for told in (held, used, free):
            assert [(part.bucket, part.amount) for part in told.parts] == [("unlimited", 60)]

    def test_what_it_covers_in_part_is_told_as_a_part(self) -> None:
        plan: dict[str, Any] = {"bucket_id": 2, "bucket_kind": "unlimited", "unlimited": True}
        held = entry([of_job("hold", 40, 3, **plan), of_job("issue", 40, 2, **plan), of_job("hold", 20)])
        assert held.text == "60 held for upscaler; 40 of them under your unlimited plan"
        back = entry(
            [of_job("expire", 40, 3, **plan), of_job("release", 40, 2, **plan), of_job("release", 20)]
        )
        assert (back.kind, back.amount, back.change) == (EntryKind.RETURNED, 60, 20)
        assert back.text == "60 returned; 40 of them under your unlimited plan"

    def test_all_of_it_may_come_back_as_grace(self) -> None:
        expired: dict[str, Any] = {"bucket_kind": "monthly", "cause": CANCELLED}
        ends = NOW + timedelta(days=30)
        grace: dict[str, Any] = {
            "bucket_kind": "grace",
            "source_ref": f"grace:{JOB}:1",
            "bucket_id": 2,
            "expires_at": ends,
        }
        written = [
            of_job("release", seq=1, **expired),
            of_job("expire", seq=2, **expired),
            of_job("issue", seq=3, **grace),
        ]
        told = entry(written[::-1])
        assert told.text == "60 returned: cancelled by you; all of them as grace credits until 2026-03-31"
        assert (told.change, [(p.bucket, p.amount, p.expires_at) for p in told.parts]) == (
            60,
            [("grace", 60, ends)],
        )


class TestMovements:
    def test_lines_of_one_step_of_one_job_are_one(self) -> None:
        other = uuid4()
        written = [
            line("issue", seq=1),
            line("issue", seq=2),
            of_job("hold", seq=3),
            of_job("hold", seq=4),
            of_job("hold", seq=5, job_id=other),
            of_job("capture", seq=6),
            of_job("release", seq=7),
            of_job("release", seq=8, job_id=other),
            of_job("expire", seq=9, job_id=other),
            of_job("issue", seq=10, job_id=other),
            line("expire", seq=11),
            line("expire", seq=12),
            line("withdraw", seq=13),
            line("debt", seq=14),
            line("withdraw", seq=15, bucket_id=2, origin_id=1),
            line("withdraw", seq=16, bucket_id=3),
            line("issue", seq=17, bucket_id=4),
            line("repay", seq=18, bucket_id=4),
            line("issue", seq=19, bucket_id=5),
            of_job("issue", seq=20, unlimited=True),
            of_job("hold", seq=21, unlimited=True),
            of_job("release", seq=22, unlimited=True),
            of_job("expire", seq=23, unlimited=True),
        ]
        found = [[each.seq for each in movement] for movement in movements(reversed(written))]
        assert found == [
            [23, 22],
            [21, 20],
            [19],
            [18, 17],
            [16],
            [15, 14, 13],
            [12],
            [11],
            [10, 9, 8],
            [7],
            [6],
            [5],
            [4, 3],
            [2],
            [1],
        ]
