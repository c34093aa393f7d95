"""One story about owners, credits and jobs, and the comparison of the database with what it should show."""

from collections.abc import Iterable
from uuid import UUID

from makegood.job import JobMoney
from tests.model.books import Books
from tests.model.lives import TERMINAL, Life, Step, check_create_calls, check_fact, check_step
from tests.model.sight import Line, Looker, Sight
from tests.model.site import Site
from tests.model.stage import Stage, Worker

OWNERS = ("ada", "bo", "cy")
_GRACE = "grace:"
_MONEY = {"accept": ("hold",), "complete": ("capture", "release"), "fail": ("release",)}


class Tale:
    """What has happened so far; `check` compares it with the database.

    The order of what happened at the same time is read from the journal, whose numbers say which of two
    came first for a wallet; what each then had to do is worked out again.
    """

    def __init__(self, stage: Stage, site: Site, workers: list[Worker]) -> None:
        self.stage, self.site, self.workers = stage, site, workers
        self.books = Books()
        self.lives: list[Life] = []
        self._looker = Looker(stage.sql)

    @property
    def worker(self) -> Worker:
        """The worker whose turn it is."""
        return self.workers[0]

    def life(self, job_id: UUID) -> Life:
        """Return the job of this id."""
        return next(life for life in self.lives if life.id == job_id)

    def among(self, *states: str) -> list[Life]:
        """Return the jobs that are in one of these states, or all."""
        return [life for life in self.lives if not states or life.state in states]

    async def check(self) -> None:
        """Fail if anything that can be seen is not as the story says."""
        sight = await self._looker.look()
        assert not sight.broken, sight.broken
        self._learn(sight)
        for happening in self._in_order(sight):
            self._follow(happening, sight)
        self._compare_jobs(sight)
        self._compare_buckets(sight)
        self._compare_holds(sight)
        self.books.check_conservation()
        await self._compare_answers({step.job_id for step in sight.steps})

    def _learn(self, sight: Sight) -> None:
        """Take note of attempts and of evidence, which must be true."""
        for row in sight.attempts:
            life = self.life(row["job_id"])
            if row["intent_at"] is not None:
                life.intents.add(row["number"])
                life.tokens[row["number"]] = row["token_hash"]
        known = {token for life in self.lives for token in life.tokens.values()}
        assert set(self.site.created) <= known, "a create call was made without a committed intent"
        for fact in sight.facts:
            life = self.life(fact.job_id)
            check_fact(life, fact, self.site, self.stage.now)
            life.known[fact.attempt].add(fact.verdict)

    def _in_order(self, sight: Sight) -> Iterable[Step | Line]:
        """Return the steps, and what expired, in the order in which they met each wallet."""
        happened: list[tuple[str, int, int, Step | Line]] = []
        last: dict[UUID, int] = {}
        for step in sight.steps:
            kinds = _MONEY.get(step.event, ("capture", "release"))
            numbers = [x.number for x in sight.lines if x.job_id == step.job_id and x.kind in kinds]
            rank = min(numbers, default=last.get(step.job_id, 0))
            last[step.job_id] = rank
            happened.append((self.life(step.job_id).owner, rank, step.version, step))
        for line in sight.lines:
            if line.kind == "expire" and line.actor == "expiry":
                happened.append((line.owner, line.number, 0, line))
        return [item[3] for item in sorted(happened, key=lambda item: item[:3])]

    def _follow(self, happening: Step | Line, sight: Sight) -> None:
        now = self.stage.now
        if isinstance(happening, Line):
            sources = {row["bucket_id"]: row["source_ref"] for row in sight.buckets}
            name = (happening.owner, self._source(sources[happening.bucket], sources))
            assert self.books.buckets[name].remaining == happening.amount, name
            self.books.expire(name, now)
            return
        life = self.life(happening.job_id)
        check_step(life, happening)
        if happening.event == "accept":
            self.books.hold(life.name, life.owner, life.price, now)
        if happening.to_state in TERMINAL:
            task = self.site.task_of(life.tokens.get(life.attempt))
            ran = task is not None and task.begun
            life.captured = life.costs(happening.event, happening.actor, ran=ran)
            self.books.settle(life.name, life.captured, now)
        life.state, life.version, life.attempt = happening.to_state, happening.version, happening.attempt
        life.entered_at = now

    def _source(self, source_ref: str, sources: dict[int, str]) -> str:
        if not source_ref.startswith(_GRACE):
            return source_ref
        _, job_id, bucket = source_ref.split(":")
        origin = self._source(sources[int(bucket)], sources)
        return f"grace for {self.life(UUID(job_id)).name} and {origin}"

    def _compare_jobs(self, sight: Sight) -> None:
        shown = {row["job_id"]: row for row in sight.jobs}
        assert shown.keys() == {life.id for life in self.lives}
        for life in self.lives:
            row = shown[life.id]
            assert (row["state"], row["version"], row["attempt"], row["settled"]) == (
                life.state,
                life.version,
                life.attempt,
                life.captured,
            ), life
            life.wished = row["cancel_requested_at"] is not None
            assert life.asked or not life.wished, life
            check_create_calls(life, self.site)

    def _compare_buckets(self, sight: Sight) -> None:
        sources = {row["bucket_id"]: row["source_ref"] for row in sight.buckets}
        shown = {(r["owner_id"], self._source(r["source_ref"], sources)): r for r in sight.buckets}
        assert shown.keys() == self.books.buckets.keys()
        for name, row in shown.items():
            bucket = self.books.buckets[name]
            bucket.number = row["bucket_id"]
            columns = tuple(row[c] for c in ("issued", "remaining", "held", "captured", "expired"))
            assert columns == bucket.columns, name
            assert (row["kind"], row["priority"], row["expires_at"]) == (
                bucket.kind,
                bucket.priority,
                bucket.expires_at,
            ), name
            assert (row["plan"], row["unlimited"], row["charged_back_at"] is not None) == (
                bucket.plan,
                bucket.unlimited,
                bucket.charged_back,
            ), name
        for row in sight.wallets:
            balance = sum(bucket.remaining for _, bucket in self.books.of(row["owner_id"]))
            assert (row["balance"], row["debt"]) == (balance, self.books.debt[row["owner_id"]]), row

    def _compare_holds(self, sight: Sight) -> None:
        numbers = {bucket.number: name for name, bucket in self.books.buckets.items()}
        shown = {
            (self.life(row["job_id"]).name, numbers[row["bucket_id"]]): (
                row["amount"],
                row["captured"],
                row["released"],
            )
            for row in sight.holds
        }
        assert shown == {
            (job, name): (hold.amount, hold.captured, hold.released)
            for job, holds in self.books.holds.items()
            for name, hold in holds.items()
        }

    async def _compare_answers(self, moved: set[UUID]) -> None:
        """Ask the engine too, as a service would."""
        engine = self.worker.engine
        for owner in {self.life(job_id).owner for job_id in moved} or {OWNERS[len(self.lives) % 3]}:
            wallet = await engine.wallet(owner)
            available, held = self.books.available(owner, self.stage.now), self.books.held(owner)
            assert (wallet.available, wallet.held, wallet.debt) == (available, held, self.books.debt[owner])
            assert wallet.unlimited == self.books.unlimited(owner, self.stage.now)
        for job_id in moved:
            drawn = self.books.holds.get(self.life(job_id).name, {})
            holds = drawn.values()
            unused = sum(
                hold.released or 0 for name, hold in drawn.items() if self.books.buckets[name].unlimited
            )
            assert await engine.money(job_id) == JobMoney(
                held=sum(hold.amount for hold in holds if hold.captured is None),
                captured=sum(hold.captured or 0 for hold in holds),
                released=sum(hold.released or 0 for hold in holds) - unused,
                unused=unused,
            )
