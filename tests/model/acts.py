"""What can be done to jobs and credits in a story, and what must follow at once."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from makegood import BaseJob, Completion, Failure, IllegalTransition, InsufficientCredits, Job
from makegood.errors import InvalidRequest, KeyReused, MakegoodError
from makegood.job import Evidence, Verdict
from tests.model.lives import ADMINISTRATOR, SLOT, Life
from tests.model.site import Create, Fate, Task
from tests.model.stage import ACCOUNT, LEASE_SECONDS, Picture, Worker, refusals
from tests.model.tale import Tale

#: What must hold once the database was compared with the story.
Then = Callable[[], None]
Refused = MakegoodError | None


class Acts(Tale):
    """Everything that users, administrators, other programs, the provider and our own loops may do."""

    async def grant(
        self, owner: str, amount: int, priority: int, lasts: int | None, again: str | None
    ) -> None:
        """Issue credits; *again* names a source that was used before."""
        source = again or f"order-{len(self.books.buckets) + 1}"
        expires_at = None if lasts is None else self.stage.now + timedelta(seconds=lasts)
        kind = {10: "gift", 20: "bonus"}.get(priority, "purchased")
        new = self.books.grant(owner, source, amount, kind=kind, priority=priority, expires_at=expires_at)
        engine = self.worker.engine
        done = await engine.grant(
            owner, amount, source_ref=source, kind=kind, priority=priority, expires_at=expires_at
        )
        assert done is new, source

    async def grant_unlimited(self, owner: str, priority: int, lasts: int) -> None:
        """Open a bucket that covers every price for a while."""
        source = f"pass-{len(self.books.buckets) + 1}"
        expires_at = self.stage.now + timedelta(seconds=lasts)
        given: dict[str, Any] = {"priority": priority, "expires_at": expires_at}
        assert self.books.grant(owner, source, 0, kind="unlimited", unlimited=True, **given)
        assert await self.worker.engine.grant_unlimited(owner, source_ref=source, **given)

    async def start_cycle(
        self, owner: str, plan: str, amount: int, lasts: int | None, rolls_over: bool, again: bool
    ) -> None:
        """Begin a plan's next cycle, or say a second time that the last one has begun."""
        mine = [b for _, b in self.books.of(owner) if b.plan == plan]
        cycle = f"{len(mine) + (not (again and mine))}"
        ends_at = None if lasts is None else self.stage.now + timedelta(seconds=lasts)
        given: dict[str, Any] = {"plan": plan, "cycle": cycle, "rolls_over": rolls_over}
        start = self.worker.engine.start_cycle(owner, amount, priority=40, ends_at=ends_at, **given)
        ends_too_early = ends_at is not None and any(b.expires_at and b.expires_at > ends_at for b in mine)
        if ends_too_early and (owner, f"plan:{plan}:{cycle}") not in self.books.buckets:
            [refused] = await refusals(start)
            assert isinstance(refused, InvalidRequest), refused
            return
        issue: dict[str, Any] = {"kind": "monthly", "priority": 40, "amount": amount, "expires_at": ends_at}
        assert await start is self.books.start_cycle(owner, now=self.stage.now, **given, **issue)

    async def charge_back(self, owner: str, source: str) -> None:
        """Take a payment back, for the first time or again."""
        done = self.books.charge_back(owner, source, self.stage.now)
        assert await self.worker.engine.charge_back(owner, source) is done

    async def submit(self, owner: str, price: int, earned: int | None, fee: int, key: str | None) -> None:
        """Order a job; a key that was used before gives the first job or is refused."""
        order = {"price": price, "earned": earned, "fee": fee}
        first = next((life for life in self.lives if key and (life.owner, life.key) == (owner, key)), None)
        try:
            job = await self.worker.engine.submit(Picture, owner, order, key=key)
        except KeyReused:
            assert first is not None
            assert (first.price, first.earned, first.fee) != (price, earned, fee)
            return
        if first is not None:
            assert job.id == first.id
            return
        name = f"job {len(self.lives) + 1}"
        self.lives.append(Life(name, job.id, owner, price, earned, fee, key, entered_at=self.stage.now))

    async def order_by_host(self, owner: str, price: int, *, commits: bool) -> Then:
        """Submit and accept a job in a transaction of the host's, which then commits or rolls back."""
        host, engine, life = self.stage.sql, self.worker.engine, None
        covered = self.books.can_pay(owner, price, self.stage.now)
        transaction = host.transaction()
        await transaction.start()
        job = await engine.submit(Picture, owner, {"price": price}, conn=host)
        [error] = await refusals(engine.accept(job.id, conn=host))
        assert isinstance(error, InsufficientCredits) != covered, error
        if commits:
            await transaction.commit()
            name = f"job {len(self.lives) + 1}"
            life = Life(name, job.id, owner, price, None, 0, entered_at=self.stage.now)
            self.lives.append(life)
        else:
            await transaction.rollback()
        return lambda: _expect(life, "queued" if covered else "failed") if life else None

    async def accept(self, lives: Sequence[Life]) -> Then:
        """Accept jobs at once, by two workers."""
        before = {life.name: life.state for life in lives}
        work = [self.workers[n % 2].engine.accept(life.id) for n, life in enumerate(lives)]
        refused = await refusals(*work)

        def then() -> None:
            for life, error in zip(lives, refused, strict=True):
                match before[life.name], life.state:
                    case "pending", "queued":
                        assert error is None
                    case "pending", "failed":
                        assert isinstance(error, InsufficientCredits)
                        assert not self.books.can_pay(life.owner, life.price, self.stage.now)
                    case was, state:
                        assert was == state != "pending"
                        assert isinstance(error, IllegalTransition) if life.over else error is None

        return then

    async def dispatch(self) -> None:
        """Give waiting jobs what slots there are."""
        await self.worker.dispatcher.turn()

    async def create(self, plans: Sequence[Create]) -> None:
        """Claim what has a slot, commit the intent, and make the create call, which ends as planned."""
        self.site.plans.extend(plans)
        await self.worker.work(self.worker.submitter)
        self.site.plans.clear()

    async def claim(self, *, intend: bool) -> None:
        """Let a worker die that has claimed an attempt, or has committed an intent and sent nothing."""
        attempts = self.worker.store.attempts
        for attempt in await attempts.claim([ACCOUNT], 1, LEASE_SECONDS):
            if intend:
                token_hash = f"token of {attempt.job_id} {attempt.number}".encode()
                assert await attempts.intend(attempt, token_hash, LEASE_SECONDS)

    async def webhook(self, life: Life, kind: str) -> None:
        """Let a message come with the token of one of the job's attempts, or with a forged one."""
        engine, number = self.worker.engine, max(life.tokens)
        token_hash = life.tokens[number] if kind != "late" else life.tokens[min(life.tokens)]
        task = self.site.task_of(token_hash)
        task_id = task.id if task else "task-0"
        match kind:
            case "forged token":
                assert not await engine.receive_webhook(b"forged", {}, task_id.encode())
                return
            case "another's task":
                task_id = next((t.id for t in self.site.tasks.values() if t is not task), "task-0")
        for body in ("end", "end", "start") if kind == "twice and reordered" else ("end",):
            assert await engine.receive_webhook(token_hash, {}, f"{body} {task_id}".encode())

    async def happen(self, task: Task, fate: Fate) -> None:
        """Let the provider go on with a task; nobody is told."""
        self.site.move(task, fate)

    async def ask(self, *, silent: bool = False) -> None:
        """Let the poller ask about what is due."""
        self.site.silent = {"query"} if silent else set()
        await self.worker.work(self.worker.poller)
        self.site.silent.clear()

    async def fetch(self, *, silent: bool = False) -> None:
        """Let the collector bring results home."""
        self.site.silent = {"fetch"} if silent else set()
        await self.worker.work(self.worker.collector)
        self.site.silent.clear()

    async def watch(self, *, silent: bool = False) -> Then:
        """Let the watchdog look; it asks the provider first, who may be silent."""
        self.site.silent = {"query", "cancel"} if silent else set()
        await self.worker.work(self.worker.watchdog)
        self.site.silent.clear()
        return self._nothing_expired

    async def sweep(self) -> Then:
        """Take what remains out of expired buckets."""
        await self.worker.store.ledger.expire(100)
        return self._nothing_expired

    def _nothing_expired(self) -> None:
        over = [b for b in self.books.buckets.values() if b.over(self.stage.now)]
        assert not any(bucket.remaining for bucket in over)

    async def die(self, call: str) -> None:
        """Kill the worker at its next call of this kind, and let the other go on in its place."""
        self.site.killing = {call}
        await self.worker.work(self.worker.poller, self.worker.collector)
        await self.worker.work(self.worker.watchdog)
        self.site.killing.clear()
        await self.take_over()

    async def take_over(self) -> None:
        """Go on with the other worker: this one knows nothing of what the first had begun."""
        self.workers.reverse()

    async def report(self, life: Life) -> Then:
        """Let a browser claim that the job has failed."""
        before, ever_sent = life.state, bool(life.intents)
        await self.worker.engine.report(life.id, "it does not work", source="browser")
        ends = before in {"pending", "queued"} and not ever_sent
        return lambda: _expect(life, "failed" if ends else before)

    async def cancel(self, life: Life) -> Then:
        """Let the user give the job up."""
        before, sent = life.state, life.submitted
        life.asked = life.asked or sent
        [error] = await refusals(self.worker.engine.cancel(life.id))
        assert isinstance(error, IllegalTransition) == life.over, error
        return lambda: _expect(life, before if sent or error else "cancelled")

    async def set_state(self, lives: Sequence[Life], state: str, *, delivered: bool) -> Then:
        """Let another program write the state of some jobs in one statement, all or none."""
        may = all(life.may_be_set_to(state) for life in lives)
        completes = state == "completed" and not all(life.state == state for life in lives)
        if state == "queued":
            may = may and self._can_pay([life for life in lives if life.state == "pending"])
        if completes:
            may = may and delivered and all(life.state != state for life in lives)
        before = [life.state for life in lives]
        output = '{"files": []}' if completes and delivered else None
        code = await self.stage.set_state([life.id for life in lives], state, output)
        assert (code is None) == may, f"{[life.name for life in lives]}: {before} to {state} ended as {code}"

        def then() -> None:
            for life, was in zip(lives, before, strict=True):
                _expect(life, state if may else was)

        return then

    def _can_pay(self, lives: Sequence[Life]) -> bool:
        prices = {life.owner: 0 for life in lives}
        for life in lives:
            prices[life.owner] += life.price
        now = self.stage.now
        return all(not price or self.books.can_pay(owner, price, now) for owner, price in prices.items())

    async def decide(self, life: Life, event: str, earned: int | None) -> Then:
        """Let an administrator end the job, with a reason."""
        before = life.state
        [error] = await refusals(self._decision(self.worker, life, event, earned))
        assert (error is None) == (before in SLOT), error
        ends = {"complete": "completed", "fail": "failed", "cancel": "cancelled"}
        return lambda: _expect(life, before if error else ends[event])

    async def race(self, life: Life, acts: Sequence[str]) -> Then:
        """Let several end the same job at the same moment: one of them does, and once."""
        ways: dict[str, Callable[[Worker], Coroutine[Any, Any, object]]] = {
            "complete": lambda worker: self._decision(worker, life, "complete", life.earned),
            "fail": lambda worker: self._decision(worker, life, "fail", None),
            "cancel": lambda worker: self._decision(worker, life, "cancel", None),
            "user": lambda worker: worker.engine.cancel(life.id),
            "browser": lambda worker: worker.engine.report(life.id, "no", source="browser"),
            "failed by hand": lambda _: self.stage.set_state([life.id], "failed", None),
        }
        life.asked = life.asked or ("user" in acts and not life.over)
        life.overruled = life.overruled or life.state in SLOT
        slot = life.state in SLOT
        acts = [act for n, act in enumerate(acts) if act != "failed by hand" or act not in acts[:n]]
        ended = await refusals(*(ways[act](self.workers[n % 2]) for n, act in enumerate(acts)))
        decided = [error for act, error in zip(acts, ended, strict=True) if act in ("complete", "fail")]

        def then() -> None:
            if slot and decided:
                assert life.over
            assert sum(error is None for error in decided) <= 1

        return then

    async def _decision(self, worker: Worker, life: Life, event: str, earned: int | None) -> Job:
        life.overruled = life.overruled or life.state in SLOT
        evidence = Evidence(
            job_id=life.id,
            attempt=life.attempt,
            verdict=Verdict.ADMINISTRATOR,
            source="grace hopper",
            detail={"reason": "looked at the provider"},
        )
        actor = f"{ADMINISTRATOR}{'' if earned is None else earned}"
        fire = worker.engine.fire
        match event:
            case "complete":
                given = Completion(output={"files": []}, earned=earned)
                return await fire(life.id, BaseJob.complete, given, actor=actor, evidence=evidence)
            case "fail":
                return await fire(life.id, BaseJob.fail, Failure(), actor=actor, evidence=evidence)
            case _:
                return await fire(life.id, BaseJob.cancel, actor=actor, evidence=evidence)


def _expect(life: Life, state: str) -> None:
    assert life.state == state, f"{life.name} is {life.state}, not {state}"
