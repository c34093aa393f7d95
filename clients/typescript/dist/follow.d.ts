import type { Client } from "./generated/client/index.js";
import type { JobEvent, Problem, StepEvent } from "./generated/types.gen.js";
/** How to follow. `after` is the id of the last event that is known: a job's `version`, else a `seq`. */
export interface Follow {
    client: Client;
    after?: number;
    /** For whom a service key follows; a user's token needs none. */
    owner?: string;
    signal?: AbortSignal;
}
/** The API refuses, and would again: the problem says why. */
export declare class Refused extends Error {
    readonly problem: Problem;
    constructor(problem: Problem);
}
/** Yield the steps of a job, and its places while it waits, until it is over. Throws Refused. */
export declare function followJob(jobId: string, options: Follow): AsyncGenerator<JobEvent, void>;
/** Yield the steps of all jobs of the owner until `signal` says stop, from now on or after `after`. Throws Refused. */
export declare function followJobs(options: Follow): AsyncGenerator<StepEvent, void>;
