"""`makegood dev`: a file's job types run for real while it is written, also while it is wrong."""

import os
import re
from pathlib import Path

import pytest

from tests import command
from tests.shows.show import shown

HEAD = """from datetime import timedelta
from typing import Annotated

from pydantic import Field

from makegood import BaseJob, Completion, Event, Failure, File, JobInput, Money, State
"""
POSTER = """

class Poster(BaseJob):
    price = 80

    class Input(JobInput):
        motif: Annotated[str, File(("jpeg",))]
        copies: int = Field(ge=2)

    proofing = State(deadline=timedelta(days=1), label="waiting for your yes")
    deliver = Event((BaseJob.starting | BaseJob.running) >> proofing, Completion)
    approve = Event(proofing >> BaseJob.completed, money=Money.CAPTURE)
    decline = Event(proofing >> BaseJob.failed, Failure, money=Money.RELEASE)

    @classmethod
    def delivered(cls, job, files):
        return cls.deliver, Completion(output={"files": files})
"""
PORTRAIT = """

class Portrait(BaseJob):
    pool, price = "studio", 60

    class Input(JobInput):
        prompt: str = Field(examples=["a lighthouse"])
"""
ASKS_WRONGLY = """
    @classmethod
    def request(cls, value):
        return {"app": value.promt}
"""
GIVE_UP = "    give_up = Event(BaseJob.queued >> BaseJob.failed, Failure, money=Money.RELEASE)\n"


def save(file: Path, text: str) -> None:
    """Put the whole text there at once: half a file would be another mistake."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


async def test_a_file_runs_while_it_is_written(tmp_path: Path) -> None:
    file, temporary = tmp_path / "shop.py", tmp_path / "temporary"
    temporary.mkdir()
    file.write_text(HEAD + POSTER + "    x = (\n")
    surroundings = {**os.environ, "TMPDIR": str(temporary)}
    async with shown("dev", "shop.py", "--port", "0", folder=tmp_path, environment=surroundings) as show:
        await show.told("shop.py cannot be read: '(' was never closed (shop.py:24). Repair it and save.")
        assert '<meta name="makegood-stage" content="/stage">' in await show.get("/page/")
        save(file, HEAD + POSTER)
        assert (await show.buttons())[0] == "run-poster"
        told = await show.press("run-poster")
        assert told.startswith("job 1 is proofing (waiting for your yes): approve or decline moves it on. ")
        await show.buttons("approve-job-1", "decline-job-1")
        [job] = (await show.get("/v1/operations/jobs"))["jobs"]
        [motif] = (await show.get(f"/v1/operations/jobs/{job['id']}"))["inputs"]
        assert (motif["name"], motif["kind"]) == ("motif", "jpeg")
        [process] = (await show.get("/v1/operations/overview"))["workers"]
        assert process["pid"] > 0
        told = await show.press("approve-job-1")
        assert re.match(r"job 1 is completed\. .* Ledger: 80 held for poster; 80 paid for poster\.", told)

        behind = len(show.lines)
        save(file, HEAD + POSTER.replace(", money=Money.CAPTURE", ""))
        mistake = await show.told("goes on until it is repaired", behind)
        assert mistake.strip().startswith(
            "shop.py:18: MG201 credits still held in 'completed' after accept >"
        )
        assert re.match(r"job 2 is failed\. .* 80 returned: provider failed\.", await show.press("fail"))

        save(file, HEAD + POSTER.replace("price = 80", "price = 90") + PORTRAIT)
        await show.buttons("run-portrait")
        told = await show.press("run-portrait")
        assert re.match(r"job 3 is completed\. .* 60 paid for portrait\. ana has 9,860 available", told)
        assert "90 held" in await show.press("run-poster")

        save(file, HEAD + PORTRAIT + GIVE_UP)
        await show.told("The rules of portrait@1 are others now.")
        await show.told("a fresh database", behind)
        while "run-poster" in await show.buttons():
            pass
        assert re.match(r"job 5 is completed\. .* ana has 9,940 available", await show.press("run-portrait"))
        assert await show.interrupt() == 0
    assert list(temporary.iterdir()) == []


#: Behind a file: who imports it first finds the job type, who imports it again a mistake.
MISTAKEN_MEANWHILE = """
from pathlib import Path

Path(__file__).with_suffix(".new").write_text("x = (")
Path(__file__).with_suffix(".new").replace(__file__)
"""
NOT_FOR_ENGINES = """
import os

if "MAKEGOOD_DEV" in os.environ:
    raise RuntimeError("not here")
"""


async def test_an_engine_that_does_not_start_is_told_once_and_has_its_page(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(HEAD + PORTRAIT + MISTAKEN_MEANWHILE)
    async with shown("dev", "shop.py", "--port", "0", folder=tmp_path, environment=os.environ) as show:
        mistake = "shop.py cannot be read: '(' was never closed (shop.py:1)."
        await show.told(f"{mistake} Repair it and save.")
        assert len([line for line in show.lines if "was never closed" in line]) == 1
        assert '<meta name="makegood-stage" content="/stage">' in await show.get("/page/")

        save(file, HEAD + PORTRAIT)
        assert (await show.buttons())[0] == "run-portrait"
        assert (await show.press("run-portrait")).startswith("job 1 is completed.")

        behind = len(show.lines)
        save(file, HEAD + PORTRAIT + NOT_FOR_ENGINES)
        told = await show.told("Save the file, and it is tried again.", behind)
        assert told.strip().startswith("The engine did not start: shop.py cannot be imported: RuntimeError: ")
        shown_now = await show.stage(lambda stage: "not here" in stage["story"][-1]["text"])
        assert shown_now["buttons"] == []
        [job] = (await show.get("/v1/operations/jobs"))["jobs"]
        assert (job["type"], job["state"]) == ("portrait", "completed")
        save(file, HEAD + PORTRAIT)
        await show.buttons("run-portrait")
        assert (await show.press("run-portrait")).startswith("job 2 is completed.")
        assert len([line for line in show.lines if "not here" in line]) == 1
        assert await show.interrupt() == 0


WRONG = {
    "is not there": (None, r"There is no Python file shop\.py\. `makegood init NAME` writes one .*"),
    "cannot be read": ("x = (\n", r"shop\.py cannot be read: '\(' was never closed \(shop\.py:1\)\."),
    "has no job type": ("x = 1\n", r"shop\.py defines no job type\."),
    "loses credits": (
        HEAD + POSTER.replace(", money=Money.CAPTURE", ""),
        r"shop\.py:18: MG201 credits still held in 'completed' after accept > .*\.",
    ),
    "names no example": (
        HEAD + PORTRAIT.replace('examples=["a lighthouse"]', 'pattern="^[0-9]+$"'),
        r"portrait cannot be tried: .*prompt.* Give each of these fields an example: .*",
    ),
    "has a mistake where it is asked": (
        HEAD + PORTRAIT + ASKS_WRONGLY,
        r"shop\.py:17: AttributeError: 'Input' object has no attribute 'promt'\. Nothing was charged\.",
    ),
    "has no file to give": (
        HEAD + POSTER.replace('"jpeg"', '"mp4"'),
        r"poster: motif takes mp4, of which none is made here\. Name a file beside yours: .*",
    ),
}


def test_a_file_of_which_one_job_fails_ends_with_1_whatever_became_of_the_others(tmp_path: Path) -> None:
    refused = ASKS_WRONGLY.replace("value.promt", "[]")
    (tmp_path / "shop.py").write_text(HEAD + PORTRAIT.replace("Portrait", "Badge") + refused + PORTRAIT)
    told = command.run("dev", "shop.py", "--once", folder=tmp_path)
    assert (told.returncode, told.stderr) == (1, "")
    ends = re.findall(r"job (\d) is (\w+)\. .* Ledger: 60 held [^;]*; 60 (\w+)", told.stdout)
    assert ends == [("1", "failed", "returned"), ("2", "completed", "paid")]


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_cannot_run_once_is_one_sentence(what: str, tmp_path: Path) -> None:
    text, sentence = WRONG[what]
    if text:
        (tmp_path / "shop.py").write_text(text)
    told = command.run("dev", "shop.py", "--once", folder=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert re.fullmatch(f"makegood: {sentence}\n", told.stderr), told.stderr
