// A job as pages see it: its status and what goes with it, and what a call came to.
import type { FailureView, JobStatus, JobView, StepEvent } from "../generated/types.gen.js";
import type { JobResult, JobUpdate } from "./shapes.js";

const STATUSES = ["pending", "queued", "starting", "running", "completed", "failed", "cancelled"];

/** Return the status that a state is, undefined for one that a job type has added. */
export function statusOf(state: string): JobStatus | undefined {
  return STATUSES.includes(state) ? (state as JobStatus) : undefined;
}

export function updateOf(job: JobView, outputUrl?: string): JobUpdate {
  const isOver = job.finished_at !== null;
  return {
    status: statusOf(job.status) ?? otherwise(job),
    currentStep: job.state,
    position: job.place?.position ?? 0,
    ...(job.place && { waiting: job.place.of }),
    ...(job.place?.wait_seconds != null && { waitSeconds: job.place.wait_seconds }),
    ...(outputUrl && { outputUrl }),
    ...(job.error && failure(job.error)),
    ...(isOver && { refundedAmount: job.money.released }),
  };
}

/** Return what a step says of a job that is not over; nothing where its state is one that a job type has added. */
export function stepOf(step: StepEvent): JobUpdate | undefined {
  const status = statusOf(step.to_state);
  return status && { status, currentStep: step.to_state, position: 0 };
}

export function resultOf(job: JobView): JobResult {
  const { status, position, errorMessage, code, refundedAmount } = updateOf(job);
  const success = status !== "failed" && status !== "cancelled";
  return {
    success,
    jobId: job.id,
    status,
    queued: status === "queued",
    position: position ?? 0,
    ...(refundedAmount !== undefined && { refunded: refundedAmount > 0, refundedAmount }),
    ...(!success && {
      code: (code ?? status).toUpperCase(),
      error: errorMessage ?? "The job was cancelled.",
    }),
  };
}

function otherwise(job: JobView): JobStatus {
  if (job.finished_at === null) return "running";
  return job.files.length ? "completed" : "failed";
}

/** What a page wrote is not told as our word: pages promise refunds in it. */
function failure({ category, message }: FailureView): { errorMessage: string; code: string } {
  const written = category === "client_report";
  return {
    errorMessage: written ? "The page reported that the job failed, before it was submitted." : message,
    code: category,
  };
}
