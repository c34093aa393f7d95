"""The part of the engine that tells what an order would come to: its price, or the job it has become."""

from collections.abc import Mapping
from typing import Any

from makegood.buckets import check_texts
from makegood.catalog import Catalog
from makegood.errors import KeyReused
from makegood.intake import price_order
from makegood.job import Job
from makegood.lifecycle import BaseJob
from makegood.ports import Blobs, Store


class Offering:
    """What a service answers before it takes an order; `Engine` is one."""

    _store: Store
    catalog: Catalog
    blobs: Blobs

    async def submitted_before(
        self, name: str, owner: str, input: Mapping[str, Any], *, key: str
    ) -> Job | None:
        """Return the job that the owner has submitted with this *key*, None if there is none.

        It is there also when it would not be taken any more, since its type was closed or its file is gone:
        to say that nothing was charged would not be true then. Raises InvalidInput, KeyReused.
        """
        check_texts(owner=owner, key=key)
        first = await self._store.jobs.by_key(owner, key)
        if first is None:
            return None
        asked: object = input
        if name in self.catalog.names:
            asked = self.catalog.get(name).parse(input).model_dump(mode="json")
        if (first.type, first.input) != (name, asked):
            raise KeyReused(key)
        return first

    async def quote(
        self, job_type: str | type[BaseJob], input: Mapping[str, Any], *, files: bool = True
    ) -> int:
        """Return what a job of this type with this *input* costs now, in whole credits; nothing is kept.

        With *files* they are looked at as `submit` does. Raises what `submit` does for such an input.
        """
        name = job_type if isinstance(job_type, str) else job_type.name
        return await price_order(self.catalog.offered(name), input, self.blobs if files else None)
