"""What a job type says of itself is looked at when it is defined, not when a paid job first needs it."""

from datetime import timedelta
from typing import Any

import pytest

from makegood import BaseJob, DeclarationError, JobInput, RerunPolicy


def defined(**members: object) -> type[BaseJob]:
    return type("Wrong", (BaseJob,), members)


def of_an_instance(self: BaseJob, value: object) -> int:
    return 3


async def awaited(cls: type[BaseJob], value: object) -> int:
    return 3


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("name", 5, "no name"),
        ("name", "", "no name"),
        ("version", "2", "no version"),
        ("version", 0, "no version"),
        ("version", 1.5, "no version"),
        ("version", True, "no version"),
        ("label", None, "no text"),
        ("pool", 17, "no pool"),
        ("pool", "", "no pool"),
        ("price", "60", "no price"),
        ("price", 59.5, "no price"),
        ("price", -1, "no price"),
        ("price", True, "no price"),
        ("price", 10**13, "no price"),
        ("attempts_max", "3", "no bound"),
        ("attempts_max", 0, "no bound"),
        ("fetch_deadline", 7_200, "timedelta"),
        ("fetch_deadline", timedelta(), "timedelta"),
        ("rerun_policy", 3, "no RerunPolicy"),
        ("Input", dict, "derive it from JobInput"),
        ("Input", JobInput(), "derive it from JobInput"),
        ("price_of", 3, "no method"),
        ("price_of", of_an_instance, "@classmethod"),
        ("request", of_an_instance, "@classmethod"),
        ("price_of", classmethod(awaited), "async"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_name(name: str, value: object, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        defined(**{name: value})
    [problem] = map(str, refused.value.problems)
    assert problem.replace(":", "").split()[:2] == ["MG116", name]
    assert told in problem


def test_several_are_told_at_once() -> None:
    with pytest.raises(DeclarationError) as refused:
        defined(pool=17, price="60")
    assert [str(problem).partition(":")[0] for problem in refused.value.problems] == [
        "MG116 pool",
        "MG116 price",
    ]


def test_what_fits_is_taken() -> None:
    fits: dict[str, Any] = {
        "label": "",
        "pool": "studio",
        "price": 0,
        "attempts_max": 1,
        "fetch_deadline": timedelta(minutes=5),
        "rerun_policy": RerunPolicy(first_seconds=0),
        "price_of": staticmethod(lambda value: 3),
        "version": 7,
    }
    assert defined(**fits).spec.version == 7
