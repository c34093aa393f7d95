// The functions by which pages order paid jobs, with the names and the answers that they have always had, over the API
// and its events. A page reports and asks; what a job is, what it costs and whether credits come back, the service
// says. Nothing here is thrown, and no timer here ends a job.
import { createClient, createConfig } from "./generated/client/index.js";
import {
  cancelJob as cancel,
  getJob,
  getWallet,
  listJobs,
  prepareJob,
  reportJob,
  submitJob,
} from "./generated/sdk.gen.js";
import type { JobView } from "./generated/types.gen.js";
import { ask } from "./job-manager/asking.js";
import type { Answer } from "./job-manager/asking.js";
import { Files } from "./job-manager/files.js";
import { sendEnd } from "./job-manager/leaving.js";
import type { Leaving } from "./job-manager/leaving.js";
import { Naming, sorted } from "./job-manager/naming.js";
import { resultOf, updateOf } from "./job-manager/seen.js";
import { Subscription } from "./job-manager/subscription.js";
import type {
  ActiveJobInfo,
  CancelResult,
  CreatedJob,
  CreditsInfo,
  JobManagerOptions,
  JobResult,
  JobStatus,
  JobUpdate,
  Listening,
  Refusal,
  UploadedFile,
} from "./job-manager/shapes.js";

export type * from "./job-manager/shapes.js";

/** What a page gives: its own names of inputs, or those of the job type; files as addresses, keys, or themselves. */
export type Payload = Record<string, unknown>;

/** Refusals that end no job, or have ended it already; after any other it is reported, so that it is over, and free. */
const SETTLED = ["RATE_LIMIT_EXCEEDED", "AUTH_REQUIRED", "FORBIDDEN", "NOT_FOUND", "INSUFFICIENT_CREDITS"];

/** Return the functions for one service and whoever is signed in; each may be taken out and used alone. */
export function jobManager(options: JobManagerOptions) {
  const baseUrl = options.baseUrl.replace(/\/+$/, "");
  const fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
  const auth = async () => (await options.token()) ?? undefined;
  const client = createClient(createConfig({ baseUrl, auth, fetch }));
  const { tries = 4, pauseMs = 1_000, callMs = 30_000, readEveryMs = 5_000, silenceMs } = options;
  const patience = { tries, pauseMs, callMs };
  const files = new Files(client, baseUrl, patience);
  const naming = new Naming(client, patience);

  function read(jobId: string, times = tries): Promise<Answer<JobView>> {
    return ask({ ...patience, tries: times }, (signal) => getJob({ client, path: { job_id: jobId }, signal }));
  }

  /** Whether the user has a job under way. It is advice: the service itself takes no second one, where it must not. */
  async function checkActiveJob(_userId?: string): Promise<ActiveJobInfo> {
    const { data, refusal } = await ask(patience, (signal) =>
      listJobs({ client, query: { active: true, limit: 1 }, signal }),
    );
    const job = data?.jobs[0];
    if (!job) return { hasActiveJob: false, activeTool: null, ...refusal };
    const { data: type } = await naming.type(job.type);
    return { hasActiveJob: true, activeTool: type?.label ?? job.type, activeJobId: job.id, activeStatus: job.status };
  }

  /** Make a job of what is known of it so far: `pending`, with nothing held, whatever the payload says. */
  async function createJob(
    tool: string,
    _userId: string,
    sessionId: string,
    payload: Payload,
  ): Promise<CreatedJob> {
    const { data: type, refusal: unknown } = await naming.meant(tool, payload);
    if (unknown) return { jobId: null, ...unknown };
    const { input: given, others } = sorted(type, payload, "columns");
    const { data: input, refusal: lost } = await files.keysIn(given);
    if (lost) return { jobId: null, ...lost };
    const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("-");
    const { data: job, refusal } = await ask(patience, (signal) =>
      submitJob({
        client,
        body: { type: type.name, input, draft: true, session: sessionId || null, metadata: others },
        headers: { "Idempotency-Key": key }, // so that a lost answer leaves no second job
        signal,
      }),
    );
    return refusal ? { jobId: null, ...refusal } : { jobId: job.id };
  }

  /** Complete the input, hold the price and queue the job. Called again it answers what the job is by then: the first
   * call that was taken froze the input. */
  async function startJob(_tool: string, jobId: string, payload: Payload = {}): Promise<JobResult> {
    const { data: job, refusal } = await started(jobId, payload);
    if (!refusal) return resultOf(job);
    // Whatever kept the call from getting through keeps the report, too: once more is enough.
    const times = refusal.code === "UNREACHABLE" ? 1 : tries;
    const now = SETTLED.includes(refusal.code) ? undefined : await reported(jobId, refusal.error, times);
    const result = now && resultOf(now);
    return result?.success ? result : { success: false, jobId, ...result, ...refusal };
  }

  async function started(jobId: string, payload: Payload): Promise<Answer<JobView>> {
    const { data: job, refusal } = await read(jobId);
    if (refusal) return { refusal };
    const isUnpaid = job.error?.category === "insufficient_credits"; // asked again, it tells the balance again
    if (job.state !== "pending" && !isUnpaid) return { data: job };
    const { data: type, refusal: unknown } = await naming.type(job.type);
    if (unknown) return { refusal: unknown };
    const { data: given, refusal: lost } = await files.keysIn(sorted(type, payload, "run").input);
    if (lost) return { refusal: lost };
    const body = { input: { ...job.input, ...given } };
    return ask(patience, (signal) => prepareJob({ client, path: { job_id: jobId }, body, signal }));
  }

  /** End a job, by its id alone. What the provider has begun is asked to stop, and ends as the provider answers. */
  async function cancelJob(_tool: string, jobId: string): Promise<CancelResult> {
    const { data: job, refusal } = await ask(patience, (signal) =>
      cancel({ client, path: { job_id: jobId }, body: {}, signal }),
    );
    if (refusal) {
      return { success: false, refundedAmount: 0, errorMessage: refusal.error, code: refusal.code };
    }
    const { status } = updateOf(job);
    return { success: true, refundedAmount: job.money.released, status };
  }

  /** Hear what becomes of a job until it is over; the function that is returned ends it. Its first update is how the job
   * stands. A lost connection is made again where it was, and meanwhile the job is read. */
  function subscribeToJob(
    _tool: string,
    jobId: string,
    onUpdate: (update: JobUpdate) => void,
    onStatusChange?: (status: JobStatus) => void,
    { onConnection }: Listening = {},
  ): () => void {
    const source = { client, read: (id: string) => read(id, 1), outputOf, readEveryMs, silenceMs };
    const subscription = new Subscription(source, jobId, { onUpdate, onStatusChange, onConnection });
    void subscription.start();
    return () => subscription.stop();
  }

  /** Return how a job stands, null where there is none of this user, or it cannot be read now. */
  async function queryJobStatus(_tool: string, jobId: string): Promise<JobUpdate | null> {
    const { data: job } = await read(jobId);
    const output = job && (await outputOf(job));
    return output && !output.refusal ? updateOf(job, output.data) : null;
  }

  async function outputOf(job: JobView): Promise<Answer<string | undefined>> {
    return files.resultOf(job.id, job.files);
  }

  async function checkCredits(_userId?: string): Promise<CreditsInfo> {
    const { data: wallet, refusal } = await ask(patience, (signal) => getWallet({ client, signal }));
    if (refusal) return { balance: 0, sufficient: false, required: 0, ...refusal };
    return { balance: wallet.available, sufficient: wallet.unlimited || wallet.available >= 0, required: 0 };
  }

  /** Bring a file. It is kept under what is in it, whatever folder and name it had. */
  async function uploadToStorage(
    file: Blob | ArrayBuffer,
    _folder?: string,
    _userId?: string,
    _fileName?: string,
  ): Promise<UploadedFile> {
    const { data: key, refusal } = await files.bring(file);
    return refusal ? { url: null, ...refusal } : { url: files.addressOf(key), key };
  }

  /** Report that a job seems to have failed, and return how it stands, null where that did not get through. Of a job that
   * was never submitted it is the end, and what it holds comes back; any other goes on, and the provider is asked soon. */
  async function markJobFailed(_table: string, jobId: string, message: string): Promise<JobUpdate | null> {
    const job = await reported(jobId, message);
    return job ? updateOf(job) : null;
  }

  async function reported(jobId: string, message: string, times = tries): Promise<JobView | undefined> {
    const body = { message: message.slice(0, 2_000) || "The page gave no reason." };
    const { data } = await ask({ ...patience, tries: times }, (signal) =>
      reportJob({ client, path: { job_id: jobId }, body, signal }),
    );
    return data;
  }

  /** Cancel what this page ordered and nobody has begun, when it closes; the function that is returned forgets it. */
  function cancelOnLeave(sessionId: string, page: Leaving = globalThis as unknown as Leaving): () => void {
    const leave = () => sendEnd(baseUrl, sessionId, fetch);
    page.addEventListener("pagehide", leave);
    return () => page.removeEventListener("pagehide", leave);
  }

  return {
    checkActiveJob,
    createJob,
    startJob,
    cancelJob,
    subscribeToJob,
    queryJobStatus,
    checkCredits,
    uploadToStorage,
    markJobFailed,
    cancelOnLeave,
  };
}

export type JobManager = ReturnType<typeof jobManager>;
