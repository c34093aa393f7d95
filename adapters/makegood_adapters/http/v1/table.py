"""The table: every operation of `/v1`, part by part."""

import json

from pydantic import ConfigDict

from makegood_adapters.http.openapi import openapi
from makegood_adapters.http.operation import Access, Call, Op, Reply
from makegood_adapters.http.v1 import (
    acting,
    books,
    concerns,
    credits,
    dossier,
    endpoints,
    events,
    files,
    jobs,
    keys,
    machines,
    operations,
    overview,
    queue,
    sessions,
    wallets,
)
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.views import View


class Document(View):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: str


async def get_document(api: Api, call: Call) -> Reply:
    """This API as an OpenAPI 3.1 document, with the states of the job types that are on offer here."""
    document = openapi(OPERATIONS, server=".", specs=api.engine.catalog.specs)
    return Reply(body=json.dumps(document).encode())


OPERATIONS: tuple[Op, ...] = (
    *jobs.OPERATIONS,
    *sessions.OPERATIONS,
    *files.OPERATIONS,
    *wallets.OPERATIONS,
    *credits.OPERATIONS,
    *events.OPERATIONS,
    *overview.OPERATIONS,
    *machines.OPERATIONS,
    *queue.OPERATIONS,
    *concerns.OPERATIONS,
    *operations.OPERATIONS,
    *dossier.OPERATIONS,
    *books.OPERATIONS,
    *acting.OPERATIONS,
    *endpoints.OPERATIONS,
    *keys.OPERATIONS,
    Op(
        method="GET",
        path="/openapi.json",
        name="get_document",
        summary="This document",
        run=get_document,
        who=Access.OPEN,
        out=Document,
        tag="about",
    ),
)
