// What the package offers: every operation of the API with its types, jobs followed as they happen, and the functions by
// which pages have always ordered them.
export * from "./generated/index.js";
export { createClient, createConfig } from "./generated/client/index.js";
export type { Client } from "./generated/client/index.js";
export { followJob, followJobs, Refused } from "./follow.js";
export type { Follow } from "./follow.js";
export { jobManager } from "./job-manager.js";
export type * from "./job-manager.js";
