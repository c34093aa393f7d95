// Four lives of jobs as a page sees them. What must happen at the service is asked for by lines of JSON; whatever
// is not as it should be ends the program.
import assert from "node:assert/strict";
import {
  bringFile, cancelJob, createClient, createConfig, followJob, followJobs, getJob, getWallet, listJobs, Refused, submitJob,
} from "makegood-client";
import type { JobEvent, StepEvent } from "makegood-client";

const client = createClient(
  createConfig({ baseUrl: process.env.MAKEGOOD_URL, auth: process.env.MAKEGOOD_TOKEN, throwOnError: true }),
);
const picture = new Blob([Buffer.from(process.env.PICTURE ?? "", "base64")]);

function ask(what: string, jobId: string): void {
  console.log(JSON.stringify({ what, job_id: jobId }));
}

async function order(): Promise<string> {
  const { data: file } = await bringFile({ client, body: picture, throwOnError: true });
  const input = { image: file.key, category: "comida", resolution: 1024 };
  const { data: job } = await submitJob({
    client,
    body: { type: "upscaler", input },
    headers: { "Idempotency-Key": crypto.randomUUID() },
    throwOnError: true,
  });
  assert.equal(job.state, "queued");
  assert.equal(job.money.held, job.price);
  return job.id;
}

function steps(events: JobEvent[]): StepEvent[] {
  return events.filter((event): event is StepEvent => event.kind === "transition");
}

async function life(jobId: string): Promise<StepEvent[]> {
  const heard: JobEvent[] = [];
  for await (const event of followJob(jobId, { client })) heard.push(event);
  return steps(heard);
}

const { data: before } = await getWallet({ client, throwOnError: true });
const all: StepEvent[] = [];
let lastJob = "";
const listening = (async () => {
  for await (const event of followJobs({ client, after: 0 })) {
    all.push(event);
    if (event.job_id === lastJob && event.money) return;
  }
})();

// Completed: the price is spent, and the result is there.
const done = await order();
ask("complete", done);
const completed = await life(done);
assert.deepEqual(completed.map((step) => step.to_state), ["pending", "queued", "starting", "running", "completed"]);
const { data: paid } = await getJob({ client, path: { job_id: done }, throwOnError: true });
assert.deepEqual(completed.at(-1)?.money, { held: 0, captured: paid.price, released: 0 });
assert.equal(paid.files.length, 1);

// Failed: the credits are back, and the page says so because the ledger shows it.
const lost = await order();
ask("fail", lost);
const failed = await life(lost);
assert.equal(failed.at(-1)?.to_state, "failed");
assert.equal(failed.at(-1)?.money?.released, paid.price);
assert.ok(failed.at(-1)?.error?.message);

// Queued: it tells its place.
const waits = await order();
for await (const event of followJob(waits, { client })) {
  if (event.kind === "place") {
    assert.equal(event.position, 1);
    break;
  }
}

// Cancelled: while it waits, at once and for nothing.
lastJob = waits;
await cancelJob({ client, path: { job_id: waits }, body: {}, throwOnError: true });
assert.equal((await life(waits)).at(-1)?.money?.released, paid.price);

// Whoever has heard all of a job hears nothing more; what is not there is refused, and not asked for again.
const known = failed.at(-1)?.version;
for await (const event of followJob(lost, { client, after: known })) assert.fail(JSON.stringify(event));
await assert.rejects(followJob(crypto.randomUUID(), { client }).next(), (error) => {
  assert.ok(error instanceof Refused);
  return error.problem.code === "not_found";
});
const problem = await submitJob({ client, body: { type: "upscaler", input: {} }, throwOnError: false });
assert.equal(problem.error?.code, "invalid_input");

const { data: page } = await listJobs({ client, query: { limit: 2 }, throwOnError: true });
assert.deepEqual(page.jobs.map((job) => job.id), [waits, lost]);
const { data: after } = await getWallet({ client, throwOnError: true });
assert.equal(after.available, before.available - paid.price);

await listening;
ask("heard", String(all.length));
