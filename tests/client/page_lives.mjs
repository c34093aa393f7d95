// The lives of jobs as users of an existing page see them. What must happen at the provider is asked for by lines of
// JSON, each of which is answered by one; whatever is not as it should be ends the program.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { Network, Page } from "./page.mjs";

const { URL: url, PUBLIC_KEY: key, USERS } = process.env;
const users = JSON.parse(USERS);
const PRICE = 60;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function ask(what, given = {}) {
  console.log(JSON.stringify({ what, ...given }));
  return JSON.parse((await answers.next()).value);
}

let files = 0;

/** A page of the user with a picture of its own in our storage; *faults* meet the task of that picture. */
async function prepared(user, { faults, ...given } = {}) {
  const page = new Page({ url, key, user: users[user], ...given });
  const { png } = await ask("picture", { faults });
  const bytes = Buffer.from(png, "base64");
  // Both forms of an upload: a file, and its bytes.
  const file = ++files % 2 ? new Blob([bytes], { type: "image/png" }) : bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const image = await page.uploadToStorage(file, `${files}.png`);
  const shown = await fetch(image);
  assert.equal(shown.status, 200);
  assert.ok(Buffer.from(await shown.arrayBuffer()).equals(bytes));
  return { page, row: { input_url: image, category: "comida" }, run: { imageUrl: image, category: "comida", creditCost: 1 } };
}

async function created(page, row) {
  const { jobId, error } = await page.createJob("upscaler", row);
  assert.equal(error, null);
  assert.equal((await page.queryJobStatus("upscaler", jobId)).status, "pending");
  return jobId;
}

const lives = {
  async completed() {
    const { page, row, run } = await prepared("ada");
    const before = await page.checkCredits();
    const jobId = await created(page, row);
    const [job, sync] = [await page.subscribeToJob("upscaler", jobId), await page.subscribeToJob("upscaler", jobId, "job-sync")];
    assert.equal((await page.startJob("upscaler", jobId, run)).success, true);
    const done = await job.until("completed", "failed");
    await sync.until("completed");
    assert.deepEqual(job.statuses(), ["queued", "starting", "running", "completed"]);
    assert.deepEqual(sync.statuses(), job.statuses());
    assert.equal((await fetch(done.output_url)).headers.get("content-type"), "image/png");
    const read = await page.queryJobStatus("upscaler", jobId);
    assert.deepEqual([read.status, read.output_url], ["completed", done.output_url]);
    assert.equal(await page.checkCredits(), before - PRICE);
    await page.markJobFailed("upscaler_jobs", jobId, "a timer of the page");
    assert.equal(await page.checkCredits(), before - PRICE);
    await page.leave();
  },

  async failed() {
    const { page, row, run } = await prepared("ada", { faults: { fail: "The picture cannot be read." } });
    const before = await page.checkCredits();
    const jobId = await created(page, row);
    const job = await page.subscribeToJob("upscaler", jobId);
    assert.equal((await page.startJob("upscaler", jobId, run)).success, true);
    const lost = await job.until("completed", "failed");
    assert.equal(lost.status, "failed");
    assert.ok(lost.error_message);
    assert.equal(lost.output_url, null);
    for (let n = 0; n < 3; n++) {
      assert.equal(await page.checkCredits(), before, "back, and once");
      await page.markJobFailed("upscaler_jobs", jobId, "the page believes so too");
    }
    await page.leave();
  },

  async queued_and_cancelled() {
    const { page, row, run } = await prepared("ada");
    const before = await page.checkCredits();
    await ask("fill");
    const jobId = await created(page, row);
    const job = await page.subscribeToJob("upscaler", jobId);
    const started = await page.startJob("upscaler", jobId, run);
    assert.deepEqual(started, { success: true, queued: true, position: 1 });
    await job.until("queued");
    const read = await page.queryJobStatus("upscaler", jobId);
    assert.deepEqual([read.status, read.position], ["queued", 1]);
    assert.equal(await page.checkCredits(), before - PRICE);
    // Another page of the same user learns that it is busy, and by which name the job can be cancelled.
    const active = await page.checkActiveJob();
    assert.deepEqual([active.hasActiveJob, active.activeStatus], [true, "queued"]);
    assert.notEqual(active.activeJobId, jobId);
    const cancelled = await page.cancelJob(active.activeTool, active.activeJobId);
    assert.deepEqual([cancelled.success, cancelled.refunded_amount], [true, PRICE]);
    assert.equal((await job.until("cancelled")).status, "cancelled");
    const again = await page.cancelJob("upscaler", jobId);
    assert.equal(again.success, false);
    assert.equal(await page.checkCredits(), before);
    assert.equal((await page.checkActiveJob()).hasActiveJob, false);
    await ask("drain");
    await page.leave();
  },

  async waited_and_completed() {
    const { page, row, run } = await prepared("ada");
    const before = await page.checkCredits();
    await ask("fill");
    const jobId = await created(page, row);
    const job = await page.subscribeToJob("upscaler", jobId);
    assert.equal((await page.startJob("upscaler", jobId, run)).queued, true);
    await job.until("queued");
    await ask("drain");
    await job.until("completed");
    assert.deepEqual(job.statuses(), ["queued", "starting", "running", "completed"]);
    assert.equal(await page.checkCredits(), before - PRICE);
    await page.leave();
  },

  /** The page is closed while its job waits: its session takes the job back. */
  async page_left() {
    const { page, row, run } = await prepared("ada");
    const before = await page.checkCredits();
    await ask("fill");
    const jobId = await created(page, row);
    assert.equal((await page.startJob("upscaler", jobId, run)).queued, true);
    const strange = await (await page.direct("cancel-session", { sessionId: crypto.randomUUID() })).json();
    assert.deepEqual(strange, { success: true, cancelledCount: 0, cancelledJobs: [] });
    const ended = await (await page.direct("cancel-session", { sessionId: page.session })).json();
    assert.deepEqual(ended, { success: true, cancelledCount: 1, cancelledJobs: [{ table: "upscaler_jobs", id: jobId }] });
    assert.equal((await page.queryJobStatus("upscaler", jobId)).status, "cancelled");
    assert.equal(await page.checkCredits(), before);
    await ask("drain");
  },

  /** The connection dies without a word: a read shows the result, and the library comes back and hears of it. */
  async connection_lost() {
    const { page, row, run } = await prepared("ada", { faults: { hold: "running" } });
    const jobId = await created(page, row);
    const job = await page.subscribeToJob("upscaler", jobId);
    await page.startJob("upscaler", jobId, run);
    await job.until("running");
    page.client.realtime.conn.terminate();
    await ask("release");
    while ((await page.queryJobStatus("upscaler", jobId)).status !== "completed") await pause(50);
    await job.until("completed");
    await page.leave();
  },

  async refusals() {
    const poor = await prepared("poor");
    const balance = await poor.page.checkCredits();
    const refused = await created(poor.page, poor.row);
    const answer = await poor.page.startJob("upscaler", refused, poor.run);
    assert.deepEqual([answer.success, answer.code, answer.currentBalance], [false, "INSUFFICIENT_CREDITS", balance]);
    assert.equal((await poor.page.queryJobStatus("upscaler", refused)).status, "failed");
    assert.equal(await poor.page.checkCredits(), balance);

    const { page, row, run } = await prepared("ada");
    const before = await page.checkCredits();
    const first = await created(page, row);
    const { error } = await page.createJob("upscaler", row);
    assert.equal(error.code, "23505");
    assert.equal((await page.cancelJob("upscaler", first)).success, true);

    const stranger = new Page({ url, key, user: users.poor });
    assert.equal(await stranger.queryJobStatus("upscaler", first), null);
    assert.equal((await stranger.cancelJob("upscaler", first)).success, false);
    assert.equal(await page.checkCredits(), before);

    const hasty = await prepared("hasty");
    const had = await hasty.page.checkCredits();
    const many = await created(hasty.page, hasty.row);
    const job = await hasty.page.subscribeToJob("upscaler", many);
    let limited;
    for (let n = 0; n < 200 && limited?.code !== "RATE_LIMIT_EXCEEDED"; n++) {
      limited = await hasty.page.startJob("upscaler", many, hasty.run);
    }
    assert.equal(limited.code, "RATE_LIMIT_EXCEEDED");
    await job.until("completed");
    assert.equal(await hasty.page.checkCredits(), had - PRICE, "charged once, however often it was run");
    await hasty.page.leave();
  },

  async two_tabs() {
    const { page: one, row, run } = await prepared("ada");
    const two = new Page({ url, key, user: users.ada });
    const before = await one.checkCredits();
    const made = await Promise.all([one.createJob("upscaler", row), two.createJob("upscaler", row)]);
    const [jobId] = made.flatMap((each) => each.jobId ?? []);
    assert.deepEqual(made.map(({ error }) => error?.code ?? "made").sort(), ["23505", "made"]);
    const jobs = await Promise.all([one, two].map((page) => page.subscribeToJob("upscaler", jobId)));
    const started = await Promise.all([one, two, one, two].map((page) => page.startJob("upscaler", jobId, run)));
    assert.deepEqual(started.map((each) => each.success), [true, true, true, true]);
    for (const job of jobs) {
      await job.until("completed");
      assert.deepEqual(job.statuses(), ["queued", "starting", "running", "completed"]);
    }
    assert.equal(await one.checkCredits(), before - PRICE);
    await Promise.all([one.leave(), two.leave()]);
  },

  /** The tool function cannot be reached: nothing was charged, the server ends the job, in every form of the page. */
  async run_not_reached() {
    for (const form of ["before", "after", "latest"]) {
      for (const finish of ["ok", "refused", "not sent"]) {
        const network = new Network();
        const { page, row, run } = await prepared("ada", { form, network });
        const before = await page.checkCredits();
        const jobId = await created(page, row);
        network.faults.set("/run", "not sent");
        if (finish !== "ok") network.faults.set("/finish", finish);
        assert.equal((await page.startJob("upscaler", jobId, run)).success, false);
        network.faults.clear();
        const { status } = await page.queryJobStatus("upscaler", jobId);
        // One form of the page tells nobody; its job ends by the deadline of `pending`.
        assert.equal(status, form === "after" && finish === "not sent" ? "pending" : "failed", `${form}, ${finish}`);
        assert.equal(await page.checkCredits(), before);
        if (status === "pending") await page.cancelJob("upscaler", jobId);
      }
    }
  },

  /** The reply of `/run` is lost on its way: the page believes that the job failed, and the job is delivered. */
  async reply_lost() {
    for (const form of ["before", "after", "latest"]) {
      const network = new Network();
      const { page, row, run } = await prepared("ada", { form, network, faults: { hold: "running" } });
      const before = await page.checkCredits();
      const jobId = await created(page, row);
      const job = await page.subscribeToJob("upscaler", jobId);
      const running = page.startJob("upscaler", jobId, run);
      await job.until("running");
      await running;
      network.faults.set("/run", "reply lost");
      network.faults.set("/finish", "refused");
      assert.equal((await page.startJob("upscaler", jobId, run)).success, false);
      network.faults.clear();
      const { status } = await page.queryJobStatus("upscaler", jobId);
      assert.equal(status, "running", "what was submitted is not ended by a word");
      assert.equal(await page.checkCredits(), before - PRICE);
      await ask("release");
      await job.until("completed");
      assert.equal(await page.checkCredits(), before - PRICE);
      await page.leave();
    }
  },

  /** A job that waits and has been charged is ended by whichever call of the page gets through, credits back. */
  async fallback_pays_back() {
    await ask("fill");
    for (const form of ["before", "after", "latest"]) {
      const network = new Network();
      const { page, row, run } = await prepared("ada", { form, network });
      const before = await page.checkCredits();
      const jobId = await created(page, row);
      assert.equal((await page.startJob("upscaler", jobId, run)).queued, true);
      assert.equal(await page.checkCredits(), before - PRICE);
      network.faults.set("/run", "reply lost");
      network.faults.set("/finish", "refused");
      await page.startJob("upscaler", jobId, run);
      network.faults.clear();
      assert.equal((await page.queryJobStatus("upscaler", jobId)).status, "failed");
      assert.equal(await page.checkCredits(), before, "failed, and so the credits are back");
    }
    await ask("drain");
  },
};

for (const name of process.argv.slice(2)) {
  await lives[name]();
  console.log(JSON.stringify({ what: "lived", name }));
}
process.exit(0);
