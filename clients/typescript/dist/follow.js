import { watchJob, watchJobs } from "./generated/sdk.gen.js";
/** The API refuses, and would again: the problem says why. */
export class Refused extends Error {
    problem;
    constructor(problem) {
        super(problem.detail ?? problem.title);
        this.problem = problem;
        this.name = "Refused";
    }
}
/** Yield the steps of a job, and its places while it waits, until it is over. Throws Refused. */
export async function* followJob(jobId, options) {
    yield* follow(options, isLast, (call) => watchJob({ ...call, path: { job_id: jobId } }));
}
/** Yield the steps of all jobs of the owner until `signal` says stop, from now on or after `after`. Throws Refused. */
export async function* followJobs(options) {
    yield* follow(options, () => false, watchJobs);
}
/** With its last step a job's money is told. */
function isLast(event) {
    return event.kind === "transition" && event.money != null;
}
const AGAIN_MS = 1_000;
const AGAIN_MAX_MS = 30_000;
async function* follow(options, isOver, watch) {
    const ending = new AbortController();
    const stop = () => ending.abort();
    options.signal?.addEventListener("abort", stop, { once: true });
    if (options.signal?.aborted)
        stop();
    let last = options.after?.toString();
    let failures = 0;
    try {
        while (!ending.signal.aborted) {
            const answer = {};
            const { stream } = await watch({
                client: options.client,
                headers: {
                    ...(options.owner !== undefined && { "Makegood-Owner": options.owner }),
                    ...(last !== undefined && { "Last-Event-ID": last }),
                },
                signal: ending.signal,
                fetch: looking(answer, options.client.getConfig().fetch),
                sseMaxRetryAttempts: 1, // it would also ask again where the answer cannot change
                onSseEvent: ({ id }) => {
                    last = id ?? last;
                    failures = 0;
                },
            });
            for await (const event of stream) {
                yield event;
                if (isOver(event))
                    return;
            }
            if (answer.refused)
                throw new Refused(answer.refused);
            if (answer.over)
                return;
            const pause = Math.min(AGAIN_MS * 2 ** failures++, AGAIN_MAX_MS);
            await rest(pause * (0.5 + Math.random() / 2), ending.signal);
        }
    }
    finally {
        options.signal?.removeEventListener("abort", stop);
        stop();
    }
}
/** Return a fetch that keeps what the status of the answer says of whether to ask again. */
function looking(answer, inner) {
    return async (...request) => {
        const response = await (inner ?? globalThis.fetch)(...request);
        answer.over = response.status === 204;
        if (response.status >= 400 && response.status < 500 && response.status !== 429) {
            answer.refused = await problemOf(response.clone());
        }
        return response;
    };
}
/** Return the problem; what stands before the service may answer with something else. */
async function problemOf(response) {
    const { status, statusText: title } = response;
    const unknown = { type: "about:blank", title, status, code: "unknown" };
    return response.json().then((body) => (body?.code ? body : unknown), () => unknown);
}
function rest(milliseconds, signal) {
    return new Promise((resolve) => {
        if (signal.aborted)
            return resolve();
        const timer = setTimeout(done, milliseconds);
        signal.addEventListener("abort", done, { once: true });
        function done() {
            clearTimeout(timer);
            signal.removeEventListener("abort", done);
            resolve();
        }
    });
}
