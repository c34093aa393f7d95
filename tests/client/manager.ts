// The lives of jobs as a page lives them by the job manager; those that are named are lived. What must happen at the service is asked for by lines of
// JSON, each answered with a line when it is done; whatever is not as it should be ends the program.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { jobManager } from "makegood-client";
import type { Connection, JobManager, JobStatus, JobUpdate, Payload } from "makegood-client";
import { Line } from "./line.js";

const service = process.env.MAKEGOOD_URL ?? "";
const token = () => process.env.MAKEGOOD_TOKEN;
const picture = new Blob([Buffer.from(process.env.PICTURE ?? "", "base64")]);
const line = new Line(new URL(service));
const quick = { tries: 3, pauseMs: 10, readEveryMs: 100 };
const baseUrl = await line.open();
// No machine stands still for so long that a line which lives is taken for a dead one.
const page = jobManager({ baseUrl, token, silenceMs: 60_000, ...quick });
// Taken out one by one, as pages import them.
const { checkActiveJob, createJob, startJob, cancelJob, subscribeToJob, queryJobStatus, checkCredits, uploadToStorage } = page;
const { markJobFailed, cancelOnLeave } = page;

const done = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(what: string, jobId = ""): Promise<void> {
  console.log(JSON.stringify({ what, job_id: jobId }));
  await done.next();
}

const session = crypto.randomUUID();
const { url: address } = await uploadToStorage(picture, "uploads", "ada");
assert.ok(address);
/** What the old page puts into its row, with all that it has no say in; and into the body of its run. */
const row: Payload = { status: "running", user_id: "eve", position: 1, input_url: address, category: "comida", input_file_name: "me.png" };
const body: Payload = { imageUrl: address, category: "comida", resolution: 1024, creditCost: 0, userId: "eve" };

async function created(by: JobManager = page): Promise<string> {
  const { jobId, error } = await by.createJob("upscaler", "ada", session, row);
  assert.ok(jobId, error);
  return jobId;
}

async function ordered(by: JobManager = page): Promise<string> {
  const jobId = await created(by);
  const result = await by.startJob("upscaler", jobId, body);
  assert.equal(result.success, true, result.error);
  return jobId;
}

/** What a page hears of a job, and until when. */
class Ear {
  readonly updates: JobUpdate[] = [];
  readonly statuses: JobStatus[] = [];
  readonly connections: Connection[] = [];
  readonly stop: () => void;
  private readonly waiting = new Set<() => void>();

  constructor(jobId: string, by: JobManager = page) {
    const heard = <T>(list: T[]) => (each: T) => {
      list.push(each);
      for (const look of this.waiting) look();
    };
    this.stop = by.subscribeToJob("upscaler", jobId, heard(this.updates), heard(this.statuses), {
      onConnection: heard(this.connections),
    });
  }

  /** Return when what was heard is enough. */
  until(isEnough: (ear: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (isEnough(this)) {
          this.waiting.delete(look);
          resolve();
        }
      };
      this.waiting.add(look);
      look();
    });
  }

  status(status: JobStatus): Promise<void> {
    return this.until(() => this.statuses.includes(status));
  }

  get last(): JobUpdate | undefined {
    return this.updates.at(-1);
  }
}

async function balance(): Promise<number> {
  return (await checkCredits("ada")).balance;
}

const whole = await balance();
const price = Number(process.env.PRICE);

async function completed(): Promise<void> {
  assert.deepEqual(await checkActiveJob("ada"), { hasActiveJob: false, activeTool: null });
  const jobId = await created();
  assert.equal((await queryJobStatus("upscaler", jobId))?.status, "pending");
  const ear = new Ear(jobId);
  await ear.status("pending");
  const first = await startJob("upscaler", jobId, body);
  assert.deepEqual(first, { success: true, jobId, status: "queued", queued: true, position: 1 });
  assert.equal(await balance(), whole - price);
  // Four times in a row, with other inputs too, and many at once: one job, one charge, the input of the first.
  for (let again = 0; again < 4; again++) {
    const other = { ...body, category: "logo", resolution: 512 };
    assert.deepEqual(await startJob("upscaler", jobId, other), first);
  }
  const many = await Promise.all(Array.from({ length: 20 }, () => startJob("upscaler", jobId, body)));
  for (const each of many) assert.deepEqual(each, first);
  assert.equal(await balance(), whole - price);
  const active = await checkActiveJob("ada");
  assert.deepEqual([active.hasActiveJob, active.activeJobId, active.activeStatus], [true, jobId, "queued"]);
  await ear.status("queued");
  await ear.until(({ connections }) => connections.includes("open")); // until then it is read, and may miss a state
  await ask("complete", jobId);
  await ear.status("completed");
  assert.deepEqual(ear.statuses, ["pending", "queued", "starting", "running", "completed"]);
  const output = ear.last?.outputUrl;
  assert.ok(output);
  assert.equal((await fetch(output)).headers.get("Content-Type"), "image/png");
  assert.deepEqual(await queryJobStatus("upscaler", jobId), ear.last);
  assert.equal((await startJob("upscaler", jobId, body)).success, true);
  assert.equal(await balance(), whole - price);
  // A result is the input of the next job by its address.
  const next = await created();
  assert.equal((await startJob("upscaler", next, { ...body, imageUrl: output })).queued, true);
  assert.equal((await cancelJob("upscaler_jobs", next)).refundedAmount, price);
  const reloaded = jobManager({ baseUrl, token, ...quick });
  const last = await created(reloaded);
  assert.equal((await reloaded.startJob("upscaler", last, { ...body, imageUrl: output })).queued, true);
  assert.equal((await cancelJob("upscaler", last)).success, true);
}

async function failed(): Promise<void> {
  const before = await balance();
  const jobId = await ordered();
  const ear = new Ear(jobId);
  await ask("fail", jobId);
  await ear.status("failed");
  assert.equal(ear.last?.refundedAmount, price);
  assert.ok(ear.last?.errorMessage);
  await markJobFailed("upscaler_jobs", jobId, "it failed");
  assert.equal(await balance(), before);
  const again = await startJob("upscaler", jobId, body);
  assert.deepEqual([again.success, again.refunded, again.refundedAmount], [false, true, price]);
}

async function queued(): Promise<void> {
  const before = await balance();
  await ask("two of others wait");
  const jobId = await ordered();
  const ear = new Ear(jobId);
  const places = () => ear.updates.filter(({ status }) => status === "queued").map(({ position }) => position);
  for (const place of [3, 2, 1]) {
    await ear.until(() => places().at(-1) === place);
    if (place > 1) await ask("the next one starts");
  }
  assert.deepEqual(places(), [3, 2, 1]);
  const active = await checkActiveJob("ada");
  const cancelled = await cancelJob(active.activeTool ?? "", active.activeJobId ?? "");
  assert.deepEqual(cancelled, { success: true, refundedAmount: price, status: "cancelled" });
  await ear.status("cancelled");
  assert.deepEqual(ear.statuses, ["queued", "cancelled"]);
  assert.equal((await cancelJob("upscaler", jobId)).code, "ILLEGAL_TRANSITION");
  assert.equal(await balance(), before);
}

async function refused(): Promise<void> {
  const before = await balance();
  const poor = jobManager({ baseUrl, token: async () => process.env.POOR_TOKEN, ...quick });
  const { key } = await poor.uploadToStorage(picture);
  const { jobId } = await poor.createJob("upscaler", "bob", session, {});
  for (let again = 0; again < 3; again++) {
    const result = await poor.startJob("upscaler", jobId ?? "", { ...body, imageUrl: key });
    assert.deepEqual([result.success, result.code, result.currentBalance], [false, "INSUFFICIENT_CREDITS", 7]);
    assert.match(result.error ?? "", /has 7/);
  }
  assert.equal((await poor.checkCredits()).balance, 7);
  assert.equal((await poor.checkActiveJob("bob")).hasActiveJob, false);
  // A job of another is none.
  const own = await created();
  assert.equal((await poor.startJob("upscaler", own, body)).code, "NOT_FOUND");
  assert.equal((await poor.cancelJob("upscaler", own)).code, "NOT_FOUND");
  assert.equal(await poor.queryJobStatus("upscaler", own), null);
  assert.equal(await poor.markJobFailed("upscaler_jobs", own, "mine?"), null);
  const stranger = new Ear(own, poor);
  await stranger.until(({ connections }) => connections.includes("refused"));
  assert.deepEqual(stranger.updates, []);
  // A second one beside a job that is not over.
  const second = await createJob("pose_changer", "ada", session, {});
  assert.deepEqual([second.jobId, second.code, second.activeJobId], [null, "DUPLICATE_ACTIVE_JOB", own]);
  // An input that is none ends the job, for nothing, so that another may be tried.
  const wrong = await startJob("upscaler", own, { ...body, resolution: 1 });
  assert.deepEqual([wrong.success, wrong.code, wrong.status], [false, "INVALID_INPUT", "failed"]);
  assert.match(wrong.error ?? "", /resolution/);
  const foreign = await created();
  const elsewhere = { ...body, imageUrl: `${baseUrl}.example.org/files/a.png` };
  assert.equal((await startJob("upscaler", foreign, elsewhere)).success, false);
  assert.equal((await createJob("none", "ada", session, {})).code, "NOT_FOUND");
  const nobody = jobManager({ baseUrl, token: () => null, ...quick });
  assert.equal((await nobody.createJob("upscaler", "ada", session, {})).code, "AUTH_REQUIRED");
  assert.equal(await balance(), before);
}

/** A tool is meant by any of its names, and a file given in any way in which pages have one. */
async function named(): Promise<void> {
  const before = await balance();
  const base64 = process.env.PICTURE ?? "";
  for (const [tool, columns, inputs, label] of [
    ["image_generator", { engine: "flux2_klein", prompt: "a lighthouse", model: "x" }, { aspectRatio: "1:1" }, "Flux 2 Klein"],
    ["image_generator_jobs", { prompt: "a lighthouse" }, { referenceImageUrls: [address, picture] }, "Image generator"],
    ["bg_remover_jobs", { input_file_name: "me.png" }, { imageBase64: base64, fileName: "me.png" }, "Background remover"],
    ["video_generator", { model: "wan2.2", prompt: "waves" }, { start_frame: { base64, mimeType: "image/png" }, end_frame: { base64, mimeType: "image/png" } }, "Video generator"],
  ] as [string, Payload, Payload, string][]) {
    const { jobId, error } = await createJob(tool, "ada", session, columns);
    assert.ok(jobId, error);
    const result = await startJob(tool, jobId, inputs);
    assert.equal(result.queued, true, result.error);
    const active = await checkActiveJob("ada");
    assert.equal(active.activeTool, label);
    assert.equal((await cancelJob(label, jobId)).status, "cancelled");
  }
  assert.equal(await balance(), before);
}

/** Whatever a page says of a job, in each of its states: the service decides. */
async function reported(): Promise<void> {
  const before = await balance();
  const draft = await created();
  assert.equal((await markJobFailed("upscaler_jobs", draft, "lost"))?.status, "failed");
  const waits = await ordered();
  const told = await markJobFailed("upscaler_jobs", waits, "lost");
  assert.deepEqual([told?.status, told?.refundedAmount], ["failed", price]);
  assert.equal(await balance(), before);
  for (const state of ["starting", "running"]) {
    const jobId = await ordered();
    const ear = new Ear(jobId);
    await ask(state, jobId);
    assert.equal((await markJobFailed("upscaler_jobs", jobId, "lost"))?.status, state);
    await ask("complete", jobId);
    await ear.status("completed");
    assert.equal((await markJobFailed("upscaler_jobs", jobId, "lost"))?.status, "completed");
    assert.equal((await cancelJob("upscaler", jobId)).success, false);
  }
  assert.equal(await balance(), before - 2 * price);
}

/** A page that closes calls off what nobody has begun, and nothing else. */
async function left(): Promise<void> {
  const before = await balance();
  const closing = new EventTarget();
  const forget = cancelOnLeave(session, closing);
  const waits = await ordered();
  const ear = new Ear(waits);
  await ear.status("queued");
  closing.dispatchEvent(new Event("pagehide"));
  await ear.status("cancelled");
  assert.equal(await balance(), before);
  const draft = await created();
  const send = (url: string, sent: string) => Boolean(fetch(url, { method: "POST", body: sent }));
  Object.defineProperty(globalThis, "navigator", { value: { sendBeacon: send }, configurable: true });
  closing.dispatchEvent(new Event("pagehide"));
  await new Ear(draft).status("cancelled");
  const runs = await ordered();
  await ask("running", runs);
  closing.dispatchEvent(new Event("pagehide"));
  forget();
  await ask("complete", runs);
  const end = new Ear(runs);
  await end.status("completed");
  assert.equal(await balance(), before - price);
}

/** A line that breaks: nothing is done twice, nothing is missed, and no timer of the page ends anything. */
async function broken(): Promise<void> {
  const before = await balance();
  line.lost = { to: "POST /v1/jobs ", times: 2 };
  const jobId = await created();
  line.lost = { to: "PUT /v1/jobs/", times: 2 };
  assert.equal((await startJob("upscaler", jobId, body)).queued, true);
  assert.equal(line.lost.times, 0);
  assert.equal(await balance(), before - price);
  const ear = new Ear(jobId, jobManager({ baseUrl, token, silenceMs: 2_000, ...quick }));
  await ear.until(({ connections }) => connections.includes("open"));
  line.isDown = true;
  line.cut();
  await ear.until(({ connections }) => connections.at(-1) === "lost");
  await ask("running", jobId);
  assert.equal((await startJob("upscaler", jobId, body)).code, "UNREACHABLE");
  assert.equal(await queryJobStatus("upscaler", jobId), null);
  assert.deepEqual(await checkActiveJob("ada").then(({ hasActiveJob, code }) => [hasActiveJob, code]), [false, "UNREACHABLE"]);
  line.isDown = false;
  await ear.status("running");
  await ear.until(({ connections }) => connections.at(-1) === "open");
  // The line dies without a word.
  line.isHeld = true;
  await ear.until(({ connections }) => connections.at(-1) === "lost");
  await ask("complete", jobId);
  line.isHeld = false;
  line.cut();
  await ear.status("completed");
  assert.ok(ear.last?.outputUrl);
  const order: JobStatus[] = ["queued", "starting", "running", "completed"];
  assert.deepEqual(ear.statuses, order.filter((status) => ear.statuses.includes(status)));
  assert.equal(await balance(), before - price);
}

/** Where streams do not come through, a job is read. */
async function unstreamed(): Promise<void> {
  line.hasNoStreams = true;
  const jobId = await ordered();
  const ear = new Ear(jobId);
  await ear.status("queued");
  await ask("complete", jobId);
  await ear.status("completed");
  assert.deepEqual(ear.connections, ["lost"]);
  assert.ok(ear.last?.outputUrl);
  line.hasNoStreams = false;
}

const lives: Record<string, () => Promise<void>> = {
  completed, failed, queued, refused, named, reported, left, broken, unstreamed,
};
for (const name of process.argv.slice(2)) await (lives[name] ?? assert.fail(name))();
line.close();
process.exit(0);
