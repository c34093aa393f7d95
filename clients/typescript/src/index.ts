// What the package offers: every operation of the API with its types, and jobs followed as they happen.
export * from "./generated/index.js";
export { createClient, createConfig } from "./generated/client/index.js";
export type { Client } from "./generated/client/index.js";
export { followJob, followJobs, Refused } from "./follow.js";
export type { Follow } from "./follow.js";
