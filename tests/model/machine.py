"""The rules by which Hypothesis tells stories; after every step the whole database is compared."""

import asyncio
import inspect
import sys
from collections.abc import Coroutine, Sequence

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.acts import Acts, Then
from tests.model.lives import SLOT, STATES, Life
from tests.model.site import ENDS, Create, Fate, Site
from tests.model.stage import Stage
from tests.model.tale import OWNERS

#: Longer than any deadline of a state, of a download, of a draining slot.
LONG_SECONDS = 7 * 3_600

owners = st.sampled_from(OWNERS)
picks = st.integers(0, 30)
amounts = st.sampled_from((60, 7, 30, 100, 250, 1_000))
prices = st.sampled_from((40, 0, 1, 10, 25, 70, 130))
worths = st.sampled_from((None, 0, 5, 20, 500))
fees = st.sampled_from((0, 3, 20, 500, -1))
priorities = st.sampled_from((10, 20, 50))
lifetimes = st.sampled_from((None, 86_400, 1_000, 200, 40))
states = st.sampled_from(STATES)
plans = st.lists(st.one_of(st.just(Create.ACCEPTED), st.sampled_from(Create)), max_size=3)
fates = st.one_of(st.sampled_from((Fate.RUNNING, Fate.SUCCEEDED)), st.sampled_from(Fate))
#: Beyond a lifetime, an attempt's lease, the deadline of a state, of a download, of everything.
jumps = st.one_of(
    st.sampled_from((5, 30, 61, 201)), st.sampled_from((5, 30, 61, 201, 301, 601, 901, 7_300, LONG_SECONDS))
)
ENDINGS = ("complete", "fail", "cancel", "user", "browser", "failed by hand")


class Story(RuleBasedStateMachine):
    """Owners with wallets, jobs in every state, a provider with a will of its own, two workers.

    No rule has a precondition: who wins a race is not for Hypothesis to say, so that nothing it draws may
    depend on it. A rule that finds nothing to work on does nothing.
    """

    def __init__(self, runner: asyncio.Runner, stage: Stage) -> None:
        super().__init__()
        self._runner, self._stage = runner, stage
        self.site = Site()
        self.acts = Acts(stage, self.site, runner.run(stage.begin(self.site, 4)))
        self._told: list[str] = []
        stage.stories += 1

    def tell(self, act: Coroutine[None, None, Then | None], *about: Life) -> None:
        """Let the act happen at a moment of its own, then compare everything."""
        for life in about:
            note(f"    {life.name}: {life.state}, attempt {life.attempt}")

        async def happens() -> None:
            await self._stage.advance(1)
            then = await act
            await self.acts.check()
            if then:
                then()

        self._stage.steps += 1
        self._told.append(_words(act))
        try:
            self._runner.run(happens())
        except Exception as error:
            self._stage.broken = self._stage.broken or [*self._told, f"{type(error).__name__}: {error}"]
            raise

    def pick(self, number: int, *states: str) -> Life:
        """Return one of the jobs in these states, or of all if there is none; the youngest for 0."""
        among = self.acts.among(*states) or self.acts.lives
        return among[-1 - number % len(among)]

    @initialize(
        given=st.lists(st.tuples(owners, amounts, priorities, lifetimes), min_size=4, max_size=8),
        ordered=st.lists(st.tuples(owners, prices), min_size=3, max_size=5),
        worth=worths,
        fee=fees,
        plans=plans,
    )
    def beginning(
        self,
        given: Sequence[tuple[str, int, int, int | None]],
        ordered: Sequence[tuple[str, int]],
        worth: int | None,
        fee: int,
        plans: Sequence[Create],
    ) -> None:
        for owner, amount, priority, lasts in given:
            self.tell(self.acts.grant(owner, amount, priority, lasts, None))
        for life in self.order(ordered, worth, fee):  # one by one, so that it begins the same when told again
            self.tell(self.acts.accept([life]), life)
        self.start(plans)

    def order(self, ordered: Sequence[tuple[str, int]], earned: int | None, fee: int) -> list[Life]:
        """Submit some jobs and return them."""
        for owner, price in ordered:
            self.tell(self.acts.submit(owner, price, earned, fee, None))
        return self.acts.lives[-len(ordered) :]

    def start(self, plans: Sequence[Create]) -> None:
        """Give slots to jobs that wait, and bring them to the provider."""
        self.tell(self.acts.dispatch())
        self.tell(self.acts.create(plans))

    @rule(
        owner=owners,
        amount=amounts,
        priority=priorities,
        lasts=lifetimes,
        again=st.one_of(st.none(), st.none(), picks),
    )
    def grant(self, owner: str, amount: int, priority: int, lasts: int | None, again: int | None) -> None:
        source = None
        if again is not None:
            owner, source = self.source(again, "order")
        self.tell(self.acts.grant(owner, amount, priority, lasts, source))

    def source(self, number: int, *kinds: str) -> tuple[str, str]:
        """Return the owner and the name of something that was granted: an order, a pass, a plan's cycle."""
        kinds = kinds or ("order", "pass", "plan")
        granted = [name for name in self.acts.books.buckets if name[1].startswith(kinds)]
        return granted[number % len(granted)]

    @rule(owner=owners, priority=priorities, lasts=st.sampled_from((40, 200, 1_000)))
    def grant_unlimited(self, owner: str, priority: int, lasts: int) -> None:
        self.tell(self.acts.grant_unlimited(owner, priority, lasts))

    @rule(
        owner=owners,
        plan=st.sampled_from(("pro", "mini")),
        amount=amounts,
        lasts=lifetimes,
        rolls_over=st.booleans(),
        again=st.sampled_from((False, False, True)),
    )
    def cycle_begins(
        self, owner: str, plan: str, amount: int, lasts: int | None, rolls_over: bool, again: bool
    ) -> None:
        self.tell(self.acts.start_cycle(owner, plan, amount, lasts, rolls_over, again))

    @rule(pick=picks)
    def payment_is_taken_back(self, pick: int) -> None:
        self.tell(self.acts.charge_back(*self.source(pick)))

    @rule(owner=owners, price=prices, earned=worths, fee=fees, key=st.sampled_from((None, None, "a", "b")))
    def submit(self, owner: str, price: int, earned: int | None, fee: int, key: str | None) -> None:
        self.tell(self.acts.submit(owner, price, earned, fee, key))

    @rule(
        ordered=st.lists(st.tuples(owners, prices), min_size=1, max_size=4),
        earned=worths,
        fee=fees,
        plans=st.one_of(plans, st.none()),
    )
    def submit_and_accept_at_once(
        self, ordered: Sequence[tuple[str, int]], earned: int | None, fee: int, plans: Sequence[Create] | None
    ) -> None:
        lives = self.order(ordered, earned, fee)
        self.tell(self.acts.accept(lives), *lives)
        if plans is not None:
            self.start(plans)

    @rule(owner=owners, price=prices, commits=st.booleans())
    def host_orders_in_its_own_transaction(self, owner: str, price: int, commits: bool) -> None:
        self.tell(self.acts.order_by_host(owner, price, commits=commits))

    @rule(pick=picks)
    def accept(self, pick: int) -> None:
        life = self.pick(pick, *(("pending",) if pick % 4 else ()))
        self.tell(self.acts.accept([life]), life)

    @rule()
    def accept_all_at_once(self) -> None:
        if lives := self.acts.among("pending"):
            self.tell(self.acts.accept(lives), *lives)

    @rule(plans=st.one_of(plans, st.none()))
    def dispatch_and_create(self, plans: Sequence[Create] | None) -> None:
        if plans is None:
            self.tell(self.acts.dispatch())
        else:
            self.start(plans)

    @rule(intend=st.booleans())
    def claim_and_die(self, intend: bool) -> None:
        self.tell(self.acts.claim(intend=intend))
        self.tell(self.acts.take_over())

    @rule(pick=picks, fate=fates, then=st.sampled_from(("fetched", "fetched", "asked", "silent", "")))
    def provider_goes_on(self, pick: int, fate: Fate, then: str) -> None:
        tasks = [task for task in self.site.tasks.values() if task.fate not in ENDS]
        if tasks:
            self.tell(self.acts.happen(tasks[pick % len(tasks)], fate))
        if then:
            self.tell(self._pass(6))
            self.tell(self.acts.ask(silent=then == "silent"))
        if then == "fetched":
            self.tell(self.acts.fetch())

    @rule(silent=st.booleans())
    def ask_and_fetch(self, silent: bool) -> None:
        self.tell(self.acts.ask())
        self.tell(self.acts.fetch(silent=silent))

    @rule(
        pick=picks,
        kind=st.sampled_from(("once", "twice and reordered", "late", "forged token", "another's task")),
        asked=st.booleans(),
    )
    def webhook(self, pick: int, kind: str, asked: bool) -> None:
        if lives := [life for life in self.acts.lives if life.tokens]:
            life = lives[-1 - pick % len(lives)]
            self.tell(self.acts.webhook(life, kind), life)
        if asked:
            self.tell(self.acts.ask())

    @rule(seconds=jumps, then=st.sampled_from(("", "sweep", "sweep", "watchdog", "silent watchdog")))
    def time_passes(self, seconds: int, then: str) -> None:
        self.tell(self._pass(seconds))
        if then == "sweep":
            self.tell(self.acts.sweep())
        elif then:
            self.tell(self.acts.watch(silent=then.startswith("silent")))

    @rule(call=st.sampled_from(("query", "cancel", "fetch", "confirm_binding")))
    def worker_dies(self, call: str) -> None:
        self.tell(self.acts.die(call))

    @rule(pick=picks, state=states)
    def client_reports(self, pick: int, state: str) -> None:
        life = self.pick(pick, state)
        self.tell(self.acts.report(life), life)

    @rule(pick=picks, state=states)
    def cancel(self, pick: int, state: str) -> None:
        life = self.pick(pick, state)
        self.tell(self.acts.cancel(life), life)

    @rule(pick=picks, now=states, state=states, delivered=st.booleans())
    def another_program_writes(self, pick: int, now: str, state: str, delivered: bool) -> None:
        life = self.pick(pick, now)
        self.tell(self.acts.set_state([life], state, delivered=delivered), life)

    @rule(chosen=st.sets(picks, min_size=2, max_size=3), now=states, state=states)
    def another_program_writes_several(self, chosen: set[int], now: str, state: str) -> None:
        lives = {life.name: life for life in (self.pick(pick, now) for pick in sorted(chosen))}
        self.tell(self.acts.set_state([*lives.values()], state, delivered=True), *lives.values())

    @rule(pick=picks, event=st.sampled_from(("complete", "fail", "cancel")), earned=worths)
    def administrator_decides(self, pick: int, event: str, earned: int | None) -> None:
        life = self.pick(pick, *SLOT)
        self.tell(self.acts.decide(life, event, earned), life)

    @rule(pick=picks, acts=st.lists(st.sampled_from(ENDINGS), min_size=2, max_size=4))
    def several_end_it_at_once(self, pick: int, acts: Sequence[str]) -> None:
        life = self.pick(pick, *SLOT)
        self.tell(self.acts.race(life, acts), life)

    @rule(capacity=st.integers(2, 6))
    def capacity_changes(self, capacity: int) -> None:
        self.tell(self._stage.resize(self.acts.worker, capacity))

    async def _pass(self, seconds: float) -> None:
        await self._stage.advance(seconds)

    def teardown(self) -> None:
        """Let everything heal: then every job must come to its end, and nothing may stay held."""
        if sys.exc_info()[0] is None:
            for _ in range(4):
                self.tell(self._pass(LONG_SECONDS))
                self.tell(self.acts.ask())
                self.tell(self.acts.fetch())
                self.tell(self.acts.watch())
            assert all(life.over for life in self.acts.lives)
            assert not any(self.acts.books.held(owner) for owner in OWNERS)


def _words(act: Coroutine[None, None, Then | None]) -> str:
    """Say which method is about to be called, and with what."""
    given = {name: value for name, value in inspect.getcoroutinelocals(act).items() if name != "self"}
    told = {n: ", ".join(map(str, v)) if isinstance(v, list) else v for n, v in given.items()}
    return f"{getattr(act, '__name__', act)}({', '.join(f'{name}={value}' for name, value in told.items())})"
