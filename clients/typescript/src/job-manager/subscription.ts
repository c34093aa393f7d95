// A job followed for a page: by its stream, and by reading it now and then while the stream is lost.
import { followJob, Refused } from "../follow.js";
import type { Client } from "../generated/client/index.js";
import type { JobEvent, JobView } from "../generated/types.gen.js";
import { refusalOf, rest } from "./asking.js";
import type { Answer } from "./asking.js";
import { stepOf, updateOf } from "./seen.js";
import type { Connection, JobStatus, JobUpdate, Refusal } from "./shapes.js";

export interface Hearing {
  onUpdate: (update: JobUpdate) => void;
  onStatusChange?: ((status: JobStatus) => void) | undefined;
  onConnection?: ((connection: Connection, why?: Refusal) => void) | undefined;
}

/** Where a job is read and followed. */
export interface Source {
  client: Client;
  read: (jobId: string) => Promise<Answer<JobView>>;
  outputOf: (job: JobView) => Promise<Answer<string | undefined>>;
  readEveryMs: number;
  silenceMs?: number | undefined;
}

/** Problems that time may heal: a token is fetched anew, a store is back, an id is of a database before its restore. */
const PASSING = ["unauthenticated", "invalid_event_id"];
/** Refusals of a read that stay. */
const FOR_GOOD = ["NOT_FOUND", "FORBIDDEN"];

/** Tells a page of one job until it is over, each thing once and nothing that is older than what was told. */
export class Subscription {
  private readonly ending = new AbortController();
  private version = -1;
  private told?: JobUpdate;
  private connection?: Connection;

  constructor(
    private readonly source: Source,
    private readonly jobId: string,
    private readonly hearing: Hearing,
  ) {}

  /** Tell how the job stands, and then what comes. */
  async start(): Promise<void> {
    await this.read();
    await Promise.all([this.follow(), this.readWhileLost()]);
  }

  stop(): void {
    this.ending.abort();
  }

  private get isOver(): boolean {
    return this.ending.signal.aborted;
  }

  private async readWhileLost(): Promise<void> {
    while (!this.isOver) {
      await rest(this.source.readEveryMs, this.ending.signal);
      if (!this.isOver && this.connection !== "open") await this.read();
    }
  }

  /** Read the job as it is, and end with it. */
  private async read(): Promise<void> {
    const { data: job, refusal } = await this.source.read(this.jobId);
    if (refusal) return this.failed(refusal);
    const isOver = job.finished_at !== null;
    const output = isOver ? await this.source.outputOf(job) : undefined;
    if (output?.refusal) return this.failed(output.refusal);
    this.tell(updateOf(job, output?.data), job.version);
    if (isOver) this.stop();
  }

  private async follow(): Promise<void> {
    while (!this.isOver) {
      try {
        await this.listen();
      } catch (error) {
        const problem = error instanceof Refused ? error.problem : undefined;
        const refusal = refusalOf(problem ?? error, problem?.status);
        if (problem && !PASSING.includes(problem.code)) return this.end(refusal);
        if (problem?.code === "invalid_event_id") this.version = -1;
        this.connected("lost", refusal);
      }
      await rest(this.source.readEveryMs, this.ending.signal);
    }
  }

  private async listen(): Promise<void> {
    const { client, silenceMs } = this.source;
    const events = followJob(this.jobId, {
      client,
      signal: this.ending.signal,
      onConnection: (open) => this.connected(open ? "open" : "lost"),
      ...(this.version >= 0 && { after: this.version }),
      ...(silenceMs !== undefined && { silenceMs }),
    });
    for await (const event of events) if (!this.isOver) await this.hear(event);
    if (!this.isOver) await this.read();
  }

  private async hear(event: JobEvent): Promise<void> {
    if (event.kind === "place") {
      if (this.told?.status !== "queued") return;
      const { position, of: waiting, wait_seconds } = event;
      const waits = wait_seconds === null ? {} : { waitSeconds: wait_seconds };
      this.tell({ status: "queued", currentStep: "queued", position, waiting, ...waits }, this.version);
      return;
    }
    const update = event.money ? undefined : stepOf(event);
    if (update && update.status !== "queued") this.tell(update, event.version);
    else await this.read(); // with its end the result is told, in one; with the queue its place
  }

  private tell(update: JobUpdate, version: number): void {
    if (this.isOver || version < this.version) return;
    const before = this.told;
    const isNew = before?.status !== update.status;
    if (version === this.version && !isNew && before?.position === update.position) return;
    this.version = version;
    this.told = update;
    if (isNew) called(() => this.hearing.onStatusChange?.(update.status));
    called(() => this.hearing.onUpdate(update));
  }

  private connected(connection: Connection, why?: Refusal): void {
    if (this.isOver || this.connection === connection) return;
    this.connection = connection;
    called(() => this.hearing.onConnection?.(connection, why));
  }

  /** It is read again, unless it never can be. */
  private failed(why: Refusal): void {
    if (FOR_GOOD.includes(why.code)) this.end(why);
    else this.connected("lost", why);
  }

  private end(why: Refusal): void {
    this.connected("refused", why);
    this.stop();
  }
}

/** What a page does with what it hears is not ours to fail by: it is reported as an event's listener is. */
function called(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}
