// Calls of the API: made again while they do not get through, and never thrown.
import type { Problem } from "../generated/types.gen.js";
import type { Refusal } from "./shapes.js";

/** How patient to be. */
export interface Patience {
  tries: number;
  pauseMs: number;
  callMs: number;
}

export type Answer<T> = { data: T; refusal?: undefined } | { data?: undefined; refusal: Refusal };

/** What a function of the generated client answers. */
export interface Result<T> {
  data?: T | undefined;
  error?: unknown;
  response?: Response | undefined;
}

const PAUSE_MAX_MS = 10_000;

/** Codes for which pages have other names than the capitals of ours. */
const CODES: Record<string, string> = {
  active_job: "DUPLICATE_ACTIVE_JOB",
  rate_limited: "RATE_LIMIT_EXCEEDED",
  unauthenticated: "AUTH_REQUIRED",
  internal: "RUN_EXCEPTION",
};

/** Return what the API answers. *call* must be one that may be made again: whether it arrived is not always known. */
export async function ask<T>(
  patience: Patience,
  call: (signal: AbortSignal) => Promise<Result<T>>,
): Promise<Answer<T>> {
  for (let made = 1; ; made++) {
    const { data, error, response } = await once(call, patience.callMs);
    if (data !== undefined) return { data };
    const seconds = Number(response?.headers.get("Retry-After") || NaN);
    const refusal = refusalOf(error, response?.status, seconds);
    if (!isPassing(response, error) || made >= patience.tries) return { refusal };
    const pause = patience.pauseMs * 2 ** (made - 1) * (0.5 + Math.random() / 2);
    await rest(Math.min(Math.max(pause, (seconds || 0) * 1_000), PAUSE_MAX_MS));
  }
}

async function once<T>(call: (signal: AbortSignal) => Promise<Result<T>>, callMs: number): Promise<Result<T>> {
  const ending = new AbortController();
  const timer = Number.isFinite(callMs) ? setTimeout(() => ending.abort(), callMs) : undefined;
  try {
    return await call(ending.signal);
  } catch (error) {
    return { error };
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the answer says nothing about what was asked: none came, or somebody in trouble gave it. */
function isPassing(response: Response | undefined, error: unknown): boolean {
  if (!response || response.ok) return true;
  if (response.status >= 500) return problemOf(error)?.code !== "job_type_closed";
  return response.status === 408 || problemOf(error)?.code === "conflict";
}

/** Return what went wrong, as pages know it. */
export function refusalOf(error: unknown, status?: number, seconds?: number): Refusal {
  const problem = problemOf(error);
  if (!problem) {
    const what = status ? `it answered ${status}` : "no answer came";
    return { code: "UNREACHABLE", error: `The service was not reached: ${what}.` };
  }
  const { code, price, available, job_id, state } = problem;
  const fields = problem.errors?.map((each) => `${each.field}: ${each.message}`).join("; ");
  return {
    code: CODES[code] ?? code.toUpperCase(),
    error: problem.detail ?? fields ?? problem.title,
    ...(typeof available === "number" && { currentBalance: available }),
    ...(typeof price === "number" && { price }),
    ...(code === "active_job" && { activeJobId: String(job_id), activeStatus: String(state) }),
    ...(seconds && { retryAfter: seconds }),
  };
}

function problemOf(error: unknown): Problem | undefined {
  const told = typeof error === "object" && error !== null ? (error as Partial<Problem>) : {};
  return typeof told.code === "string" && typeof told.title === "string" ? (told as Problem) : undefined;
}

/** Return after a while, or as soon as *signal* says so. */
export function rest(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}
