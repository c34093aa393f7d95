"""The OpenAPI document is valid, and says of every operation what it does."""

from openapi_spec_validator import OpenAPIV31SpecValidator

from makegood_adapters.http.openapi import openapi
from makegood_adapters.http.v1 import OPERATIONS


def test_the_document_is_valid() -> None:
    document = openapi(OPERATIONS, title="makegood", version="1")
    OpenAPIV31SpecValidator(document).validate()
    told = {op["operationId"] for path in document["paths"].values() for op in path.values()}
    assert told == {op.name for op in OPERATIONS}
