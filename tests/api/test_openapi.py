"""The OpenAPI document is valid, and says of every operation what it does."""

from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from makegood.testing.drive import Reviewed
from makegood_adapters.cli.openapi import openapi as write_openapi
from makegood_adapters.http.openapi import openapi
from makegood_adapters.http.v1 import OPERATIONS
from tests.api.scene import Scene

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi.json"


def test_the_document_is_valid() -> None:
    document = openapi(OPERATIONS, title="makegood", version="1")
    OpenAPIV31SpecValidator(document).validate()
    told = {op["operationId"] for path in document["paths"].values() for op in path.values()}
    assert told == {op.name for op in OPERATIONS}


def test_the_committed_document_is_what_the_command_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """It is renewed by `makegood openapi --output docs/reference/openapi.json`."""
    write_openapi()
    assert capsys.readouterr().out == COMMITTED.read_text("utf-8")


def test_the_committed_page_is_what_the_command_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """It is renewed by `makegood openapi --format md --output docs/reference/api-operations.md`."""
    write_openapi(format="md")
    assert capsys.readouterr().out == COMMITTED.with_name("api-operations.md").read_text("utf-8")


def test_p5_no_operation_promises_credits_that_a_pending_job_never_held() -> None:
    document = openapi(OPERATIONS, title="makegood", version="1")
    told = {
        op["operationId"]: op["description"] for path in document["paths"].values() for op in path.values()
    }
    assert [name for name, text in told.items() if "credits back" in text] == []
    enders = ("cancel_job", "report_job", "end_session", "cancel_any_job", "end_job")
    for name in enders:
        assert "is pending)" in told[name], name


async def test_a_service_tells_the_states_that_its_own_types_declare(scene: Scene) -> None:
    reply = await scene.client.as_(None).get("/openapi.json")
    assert reply.body["paths"].keys() == {op.path for op in OPERATIONS}
    told = openapi(OPERATIONS, specs=[Reviewed.spec])["components"]["schemas"]["JobState"]["enum"]
    assert told == [
        *reply.body["components"]["schemas"]["JobState"]["enum"],
        "awaiting_review",
        "handed_over",
    ]
