// What the functions of the job manager take and answer: the shapes that pages know, and what is true beside them.
import type { JobStatus } from "../generated/types.gen.js";

export type { JobStatus };

/** How to reach the service, and as whom. */
export interface JobManagerOptions {
  /** Where the API is, with its version: `https://jobs.example.org/v1`. */
  baseUrl: string;
  /** Return the token of whoever is signed in, a fresh one where the last is over. Asked before every call. */
  token: () => Token | Promise<Token>;
  fetch?: typeof globalThis.fetch;
  /** How often a call is made, before it counts as not getting through. */
  tries?: number;
  /** The pause after the first of them; each pause is twice the one before. */
  pauseMs?: number;
  /** How long one call may take. Files have no such time. */
  callMs?: number;
  /** How often a job is read while its stream is lost. */
  readEveryMs?: number;
  /** How long nothing may come of a stream, before it counts as lost. */
  silenceMs?: number;
}

export type Token = string | null | undefined;

/** Why something was not done. `code` is for programs, `error` a sentence for people. */
export interface Refusal {
  error: string;
  /** `INSUFFICIENT_CREDITS`, `DUPLICATE_ACTIVE_JOB`, `RATE_LIMIT_EXCEEDED`, `UNREACHABLE`, …: any code of the API in
   * capitals, where pages know no other name for it. */
  code: string;
  /** Of `INSUFFICIENT_CREDITS`: what the wallet can spend, and what the job costs. */
  currentBalance?: number;
  price?: number;
  /** Of `DUPLICATE_ACTIVE_JOB`: the job that is under way. */
  activeJobId?: string;
  activeStatus?: string;
  /** In how many seconds it may be tried again. */
  retryAfter?: number;
}

export type MaybeRefused = Partial<Refusal>;

export interface ActiveJobInfo extends MaybeRefused {
  hasActiveJob: boolean;
  /** What people call its tool; every function here takes that name too. */
  activeTool: string | null;
}

export interface CreatedJob extends MaybeRefused {
  jobId: string | null;
}

/** What a job is after a call. With `success` it waits or is at work or is done. */
export interface JobResult extends MaybeRefused {
  success: boolean;
  jobId?: string;
  status?: JobStatus;
  queued?: boolean;
  /** From 1 while it waits, else 0. */
  position?: number;
  /** Of a job that is over: the credits that came back, as the ledger shows them. */
  refunded?: boolean;
  refundedAmount?: number;
}

export interface CancelResult {
  success: boolean;
  refundedAmount: number;
  errorMessage?: string;
  code?: string;
  /** `cancelled`; or what it still is, where the provider is asked to stop. */
  status?: JobStatus;
}

export interface CreditsInfo extends MaybeRefused {
  balance: number;
  sufficient: boolean;
  required: number;
}

export interface UploadedFile extends MaybeRefused {
  /** Stands for the file in what is given to `createJob` and `startJob`; it leads to it with the user's token. */
  url: string | null;
  key?: string;
}

export interface JobUpdate {
  status: JobStatus;
  /** The first video of the result, else the first picture, else the first file; for a day it needs no token. */
  outputUrl?: string;
  errorMessage?: string;
  /** From 1 while it waits, else 0; every change is told, also where the status stays. */
  position?: number;
  /** How many wait, and how long it may still take. */
  waiting?: number;
  waitSeconds?: number;
  currentStep?: string;
  /** Why it failed, for programs. */
  code?: string;
  /** Of a job that is over: the credits that came back, as the ledger shows them. */
  refundedAmount?: number;
}

/** How a subscription hears: its stream is there; lost, so that the job is read now and then; refused for good. */
export type Connection = "open" | "lost" | "refused";

export interface Listening {
  onConnection?: (connection: Connection, why?: Refusal) => void;
}
