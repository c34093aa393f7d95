import type { Client, ClientMeta, Options as Options2, RequestResult, ServerSentEventsResult, TDataShape } from './client/index.js';
import type { AcceptJobData, AcceptJobErrors, AcceptJobResponses, AuditStoreData, AuditStoreErrors, AuditStoreResponses, BringFileData, BringFileErrors, BringFileResponses, CancelJobData, CancelJobErrors, CancelJobResponses, ChargeBackData, ChargeBackErrors, ChargeBackResponses, EndJobData, EndJobErrors, EndJobResponses, GetDocumentData, GetDocumentErrors, GetDocumentResponses, GetDossierData, GetDossierErrors, GetDossierResponses, GetFileData, GetFileErrors, GetFileResponses, GetJobData, GetJobErrors, GetJobFileData, GetJobFileErrors, GetJobFileResponses, GetJobResponses, GetJobTypeData, GetJobTypeErrors, GetJobTypeResponses, GetLinkData, GetLinkErrors, GetLinkResponses, GetOwnersStatementData, GetOwnersStatementErrors, GetOwnersStatementResponses, GetOwnersWalletData, GetOwnersWalletErrors, GetOwnersWalletResponses, GetStatementData, GetStatementErrors, GetStatementResponses, GetWalletData, GetWalletErrors, GetWalletResponses, GrantCreditsData, GrantCreditsErrors, GrantCreditsResponses, GrantUnlimitedData, GrantUnlimitedErrors, GrantUnlimitedResponses, LinkJobFileData, LinkJobFileErrors, LinkJobFileResponses, ListAccountsData, ListAccountsErrors, ListAccountsResponses, ListAllJobsData, ListAllJobsErrors, ListAllJobsResponses, ListJobsData, ListJobsErrors, ListJobsResponses, ListJobTypesData, ListJobTypesErrors, ListJobTypesResponses, ListKeysData, ListKeysErrors, ListKeysResponses, ListRulesData, ListRulesErrors, ListRulesResponses, MakeKeyData, MakeKeyErrors, MakeKeyResponses, PauseJobsData, PauseJobsErrors, PauseJobsResponses, PutLimitData, PutLimitErrors, PutLimitResponses, QuoteJobData, QuoteJobErrors, QuoteJobResponses, ReportJobData, ReportJobErrors, ReportJobResponses, ResolveAttemptData, ResolveAttemptErrors, ResolveAttemptResponses, ResumeJobsData, ResumeJobsErrors, ResumeJobsResponses, ReuseJobFileData, ReuseJobFileErrors, ReuseJobFileResponses, RevokeKeyData, RevokeKeyErrors, RevokeKeyResponses, RotateKeyData, RotateKeyErrors, RotateKeyResponses, StartCycleData, StartCycleErrors, StartCycleResponses, SubmitJobData, SubmitJobErrors, SubmitJobResponses, WatchAllJobsData, WatchAllJobsResponse, WatchAllJobsResponses, WatchJobData, WatchJobResponse, WatchJobResponses, WatchJobsData, WatchJobsResponse, WatchJobsResponses } from './types.gen.js';
export type Options<TData extends TDataShape = TDataShape, ThrowOnError extends boolean = boolean, TResponse = unknown> = Options2<TData, ThrowOnError, TResponse> & {
    /**
     * You can provide a client instance returned by `createClient()` instead of
     * individual options. This might be also useful if you want to implement a
     * custom client.
     */
    client?: Client;
    /**
     * You can pass arbitrary values through the `meta` object. This can be
     * used to access values that aren't defined as part of the SDK function.
     */
    meta?: keyof ClientMeta extends never ? Record<string, unknown> : ClientMeta;
};
/**
 * What is on offer
 *
 * Every type that takes new jobs, or will again; `open` tells. Types that cannot be used are left out.
 */
export declare const listJobTypes: <ThrowOnError extends boolean = false>(options?: Options<ListJobTypesData, ThrowOnError>) => RequestResult<ListJobTypesResponses, ListJobTypesErrors, ThrowOnError>;
/**
 * One job type: what it takes, what it costs
 *
 * What one job type takes, and what it costs.
 */
export declare const getJobType: <ThrowOnError extends boolean = false>(options: Options<GetJobTypeData, ThrowOnError>) => RequestResult<GetJobTypeResponses, GetJobTypeErrors, ThrowOnError>;
/**
 * What a job would cost
 *
 * What a job would cost now. Nothing is kept. Of a known owner the files are looked at, and what the wallet can pay is told.
 */
export declare const quoteJob: <ThrowOnError extends boolean = false>(options: Options<QuoteJobData, ThrowOnError>) => RequestResult<QuoteJobResponses, QuoteJobErrors, ThrowOnError>;
/**
 * Jobs, newest first
 *
 * Newest first. Pages stay as they are while new jobs arrive: go on with `next` as `after`.
 */
export declare const listJobs: <ThrowOnError extends boolean = false>(options?: Options<ListJobsData, ThrowOnError>) => RequestResult<ListJobsResponses, ListJobsErrors, ThrowOnError>;
/**
 * Order a job: its price is held, or nothing is charged
 *
 * The price is held and the job waits for its turn, or it is refused and nothing is charged. The same `Idempotency-Key` gives the same answer, however often and whenever it is sent.
 */
export declare const submitJob: <ThrowOnError extends boolean = false>(options: Options<SubmitJobData, ThrowOnError>) => RequestResult<SubmitJobResponses, SubmitJobErrors, ThrowOnError>;
/**
 * A job with its timeline and its money
 *
 * The job with what has happened to it, what the ledger shows for it, and its place while it waits.
 */
export declare const getJob: <ThrowOnError extends boolean = false>(options: Options<GetJobData, ThrowOnError>) => RequestResult<GetJobResponses, GetJobErrors, ThrowOnError>;
/**
 * Hold the price of a pending job
 *
 * The price of a pending job is held, and it waits for its turn. A job that was accepted before is shown as it is.
 */
export declare const acceptJob: <ThrowOnError extends boolean = false>(options: Options<AcceptJobData, ThrowOnError>) => RequestResult<AcceptJobResponses, AcceptJobErrors, ThrowOnError>;
/**
 * Cancel a job
 *
 * A job that is not at the provider ends at once, with its credits back; else the provider is asked to stop, and the job ends as it answers.
 */
export declare const cancelJob: <ThrowOnError extends boolean = false>(options: Options<CancelJobData, ThrowOnError>) => RequestResult<CancelJobResponses, CancelJobErrors, ThrowOnError>;
/**
 * Say that a job seems to have failed
 *
 * Say that the job seems to have failed. Of a job that was never submitted that is the end, with its credits back; any other stays as it is, and the provider is asked soon.
 */
export declare const reportJob: <ThrowOnError extends boolean = false>(options: Options<ReportJobData, ThrowOnError>) => RequestResult<ReportJobResponses, ReportJobErrors, ThrowOnError>;
/**
 * Bring a file for the input of a job
 *
 * Keep the body as a file of the owner. It comes by itself, not in a form, and under no name: what it is its first bytes tell.
 */
export declare const bringFile: <ThrowOnError extends boolean = false>(options: Options<BringFileData, ThrowOnError>) => RequestResult<BringFileResponses, BringFileErrors, ThrowOnError>;
/**
 * A file that the owner has brought
 *
 * Return a file that the owner has brought.
 */
export declare const getFile: <ThrowOnError extends boolean = false>(options: Options<GetFileData, ThrowOnError>) => RequestResult<GetFileResponses, GetFileErrors, ThrowOnError>;
/**
 * A result file of a job, whole or in part
 *
 * Return a result file of the job.
 */
export declare const getJobFile: <ThrowOnError extends boolean = false>(options: Options<GetJobFileData, ThrowOnError>) => RequestResult<GetJobFileResponses, GetJobFileErrors, ThrowOnError>;
/**
 * Let a result be the input of another job
 *
 * Make a result file of the job one that the owner may use, as if it had brought it.
 */
export declare const reuseJobFile: <ThrowOnError extends boolean = false>(options: Options<ReuseJobFileData, ThrowOnError>) => RequestResult<ReuseJobFileResponses, ReuseJobFileErrors, ThrowOnError>;
/**
 * An address of a result file that works without credentials for a while
 *
 * Return an address of the result file that works without credentials for a while.
 */
export declare const linkJobFile: <ThrowOnError extends boolean = false>(options: Options<LinkJobFileData, ThrowOnError>) => RequestResult<LinkJobFileResponses, LinkJobFileErrors, ThrowOnError>;
/**
 * The file that a link leads to
 *
 * Return the file that a link leads to.
 */
export declare const getLink: <ThrowOnError extends boolean = false>(options: Options<GetLinkData, ThrowOnError>) => RequestResult<GetLinkResponses, GetLinkErrors, ThrowOnError>;
/**
 * What can be spent
 *
 * What can be spent, what is held for jobs, and the buckets that it comes from, each with its expiry.
 */
export declare const getWallet: <ThrowOnError extends boolean = false>(options?: Options<GetWalletData, ThrowOnError>) => RequestResult<GetWalletResponses, GetWalletErrors, ThrowOnError>;
/**
 * What has happened to the credits
 *
 * What has happened to the credits, newest first, each entry with one sentence.
 */
export declare const getStatement: <ThrowOnError extends boolean = false>(options?: Options<GetStatementData, ThrowOnError>) => RequestResult<GetStatementResponses, GetStatementErrors, ThrowOnError>;
/**
 * Add credits
 *
 * The same `source_ref` adds its credits once, however often it is sent; `done` tells. A debt of the wallet is paid first.
 */
export declare const grantCredits: <ThrowOnError extends boolean = false>(options: Options<GrantCreditsData, ThrowOnError>) => RequestResult<GrantCreditsResponses, GrantCreditsErrors, ThrowOnError>;
/**
 * Let every price be covered for a time
 *
 * Jobs hold and capture as always, and nothing of it ever remains.
 */
export declare const grantUnlimited: <ThrowOnError extends boolean = false>(options: Options<GrantUnlimitedData, ThrowOnError>) => RequestResult<GrantUnlimitedResponses, GrantUnlimitedErrors, ThrowOnError>;
/**
 * Begin the next cycle of a plan
 *
 * What remains of the plan's former cycles expires at the same moment, unless it rolls over.
 */
export declare const startCycle: <ThrowOnError extends boolean = false>(options: Options<StartCycleData, ThrowOnError>) => RequestResult<StartCycleResponses, StartCycleErrors, ThrowOnError>;
/**
 * Take a payment back
 *
 * What remains of the payment's credits is withdrawn, what was spent becomes a debt; jobs stay.
 */
export declare const chargeBack: <ThrowOnError extends boolean = false>(options: Options<ChargeBackData, ThrowOnError>) => RequestResult<ChargeBackResponses, ChargeBackErrors, ThrowOnError>;
/**
 * What an owner can spend
 *
 * What the owner can spend; who is not known has nothing.
 */
export declare const getOwnersWallet: <ThrowOnError extends boolean = false>(options: Options<GetOwnersWalletData, ThrowOnError>) => RequestResult<GetOwnersWalletResponses, GetOwnersWalletErrors, ThrowOnError>;
/**
 * What has happened to an owner's credits
 *
 * What has happened to the owner's credits, newest first.
 */
export declare const getOwnersStatement: <ThrowOnError extends boolean = false>(options: Options<GetOwnersStatementData, ThrowOnError>) => RequestResult<GetOwnersStatementResponses, GetOwnersStatementErrors, ThrowOnError>;
/**
 * The steps of a job as they happen, until it is over
 *
 * Tell the steps of a job from its first one, or from the last known one, until it is over.
 */
export declare const watchJob: <ThrowOnError extends boolean = false>(options: Options<WatchJobData, ThrowOnError, WatchJobResponse>) => Promise<ServerSentEventsResult<WatchJobResponses>>;
/**
 * The steps of all jobs of an owner as they happen
 *
 * Tell the steps of all jobs of an owner from now on, or from the last known one.
 */
export declare const watchJobs: <ThrowOnError extends boolean = false>(options?: Options<WatchJobsData, ThrowOnError, WatchJobsResponse>) => Promise<ServerSentEventsResult<WatchJobsResponses>>;
/**
 * The steps of all jobs as they happen
 *
 * Tell the steps of all jobs of all owners from now on, or from the last known one.
 */
export declare const watchAllJobs: <ThrowOnError extends boolean = false>(options?: Options<WatchAllJobsData, ThrowOnError, WatchAllJobsResponse>) => Promise<ServerSentEventsResult<WatchAllJobsResponses>>;
/**
 * Jobs of all owners
 *
 * Jobs of all owners, or of one, newest first.
 */
export declare const listAllJobs: <ThrowOnError extends boolean = false>(options?: Options<ListAllJobsData, ThrowOnError>) => RequestResult<ListAllJobsResponses, ListAllJobsErrors, ThrowOnError>;
/**
 * All that is known of a job
 *
 * The job with what was asked of the provider, who moved it and why, and every attempt with its evidence.
 */
export declare const getDossier: <ThrowOnError extends boolean = false>(options: Options<GetDossierData, ThrowOnError>) => RequestResult<GetDossierResponses, GetDossierErrors, ThrowOnError>;
/**
 * End a job
 *
 * `fail` and `cancel` give all credits back, `complete` delivers files and captures. What was submitted keeps its slot until the provider is known to be done.
 */
export declare const endJob: <ThrowOnError extends boolean = false>(options: Options<EndJobData, ThrowOnError>) => RequestResult<EndJobResponses, EndJobErrors, ThrowOnError>;
/**
 * Settle what no program could
 *
 * A person has looked at the provider, and settles what no program could: of an attempt whose submission is uncertain, that there is no task.
 */
export declare const resolveAttempt: <ThrowOnError extends boolean = false>(options: Options<ResolveAttemptData, ThrowOnError>) => RequestResult<ResolveAttemptResponses, ResolveAttemptErrors, ThrowOnError>;
/**
 * Slots of the provider accounts
 *
 * The slots of every provider account, and how it is doing.
 */
export declare const listAccounts: <ThrowOnError extends boolean = false>(options?: Options<ListAccountsData, ThrowOnError>) => RequestResult<ListAccountsResponses, ListAccountsErrors, ThrowOnError>;
/**
 * Limits, shares and pauses
 *
 * Limits, shares and pauses, by scope and name.
 */
export declare const listRules: <ThrowOnError extends boolean = false>(options?: Options<ListRulesData, ThrowOnError>) => RequestResult<ListRulesResponses, ListRulesErrors, ThrowOnError>;
/**
 * Set a limit or a share
 *
 * Obeyed from the next dispatch of every process on; jobs that run go on.
 */
export declare const putLimit: <ThrowOnError extends boolean = false>(options: Options<PutLimitData, ThrowOnError>) => RequestResult<PutLimitResponses, PutLimitErrors, ThrowOnError>;
/**
 * Start nothing of it
 *
 * Nothing of it is started; jobs are accepted and cancelled as always, and keep their places.
 */
export declare const pauseJobs: <ThrowOnError extends boolean = false>(options: Options<PauseJobsData, ThrowOnError>) => RequestResult<PauseJobsResponses, PauseJobsErrors, ThrowOnError>;
/**
 * Start it again
 *
 * A job type that was closed takes new jobs again.
 */
export declare const resumeJobs: <ThrowOnError extends boolean = false>(options: Options<ResumeJobsData, ThrowOnError>) => RequestResult<ResumeJobsResponses, ResumeJobsErrors, ThrowOnError>;
/**
 * Whether the books are right
 *
 * Every invariant with what breaks it, and who has what, all as of one moment. It reads the whole store.
 */
export declare const auditStore: <ThrowOnError extends boolean = false>(options?: Options<AuditStoreData, ThrowOnError>) => RequestResult<AuditStoreResponses, AuditStoreErrors, ThrowOnError>;
/**
 * All service keys
 *
 * Return all keys.
 */
export declare const listKeys: <ThrowOnError extends boolean = false>(options?: Options<ListKeysData, ThrowOnError>) => RequestResult<ListKeysResponses, ListKeysErrors, ThrowOnError>;
/**
 * Make a service key; its secret is shown once
 *
 * Make a key that may no more than the caller.
 */
export declare const makeKey: <ThrowOnError extends boolean = false>(options: Options<MakeKeyData, ThrowOnError>) => RequestResult<MakeKeyResponses, MakeKeyErrors, ThrowOnError>;
/**
 * Give a service key another secret
 *
 * Give a key another secret.
 */
export declare const rotateKey: <ThrowOnError extends boolean = false>(options: Options<RotateKeyData, ThrowOnError>) => RequestResult<RotateKeyResponses, RotateKeyErrors, ThrowOnError>;
/**
 * End a service key for ever
 *
 * End a key; again is no error.
 */
export declare const revokeKey: <ThrowOnError extends boolean = false>(options: Options<RevokeKeyData, ThrowOnError>) => RequestResult<RevokeKeyResponses, RevokeKeyErrors, ThrowOnError>;
/**
 * This document
 *
 * This API as an OpenAPI 3.1 document, with the states of the job types that are on offer here.
 */
export declare const getDocument: <ThrowOnError extends boolean = false>(options?: Options<GetDocumentData, ThrowOnError>) => RequestResult<GetDocumentResponses, GetDocumentErrors, ThrowOnError>;
