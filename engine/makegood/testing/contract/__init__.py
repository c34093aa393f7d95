"""The contracts of `makegood.ports`: what each of their implementations must do, as tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from makegood.ports import Store
from makegood.testing.contract.acts import ActsContract
from makegood.testing.contract.attempts import AttemptsContract
from makegood.testing.contract.audit import AuditContract
from makegood.testing.contract.blobs import BlobsContract
from makegood.testing.contract.buckets import BucketsContract
from makegood.testing.contract.capacities import CapacitiesContract, UnfitContract
from makegood.testing.contract.closing import ClosingContract
from makegood.testing.contract.counts import CountsContract
from makegood.testing.contract.deadlines import DeadlinesContract
from makegood.testing.contract.drafts import DraftsContract
from makegood.testing.contract.endpoints import DeliveriesContract, EndpointsContract
from makegood.testing.contract.ends import EndsContract
from makegood.testing.contract.evidence import EvidenceContract
from makegood.testing.contract.exclusive import ExclusiveContract, StartContract
from makegood.testing.contract.jobs import JobsContract
from makegood.testing.contract.keys import KeysContract
from makegood.testing.contract.lists import ListsContract
from makegood.testing.contract.messages import MessagesContract
from makegood.testing.contract.money import MoneyContract
from makegood.testing.contract.oversight import OversightContract
from makegood.testing.contract.parked import ParkedContract
from makegood.testing.contract.provider import Counterpart, ProviderContract
from makegood.testing.contract.queues import QueuesContract
from makegood.testing.contract.readings import LateContract, ReadingsContract
from makegood.testing.contract.rests import RestsContract
from makegood.testing.contract.returns import ReturnsContract
from makegood.testing.contract.rules import LimitsContract, PausesContract
from makegood.testing.contract.slots import SlotsContract
from makegood.testing.contract.statements import StatementsContract
from makegood.testing.contract.stream import StreamContract
from makegood.testing.contract.troubles import TroublesContract
from makegood.testing.contract.uploads import UploadsContract
from makegood.testing.contract.waiting import (
    AskBudgetContract,
    EstimateContract,
    ReckoningContract,
    StandingContract,
)
from makegood.testing.contract.wakeups import WakeupsContract
from makegood.testing.contract.workers import WorkersContract
from makegood.testing.drive import SPECS, Advance, Drive

__all__ = ["BlobsContract", "Counterpart", "ProviderContract", "StoreContract", "WakeupsContract"]


class StoreContract(
    JobsContract,
    ListsContract,
    ExclusiveContract,
    StartContract,
    DraftsContract,
    StandingContract,
    EstimateContract,
    ReckoningContract,
    AskBudgetContract,
    DeadlinesContract,
    EndsContract,
    MoneyContract,
    BucketsContract,
    StatementsContract,
    EvidenceContract,
    SlotsContract,
    QueuesContract,
    LimitsContract,
    PausesContract,
    ClosingContract,
    RestsContract,
    CapacitiesContract,
    UnfitContract,
    CountsContract,
    ReadingsContract,
    LateContract,
    AttemptsContract,
    MessagesContract,
    ParkedContract,
    StreamContract,
    ReturnsContract,
    EndpointsContract,
    DeliveriesContract,
    WorkersContract,
    OversightContract,
    TroublesContract,
    UploadsContract,
    KeysContract,
    ActsContract,
    AuditContract,
):
    """Subclass it as `Test…` and give it two fixtures.

    `store` yields an empty Store; `advance` is an async function that lets so many seconds pass for it. Real
    time may pass as well: no test depends on less than half a minute. Needs pytest-asyncio.
    """

    @pytest_asyncio.fixture
    async def drive(self, store: Store, advance: Advance) -> AsyncIterator[Drive]:
        """Declare the machines of the contract; afterwards no invariant may be broken."""
        await store.declare(SPECS)
        yield Drive(store, advance)
        assert (await store.audit()).violations == ()
