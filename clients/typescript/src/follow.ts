// Follow jobs as they happen: a connection that is lost is made again where it was, so nothing is missed and
// nothing comes twice.
import type { Client } from "./generated/client/index.js";
import { watchJob, watchJobs } from "./generated/sdk.gen.js";
import type { JobEvent, Problem, StepEvent } from "./generated/types.gen.js";

/** How to follow. `after` is the id of the last event that is known: a job's `version`, else a `seq`. */
export interface Follow {
  client: Client;
  after?: number;
  /** For whom a service key follows; a user's token needs none. */
  owner?: string;
  signal?: AbortSignal;
  /** Told with true when the stream is there, and with false when it was lost and is made again. */
  onConnection?: (open: boolean) => void;
  /** A stream is lost when nothing came for so long; the service sends something every 15 seconds. */
  silenceMs?: number;
}

/** The API refuses, and would again: the problem says why. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "Refused";
  }
}

/** Yield the steps of a job, and its places while it waits, until it is over. Throws Refused. */
export async function* followJob(
  jobId: string,
  options: Follow,
): AsyncGenerator<JobEvent, void> {
  yield* follow<JobEvent>(options, isLast, (call) =>
    watchJob({ ...call, path: { job_id: jobId } }),
  );
}

/** Yield the steps of all jobs of the owner until `signal` says stop, from now on or after `after`. Throws Refused. */
export async function* followJobs(
  options: Follow,
): AsyncGenerator<StepEvent, void> {
  yield* follow<StepEvent>(options, () => false, watchJobs);
}

/** With its last step a job's money is told. */
function isLast(event: JobEvent): boolean {
  return event.kind === "transition" && event.money != null;
}

interface Call {
  client: Client;
  headers: Record<string, string>;
  signal: AbortSignal;
  fetch: typeof globalThis.fetch;
  sseMaxRetryAttempts: number;
  onSseEvent: (event: { id?: string }) => void;
}

const AGAIN_MS = 1_000;
const AGAIN_MAX_MS = 30_000;
const SILENCE_MS = 45_000;

async function* follow<E>(
  options: Follow,
  isOver: (event: E) => boolean,
  watch: (call: Call) => Promise<{ stream: AsyncGenerator<unknown> }>,
): AsyncGenerator<E, void> {
  const ending = new AbortController();
  const stop = () => ending.abort();
  options.signal?.addEventListener("abort", stop, { once: true });
  if (options.signal?.aborted) stop();
  let last = options.after?.toString();
  let failures = 0;
  let open: boolean | undefined;
  const connected = (now: boolean) => {
    if (open !== now) options.onConnection?.(now);
    open = now;
  };
  try {
    while (!ending.signal.aborted) {
      const answer = new Answer(ending.signal, options.silenceMs ?? SILENCE_MS, () => connected(true));
      const { stream } = await watch({
        client: options.client,
        headers: {
          ...(options.owner !== undefined && { "Makegood-Owner": options.owner }),
          ...(last !== undefined && { "Last-Event-ID": last }),
        },
        signal: answer.signal,
        fetch: answer.looking(options.client.getConfig().fetch),
        sseMaxRetryAttempts: 1, // it would also ask again where the answer cannot change
        onSseEvent: ({ id }) => {
          last = id ?? last;
          failures = 0;
        },
      });
      try {
        for await (const event of stream) {
          yield event as E;
          if (isOver(event as E)) return;
        }
      } finally {
        answer.close();
      }
      if (answer.refused) throw new Refused(answer.refused);
      if (answer.over || ending.signal.aborted) return;
      connected(false);
      const pause = Math.min(AGAIN_MS * 2 ** failures++, AGAIN_MAX_MS);
      await rest(pause * (0.5 + Math.random() / 2), ending.signal);
    }
  } finally {
    options.signal?.removeEventListener("abort", stop);
    stop();
  }
}

/** One connection: what its status says of whether to ask again, and whether anything still comes. */
class Answer {
  refused?: Problem;
  over?: boolean;
  private readonly ending = new AbortController();
  private readonly end = () => this.close();
  private timer?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly whole: AbortSignal,
    private readonly silenceMs: number,
    private readonly onOpen: () => void,
  ) {
    this.whole.addEventListener("abort", this.end, { once: true });
    this.wait();
  }

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  close(): void {
    clearTimeout(this.timer);
    this.whole.removeEventListener("abort", this.end);
    this.ending.abort();
  }

  /** Return a fetch that notes what comes. */
  looking(inner?: typeof globalThis.fetch): typeof globalThis.fetch {
    return async (...request) => {
      const response = await (inner ?? globalThis.fetch)(...request);
      this.over = response.status === 204;
      if (response.status >= 400 && response.status < 500 && response.status !== 429) {
        this.refused = await problemOf(response.clone());
      }
      const streams = response.headers.get("Content-Type")?.startsWith("text/event-stream");
      if (!response.ok || !response.body || !streams) return response;
      const transform = (piece: Uint8Array, pieces: TransformStreamDefaultController<Uint8Array>) => {
        this.wait();
        this.onOpen(); // not before: what stands between may keep all of it back
        pieces.enqueue(piece);
      };
      return new Response(response.body.pipeThrough(new TransformStream({ transform })), response);
    };
  }

  /** A connection may be dead without anybody being told; one that lives says something from time to time. */
  private wait(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.end, this.silenceMs);
  }
}

/** Return the problem; what stands before the service may answer with something else. */
async function problemOf(response: Response): Promise<Problem> {
  const { status, statusText: title } = response;
  const unknown = { type: "about:blank", title, status, code: "unknown" };
  return response.json().then((body) => (body?.code ? (body as Problem) : unknown), () => unknown);
}

function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
