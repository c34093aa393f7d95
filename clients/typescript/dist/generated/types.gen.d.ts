export type ClientOptions = {
    baseUrl: `${string}://${string}/v1` | (string & {});
};
/**
 * AccountView
 *
 * A provider account: its slots, and how it is doing. `capacity` is what counts, of what is `configured`,
 * `told` and `learned`; `problem` says why it cannot be used.
 */
export type AccountView = {
    /**
     * Account
     */
    account: string;
    /**
     * Pool
     */
    pool: string;
    /**
     * Capacity
     */
    capacity: number;
    /**
     * Open
     */
    open: number;
    /**
     * Draining
     */
    draining: number;
    /**
     * Waiting
     */
    waiting: number;
    /**
     * Configured
     */
    configured: number | null;
    /**
     * Told
     */
    told: number | null;
    /**
     * Learned
     */
    learned: number | null;
    /**
     * In Use
     */
    in_use: number | null;
    /**
     * Told At
     */
    told_at: string | null;
    /**
     * Differs Since
     */
    differs_since: string | null;
    /**
     * Foreign
     */
    foreign: number;
    /**
     * Rests Until
     */
    rests_until: string | null;
    /**
     * Problem
     */
    problem: string | null;
    /**
     * Problem Since
     */
    problem_since: string | null;
    /**
     * Failures
     */
    failures: number;
    /**
     * Last Error
     */
    last_error: string | null;
    /**
     * Abandoned
     */
    abandoned: number;
    /**
     * Late
     */
    late: number;
};
/**
 * Accounts
 *
 * Every provider account.
 */
export type Accounts = {
    /**
     * Accounts
     */
    accounts: Array<AccountView>;
};
/**
 * AttemptView
 *
 * One try at the provider, with what is known of it.
 */
export type AttemptView = {
    /**
     * Number
     */
    number: number;
    /**
     * Account
     */
    account: string;
    phase: Phase;
    /**
     * Task Id
     */
    task_id: string | null;
    /**
     * Ran
     */
    ran: boolean;
    /**
     * Opened At
     */
    opened_at: string;
    /**
     * Intent At
     */
    intent_at: string | null;
    /**
     * Accepted At
     */
    accepted_at: string | null;
    /**
     * Closed At
     */
    closed_at: string | null;
    verdict: Verdict | null;
    /**
     * Cancel Sent At
     */
    cancel_sent_at: string | null;
    /**
     * Draining Until
     */
    draining_until: string | null;
    /**
     * Known
     */
    known: Array<EvidenceView>;
};
/**
 * AuditView
 *
 * The whole store at one moment: `broken` counts all violations, of which the first are listed; `owners`
 * all owners, of whom the first are listed, those with a difference before others.
 */
export type AuditView = {
    /**
     * At
     */
    at: string;
    /**
     * Broken
     */
    broken: number;
    /**
     * Counts
     */
    counts: {
        [key: string]: number;
    };
    /**
     * Violations
     */
    violations: Array<ViolationView>;
    total: TotalsView;
    /**
     * Owners
     */
    owners: number;
    /**
     * Totals
     */
    totals: Array<TotalsView>;
};
/**
 * BroughtView
 *
 * A file as it has come, with the SHA-256 of its content in hexadecimal.
 */
export type BroughtView = {
    /**
     * Key
     */
    key: string;
    /**
     * Kind
     */
    kind: string;
    /**
     * Size
     */
    size: number;
    /**
     * Brought At
     */
    brought_at: string;
    /**
     * Sha256
     */
    sha256: string;
};
/**
 * BucketView
 *
 * Part of a wallet with one origin and one expiry; `priority`: lower ones are spent first.
 */
export type BucketView = {
    /**
     * Kind
     */
    kind: string;
    /**
     * Priority
     */
    priority: number;
    /**
     * Expires At
     */
    expires_at: string | null;
    /**
     * Source Ref
     */
    source_ref: string;
    /**
     * Issued
     */
    issued: number;
    /**
     * Remaining
     */
    remaining: number;
    /**
     * Held
     */
    held: number;
    /**
     * Plan
     */
    plan: string | null;
    /**
     * Unlimited
     */
    unlimited: boolean;
};
/**
 * Document
 *
 * An OpenAPI document.
 */
export type Document = {
    /**
     * Openapi
     */
    openapi: string;
    [key: string]: unknown;
};
/**
 * End
 *
 * How a job ends, who says so, and why: kept with the job for good.
 */
export type End = {
    /**
     * Event
     */
    event: 'fail' | 'cancel' | 'complete';
    /**
     * By
     *
     * The person who decides; it is kept with the key that was used.
     */
    by: string;
    /**
     * Reason
     */
    reason: string;
    /**
     * Files
     *
     * Of `complete`: keys of the result files.
     */
    files?: Array<string>;
    /**
     * Earned
     *
     * Of `complete`: what is captured of the price; all if left out.
     */
    earned?: number | null;
};
/**
 * EntryKind
 *
 * What happened to the credits of an entry.
 */
export type EntryKind = 'added' | 'held' | 'paid' | 'returned' | 'unused' | 'expired' | 'taken back';
/**
 * EntryView
 *
 * One movement of credits. `amount` is what moved, `change` what that did to the credits that remain,
 * `balance` what remained afterwards; `text` says it to a person.
 */
export type EntryView = {
    kind: EntryKind;
    /**
     * Amount
     */
    amount: number;
    /**
     * Change
     */
    change: number;
    /**
     * Balance
     */
    balance: number;
    /**
     * Text
     */
    text: string;
    /**
     * At
     */
    at: string;
    /**
     * Parts
     */
    parts: Array<PartView>;
    /**
     * Job Id
     */
    job_id: string | null;
    /**
     * Job Type
     */
    job_type: string | null;
};
/**
 * EvidenceView
 *
 * A fact about an attempt, with where it was learned.
 */
export type EvidenceView = {
    verdict: Verdict;
    /**
     * Source
     */
    source: string;
    /**
     * Task Id
     */
    task_id: string | null;
    /**
     * Detail
     */
    detail: {
        [key: string]: unknown;
    };
    /**
     * At
     */
    at: string | null;
};
/**
 * FailureView
 *
 * Why a job failed: a stable category for programs, a sentence for people.
 */
export type FailureView = {
    /**
     * Category
     */
    category: string;
    /**
     * Message
     */
    message: string;
};
/**
 * FieldError
 *
 * What is wrong with one field; `field` is its path, joined by dots.
 */
export type FieldError = {
    /**
     * Field
     */
    field: string;
    /**
     * Message
     */
    message: string;
};
/**
 * FileView
 *
 * One result file; `number` counts from 0 and is its place in `/jobs/{job_id}/files/{number}`.
 */
export type FileView = {
    /**
     * Number
     */
    number: number;
    /**
     * Kind
     */
    kind: string;
    /**
     * Size
     */
    size?: number | null;
    /**
     * Sha256
     */
    sha256?: string | null;
};
/**
 * GrantView
 *
 * Whether it was `done` now, false: before; and the wallet afterwards.
 */
export type GrantView = {
    /**
     * Done
     */
    done: boolean;
    wallet: WalletView;
};
/**
 * JobDossier
 *
 * A job with its input and request, its money, its history and its attempts.
 */
export type JobDossier = {
    /**
     * Id
     */
    id: string;
    /**
     * Owner
     */
    owner: string;
    /**
     * Type
     */
    type: string;
    /**
     * Type Version
     */
    type_version: number;
    state: JobState;
    status: JobStatus;
    /**
     * Version
     */
    version: number;
    /**
     * Price
     */
    price: number;
    /**
     * Attempt
     */
    attempt: number;
    /**
     * Created At
     */
    created_at: string;
    /**
     * Entered At
     */
    entered_at: string;
    /**
     * Deadline At
     */
    deadline_at: string | null;
    /**
     * Not Before
     */
    not_before: string | null;
    /**
     * Cancel Requested At
     */
    cancel_requested_at: string | null;
    /**
     * Finished At
     */
    finished_at: string | null;
    /**
     * Retry Of
     */
    retry_of: string | null;
    error: FailureView | null;
    /**
     * Files
     */
    files: Array<FileView>;
    /**
     * Input
     */
    input: {
        [key: string]: unknown;
    };
    /**
     * Request
     */
    request: {
        [key: string]: unknown;
    };
    money: MoneyView;
    /**
     * History
     */
    history: Array<StepView>;
    /**
     * Attempts
     */
    attempts: Array<AttemptView>;
};
/**
 * JobEvent
 *
 * What the stream of a job tells; `kind` says which, and so does the name of the event.
 */
export type JobEvent = StepEvent | PlaceEvent;
/**
 * JobPageView
 *
 * Some jobs, newest first; `next` leads to the page that follows, null behind the last.
 */
export type JobPageView = {
    /**
     * Jobs
     */
    jobs: Array<JobSummary>;
    /**
     * Next
     */
    next: string | null;
};
/**
 * The state of a job, as its type declares it.
 */
export type JobState = 'pending' | 'queued' | 'starting' | 'running' | 'completed' | 'failed' | 'cancelled';
/**
 * What the outside sees of a state: types of your own have more states than statuses.
 */
export type JobStatus = 'pending' | 'queued' | 'starting' | 'running' | 'completed' | 'failed' | 'cancelled';
/**
 * JobSummary
 *
 * A job as lists show it. `status` is what the outside sees of `state`; `price` is fixed from the first.
 * Its deadline is that of the present state.
 */
export type JobSummary = {
    /**
     * Id
     */
    id: string;
    /**
     * Owner
     */
    owner: string;
    /**
     * Type
     */
    type: string;
    /**
     * Type Version
     */
    type_version: number;
    state: JobState;
    status: JobStatus;
    /**
     * Version
     */
    version: number;
    /**
     * Price
     */
    price: number;
    /**
     * Attempt
     */
    attempt: number;
    /**
     * Created At
     */
    created_at: string;
    /**
     * Entered At
     */
    entered_at: string;
    /**
     * Deadline At
     */
    deadline_at: string | null;
    /**
     * Not Before
     */
    not_before: string | null;
    /**
     * Cancel Requested At
     */
    cancel_requested_at: string | null;
    /**
     * Finished At
     */
    finished_at: string | null;
    /**
     * Retry Of
     */
    retry_of: string | null;
    error: FailureView | null;
    /**
     * Files
     */
    files: Array<FileView>;
};
/**
 * JobTypeView
 *
 * A job type on offer; `open`: it takes new jobs now. `input` is the JSON Schema of what it takes; a
 * field that is a file has the key of one in it. `price` is in whole credits, null where it depends on the
 * input: ask for a quote.
 */
export type JobTypeView = {
    /**
     * Name
     */
    name: string;
    /**
     * Label
     */
    label: string;
    /**
     * Version
     */
    version: number;
    /**
     * Price
     */
    price: number | null;
    /**
     * Input
     */
    input: {
        [key: string]: unknown;
    };
    /**
     * States
     */
    states: Array<JobState>;
    /**
     * Open
     */
    open: boolean;
};
/**
 * JobTypes
 *
 * The job types on offer.
 */
export type JobTypes = {
    /**
     * Types
     */
    types: Array<JobTypeView>;
};
/**
 * JobView
 *
 * A job with its input, its money, its way so far, and its place while it waits.
 */
export type JobView = {
    /**
     * Id
     */
    id: string;
    /**
     * Owner
     */
    owner: string;
    /**
     * Type
     */
    type: string;
    /**
     * Type Version
     */
    type_version: number;
    state: JobState;
    status: JobStatus;
    /**
     * Version
     */
    version: number;
    /**
     * Price
     */
    price: number;
    /**
     * Attempt
     */
    attempt: number;
    /**
     * Created At
     */
    created_at: string;
    /**
     * Entered At
     */
    entered_at: string;
    /**
     * Deadline At
     */
    deadline_at: string | null;
    /**
     * Not Before
     */
    not_before: string | null;
    /**
     * Cancel Requested At
     */
    cancel_requested_at: string | null;
    /**
     * Finished At
     */
    finished_at: string | null;
    /**
     * Retry Of
     */
    retry_of: string | null;
    error: FailureView | null;
    /**
     * Files
     */
    files: Array<FileView>;
    /**
     * Input
     */
    input: {
        [key: string]: unknown;
    };
    money: MoneyView;
    /**
     * Timeline
     */
    timeline: Array<TransitionView>;
    place: PlaceView | null;
};
/**
 * KeyView
 *
 * A service key without its secret, which is not kept. `previous_until` is until when the secret before
 * the last rotation is taken; `last_used_at` is right to a minute.
 */
export type KeyView = {
    /**
     * Id
     */
    id: string;
    /**
     * Name
     */
    name: string;
    /**
     * Scopes
     */
    scopes: Array<string>;
    /**
     * Created At
     */
    created_at: string;
    /**
     * Created By
     */
    created_by: string;
    /**
     * Expires At
     */
    expires_at: string | null;
    /**
     * Previous Until
     */
    previous_until: string | null;
    /**
     * Revoked At
     */
    revoked_at: string | null;
    /**
     * Revoked By
     */
    revoked_by: string | null;
    /**
     * Last Used At
     */
    last_used_at: string | null;
};
/**
 * KeyViews
 *
 * All keys that there ever were, oldest first.
 */
export type KeyViews = {
    /**
     * Keys
     */
    keys: Array<KeyView>;
};
/**
 * LinkView
 *
 * A link: `path`, below this API, leads to the file without credentials until it expires.
 */
export type LinkView = {
    /**
     * Path
     */
    path: string;
    /**
     * Expires At
     */
    expires_at: string;
};
/**
 * MoneyView
 *
 * What the ledger shows for a job: credits held now, captured, and given back.
 */
export type MoneyView = {
    /**
     * Held
     */
    held: number;
    /**
     * Captured
     */
    captured: number;
    /**
     * Released
     */
    released: number;
};
/**
 * NewCycle
 *
 * The credits of a plan's next cycle, once for each owner, `plan` and `cycle`.
 */
export type NewCycle = {
    /**
     * Amount
     */
    amount: number;
    /**
     * Plan
     */
    plan: string;
    /**
     * Cycle
     */
    cycle: string;
    /**
     * Ends At
     *
     * Without it they live until the next cycle.
     */
    ends_at?: string | null;
    /**
     * Rolls Over
     *
     * True: what remains of former cycles lives on with this one.
     */
    rolls_over?: boolean;
    /**
     * Kind
     */
    kind?: string;
    /**
     * Priority
     *
     * Lower ones are spent first; without one that of the kind.
     */
    priority?: number | null;
};
/**
 * NewGrant
 *
 * Credits to add, once for each owner and `source_ref`: an order's number, say.
 */
export type NewGrant = {
    /**
     * Amount
     */
    amount: number;
    /**
     * Source Ref
     */
    source_ref: string;
    /**
     * Kind
     */
    kind?: string;
    /**
     * Priority
     *
     * Lower ones are spent first; without one that of the kind.
     */
    priority?: number | null;
    /**
     * Expires At
     *
     * Without one that of the kind, if it has any.
     */
    expires_at?: string | null;
};
/**
 * NewJob
 *
 * An order. The price is ours, whatever is sent.
 */
export type NewJob = {
    /**
     * Type
     *
     * One of the names that `GET /job-types` lists.
     */
    type: string;
    /**
     * Input
     *
     * What the job type's `input` says; a file is named by its key.
     */
    input: {
        [key: string]: unknown;
    };
    /**
     * Accept
     *
     * False leaves the job pending, with nothing held, until accepted.
     */
    accept?: boolean;
    /**
     * Retry Of
     *
     * Your job in whose place this one is.
     */
    retry_of?: string | null;
    /**
     * Not Before
     *
     * The job waits at least until then.
     */
    not_before?: string | null;
};
/**
 * NewKey
 *
 * A key for a program that calls. `expires_at` null: it is good until it is revoked.
 */
export type NewKey = {
    /**
     * Name
     */
    name: string;
    /**
     * Scopes
     */
    scopes: Array<MakegoodAdaptersHttpCallersScope>;
    /**
     * Expires At
     */
    expires_at?: string | null;
};
/**
 * NewLimit
 *
 * What is left out stays, null takes a value away: then the rule `*` of the scope counts.
 */
export type NewLimit = {
    scope: MakegoodFairnessScope;
    /**
     * Name
     *
     * A pool, a job type or an owner; `*` stands for all that have no own value.
     */
    name: string;
    /**
     * By
     *
     * The person who decides; it is kept with the key that was used.
     */
    by: string;
    /**
     * Running Max
     *
     * Jobs of an owner or a type in slots of a pool at one time.
     */
    running_max?: number | null;
    /**
     * Weight
     *
     * An owner's share of a lane.
     */
    weight?: number | null;
    /**
     * Oldest Every
     *
     * One of so many slots of a pool goes to the longest wait.
     */
    oldest_every?: number | null;
};
/**
 * NewPause
 *
 * What is not started for now, and why.
 */
export type NewPause = {
    scope: MakegoodFairnessScope;
    /**
     * Name
     */
    name: string;
    /**
     * By
     *
     * The person who decides; it is kept with the key that was used.
     */
    by: string;
    /**
     * Reason
     */
    reason: string;
    /**
     * Until
     *
     * Without it: until it is resumed.
     */
    until?: string | null;
};
/**
 * NewUnlimited
 *
 * A time in which no price is too high, once for each owner and `source_ref`.
 */
export type NewUnlimited = {
    /**
     * Source Ref
     */
    source_ref: string;
    /**
     * Kind
     */
    kind?: string;
    /**
     * Priority
     *
     * Lower ones are spent first; without one that of the kind.
     */
    priority?: number | null;
    /**
     * Expires At
     */
    expires_at?: string | null;
};
/**
 * OperatedStepEvent
 *
 * A step as operators see it: of whose job, by whom, and why.
 */
export type OperatedStepEvent = {
    /**
     * Job Id
     */
    job_id: string;
    /**
     * Version
     */
    version: number;
    /**
     * Seq
     */
    seq?: number | null;
    /**
     * Type
     */
    type: string;
    /**
     * Event
     */
    event: string;
    /**
     * From State
     */
    from_state: JobState | null;
    to_state: JobState;
    /**
     * Attempt
     */
    attempt: number;
    /**
     * At
     */
    at: string;
    /**
     * Kind
     */
    kind?: 'transition';
    money?: MoneyView | null;
    error?: FailureView | null;
    /**
     * Owner
     */
    owner: string;
    /**
     * Actor
     */
    actor: string;
    /**
     * Reason
     */
    reason: string | null;
};
/**
 * PartView
 *
 * The share of one bucket in an entry.
 */
export type PartView = {
    /**
     * Bucket
     */
    bucket: string;
    /**
     * Amount
     */
    amount: number;
    /**
     * Expires At
     */
    expires_at: string | null;
    /**
     * Source Ref
     */
    source_ref: string;
};
/**
 * Phase
 *
 * How far the submission of one attempt has come.
 */
export type Phase = 'opened' | 'submitting' | 'accepted' | 'uncertain' | 'closed';
/**
 * PlaceEvent
 *
 * Where the job waits, when that has changed. It has no id, since it is no part of the history.
 */
export type PlaceEvent = {
    /**
     * Position
     */
    position: number;
    /**
     * Of
     */
    of: number;
    /**
     * Exact
     */
    exact: boolean;
    /**
     * Wait Seconds
     */
    wait_seconds: number | null;
    /**
     * Kind
     */
    kind?: 'place';
    /**
     * Job Id
     */
    job_id: string;
};
/**
 * PlaceView
 *
 * Where a waiting job stands in its queue of `of` jobs, from 1, and how long it may still wait.
 */
export type PlaceView = {
    /**
     * Position
     */
    position: number;
    /**
     * Of
     */
    of: number;
    /**
     * Exact
     */
    exact: boolean;
    /**
     * Wait Seconds
     */
    wait_seconds: number | null;
};
/**
 * Problem
 *
 * The body of every answer that is not a success.
 */
export type Problem = {
    /**
     * Type
     */
    type: string;
    /**
     * Title
     */
    title: string;
    /**
     * Status
     */
    status: number;
    /**
     * Code
     */
    code: string;
    /**
     * Detail
     */
    detail?: string | null;
    /**
     * Errors
     */
    errors?: Array<FieldError> | null;
    /**
     * Allowed
     */
    allowed?: Array<string> | null;
    [key: string]: unknown;
};
/**
 * QuoteView
 *
 * What a job would cost, in whole credits; and of a known owner, what the wallet has `available`, and
 * whether the price is `covered`.
 */
export type QuoteView = {
    /**
     * Type
     */
    type: string;
    /**
     * Price
     */
    price: number;
    /**
     * Available
     */
    available?: number | null;
    /**
     * Covered
     */
    covered?: boolean | null;
};
/**
 * Reason
 *
 * Why; kept in the history of the job.
 */
export type Reason = {
    /**
     * Reason
     */
    reason?: string | null;
};
/**
 * Report
 *
 * What somebody believes about a job.
 */
export type Report = {
    /**
     * Message
     */
    message: string;
};
/**
 * Resolve
 *
 * Who has looked at the provider, and what was found.
 */
export type Resolve = {
    /**
     * By
     *
     * The person who decides; it is kept with the key that was used.
     */
    by: string;
    /**
     * Reason
     */
    reason: string;
};
/**
 * Resume
 *
 * What is started again.
 */
export type Resume = {
    scope: MakegoodFairnessScope;
    /**
     * Name
     */
    name: string;
    /**
     * By
     *
     * The person who decides; it is kept with the key that was used.
     */
    by: string;
};
/**
 * Resumed
 *
 * Whether there was a pause to end.
 */
export type Resumed = {
    /**
     * Resumed
     */
    resumed: boolean;
};
/**
 * Rotation
 *
 * How long the secret before is taken beside the new one.
 */
export type Rotation = {
    /**
     * Grace Seconds
     */
    grace_seconds?: number;
};
/**
 * RuleView
 *
 * What was decided of a pool, a job type or an owner; what is null follows the rule `*` of its scope.
 */
export type RuleView = {
    scope: ScopeOutput;
    /**
     * Name
     */
    name: string;
    /**
     * Running Max
     */
    running_max: number | null;
    /**
     * Weight
     */
    weight: number | null;
    /**
     * Oldest Every
     */
    oldest_every: number | null;
    /**
     * Paused At
     */
    paused_at: string | null;
    /**
     * Paused Until
     */
    paused_until: string | null;
    /**
     * Reason
     */
    reason: string | null;
    /**
     * Closed
     */
    closed: boolean;
    /**
     * Actor
     */
    actor: string;
    /**
     * Changed At
     */
    changed_at: string;
};
/**
 * Rules
 *
 * Every limit, share and pause; and the job types whose rules the store refused, each with the reason.
 */
export type Rules = {
    /**
     * Rules
     */
    rules: Array<RuleView>;
    /**
     * Refused
     */
    refused: {
        [key: string]: string;
    };
};
/**
 * Scope
 *
 * What a rule is about.
 */
export type ScopeOutput = 'pool' | 'type' | 'owner';
/**
 * SecretView
 *
 * A key with its secret, which is shown this once.
 */
export type SecretView = {
    /**
     * Id
     */
    id: string;
    /**
     * Name
     */
    name: string;
    /**
     * Scopes
     */
    scopes: Array<string>;
    /**
     * Created At
     */
    created_at: string;
    /**
     * Created By
     */
    created_by: string;
    /**
     * Expires At
     */
    expires_at: string | null;
    /**
     * Previous Until
     */
    previous_until: string | null;
    /**
     * Revoked At
     */
    revoked_at: string | null;
    /**
     * Revoked By
     */
    revoked_by: string | null;
    /**
     * Last Used At
     */
    last_used_at: string | null;
    /**
     * Secret
     */
    secret: string;
};
/**
 * StatementView
 *
 * A page of a statement, newest first; `next` leads to the page that follows, null behind the last.
 */
export type StatementView = {
    /**
     * Owner
     */
    owner: string;
    /**
     * Entries
     */
    entries: Array<EntryView>;
    /**
     * Next
     */
    next: number | null;
};
/**
 * StepEvent
 *
 * A step of a job. `money` is there with the last step alone: what the ledger shows for the job, so that
 * `released` are credits that are back. `error` says why it failed.
 */
export type StepEvent = {
    /**
     * Job Id
     */
    job_id: string;
    /**
     * Version
     */
    version: number;
    /**
     * Seq
     */
    seq?: number | null;
    /**
     * Type
     */
    type: string;
    /**
     * Event
     */
    event: string;
    /**
     * From State
     */
    from_state: JobState | null;
    to_state: JobState;
    /**
     * Attempt
     */
    attempt: number;
    /**
     * At
     */
    at: string;
    /**
     * Kind
     */
    kind?: 'transition';
    money?: MoneyView | null;
    error?: FailureView | null;
};
/**
 * StepView
 *
 * One step of a job, with who made it and why.
 */
export type StepView = {
    /**
     * Version
     */
    version: number;
    /**
     * Event
     */
    event: string;
    /**
     * From State
     */
    from_state: JobState | null;
    to_state: JobState;
    /**
     * Actor
     */
    actor: string;
    /**
     * Reason
     */
    reason: string | null;
    /**
     * Attempt
     */
    attempt: number;
    /**
     * At
     */
    at: string;
};
/**
 * TakenBack
 *
 * A payment that was taken back, by the `source_ref` of its grant.
 */
export type TakenBack = {
    /**
     * Source Ref
     */
    source_ref: string;
};
/**
 * TotalsView
 *
 * Credits of one owner, or of all (null); `difference` is what is missing or too much: always 0.
 */
export type TotalsView = {
    /**
     * Owner
     */
    owner: string | null;
    /**
     * Issued
     */
    issued: number;
    /**
     * Remaining
     */
    remaining: number;
    /**
     * Held
     */
    held: number;
    /**
     * Captured
     */
    captured: number;
    /**
     * Expired
     */
    expired: number;
    /**
     * Difference
     */
    difference: number;
};
/**
 * TransitionView
 *
 * One step of a job. `version` is its place in the life of the job, `seq` in the stream of all jobs,
 * null where it was not read from there.
 */
export type TransitionView = {
    /**
     * Job Id
     */
    job_id: string;
    /**
     * Version
     */
    version: number;
    /**
     * Seq
     */
    seq?: number | null;
    /**
     * Type
     */
    type: string;
    /**
     * Event
     */
    event: string;
    /**
     * From State
     */
    from_state: JobState | null;
    to_state: JobState;
    /**
     * Attempt
     */
    attempt: number;
    /**
     * At
     */
    at: string;
};
/**
 * UploadView
 *
 * A file that its owner may use: `key` is what an input names. `kind` is what its first bytes show.
 */
export type UploadView = {
    /**
     * Key
     */
    key: string;
    /**
     * Kind
     */
    kind: string;
    /**
     * Size
     */
    size: number;
    /**
     * Brought At
     */
    brought_at: string;
};
/**
 * Verdict
 *
 * What one piece of evidence says about one attempt.
 */
export type Verdict = 'accepted' | 'rejected' | 'succeeded' | 'failed' | 'cancelled' | 'absent' | 'deadline' | 'administrator' | 'resolved';
/**
 * ViolationView
 *
 * One broken invariant, and what breaks it.
 */
export type ViolationView = {
    /**
     * Code
     */
    code: string;
    /**
     * Invariant
     */
    invariant: string;
    /**
     * Subject
     */
    subject: string;
    /**
     * Owner
     */
    owner: string | null;
    /**
     * Job Id
     */
    job_id: string | null;
};
/**
 * WalletView
 *
 * A wallet in whole credits. `available` is what a new job may spend; with `unlimited` no price is too
 * high. `debt` was spent of payments that were taken back since.
 */
export type WalletView = {
    /**
     * Owner
     */
    owner: string;
    /**
     * Available
     */
    available: number;
    /**
     * Held
     */
    held: number;
    /**
     * Debt
     */
    debt: number;
    /**
     * Unlimited
     */
    unlimited: boolean;
    /**
     * Buckets
     */
    buckets: Array<BucketView>;
};
/**
 * Wish
 *
 * What is to be priced.
 */
export type Wish = {
    /**
     * Type
     */
    type: string;
    /**
     * Input
     */
    input: {
        [key: string]: unknown;
    };
};
/**
 * Scope
 *
 * What a rule is about.
 */
export type MakegoodFairnessScope = 'pool' | 'type' | 'owner';
/**
 * Scope
 *
 * What a service key is for.
 */
export type MakegoodAdaptersHttpCallersScope = 'owners' | 'credits' | 'operations' | 'webhooks' | 'metrics' | 'keys';
export type ListJobTypesData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/job-types';
};
export type ListJobTypesErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ListJobTypesError = ListJobTypesErrors[keyof ListJobTypesErrors];
export type ListJobTypesResponses = {
    /**
     * OK
     */
    200: JobTypes;
};
export type ListJobTypesResponse = ListJobTypesResponses[keyof ListJobTypesResponses];
export type GetJobTypeData = {
    body?: never;
    path: {
        name: string;
    };
    query?: never;
    url: '/job-types/{name}';
};
export type GetJobTypeErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: job_type_closed, unavailable
     */
    503: Problem;
};
export type GetJobTypeError = GetJobTypeErrors[keyof GetJobTypeErrors];
export type GetJobTypeResponses = {
    /**
     * OK
     */
    200: JobTypeView;
};
export type GetJobTypeResponse = GetJobTypeResponses[keyof GetJobTypeResponses];
export type QuoteJobData = {
    body: Wish;
    path?: never;
    query?: never;
    url: '/quotes';
};
export type QuoteJobErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_input, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: job_type_closed, unavailable
     */
    503: Problem;
};
export type QuoteJobError = QuoteJobErrors[keyof QuoteJobErrors];
export type QuoteJobResponses = {
    /**
     * OK
     */
    200: QuoteView;
};
export type QuoteJobResponse = QuoteJobResponses[keyof QuoteJobResponses];
export type ListJobsData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path?: never;
    query?: {
        /**
         * State
         *
         * Jobs in any of these states.
         */
        state?: Array<string>;
        /**
         * Type
         */
        type?: string;
        /**
         * Active
         *
         * True: jobs that are not over; false: jobs that are.
         */
        active?: boolean;
        /**
         * Since
         *
         * Ordered then or later.
         */
        since?: string;
        /**
         * Until
         *
         * Ordered before then.
         */
        until?: string;
        /**
         * After
         *
         * The `next` of the page before.
         */
        after?: string;
        /**
         * Limit
         */
        limit?: number;
    };
    url: '/jobs';
};
export type ListJobsErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ListJobsError = ListJobsErrors[keyof ListJobsErrors];
export type ListJobsResponses = {
    /**
     * OK
     */
    200: JobPageView;
};
export type ListJobsResponse = ListJobsResponses[keyof ListJobsResponses];
export type SubmitJobData = {
    body: NewJob;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
        /**
         * The same key gives the same job, however often it is sent.
         */
        'Idempotency-Key'?: string;
    };
    path?: never;
    query?: never;
    url: '/jobs';
};
export type SubmitJobErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: insufficient_credits
     */
    402: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: active_job, conflict
     */
    409: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_input, invalid_query, key_reused
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: job_type_closed, unavailable
     */
    503: Problem;
};
export type SubmitJobError = SubmitJobErrors[keyof SubmitJobErrors];
export type SubmitJobResponses = {
    /**
     * OK
     */
    201: JobView;
};
export type SubmitJobResponse = SubmitJobResponses[keyof SubmitJobResponses];
export type GetJobData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path: {
        job_id: string;
    };
    query?: never;
    url: '/jobs/{job_id}';
};
export type GetJobErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: conflict
     */
    409: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetJobError = GetJobErrors[keyof GetJobErrors];
export type GetJobResponses = {
    /**
     * OK
     */
    200: JobView;
};
export type GetJobResponse = GetJobResponses[keyof GetJobResponses];
export type AcceptJobData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path: {
        job_id: string;
    };
    query?: never;
    url: '/jobs/{job_id}/accept';
};
export type AcceptJobErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: insufficient_credits
     */
    402: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: conflict, held_back, illegal_transition
     */
    409: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type AcceptJobError = AcceptJobErrors[keyof AcceptJobErrors];
export type AcceptJobResponses = {
    /**
     * OK
     */
    200: JobView;
};
export type AcceptJobResponse = AcceptJobResponses[keyof AcceptJobResponses];
export type CancelJobData = {
    body?: Reason;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path: {
        job_id: string;
    };
    query?: never;
    url: '/jobs/{job_id}/cancel';
};
export type CancelJobErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: conflict, held_back, illegal_transition
     */
    409: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type CancelJobError = CancelJobErrors[keyof CancelJobErrors];
export type CancelJobResponses = {
    /**
     * OK
     */
    200: JobView;
};
export type CancelJobResponse = CancelJobResponses[keyof CancelJobResponses];
export type ReportJobData = {
    body: Report;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path: {
        job_id: string;
    };
    query?: never;
    url: '/jobs/{job_id}/report';
};
export type ReportJobErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: conflict
     */
    409: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ReportJobError = ReportJobErrors[keyof ReportJobErrors];
export type ReportJobResponses = {
    /**
     * OK
     */
    200: JobView;
};
export type ReportJobResponse = ReportJobResponses[keyof ReportJobResponses];
export type BringFileData = {
    body: Blob | File;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path?: never;
    query?: never;
    url: '/files';
};
export type BringFileErrors = {
    /**
     * Problem: body_unreadable, invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding, unsupported_media
     */
    415: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited, uploads_exhausted
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type BringFileError = BringFileErrors[keyof BringFileErrors];
export type BringFileResponses = {
    /**
     * OK
     */
    201: BroughtView;
};
export type BringFileResponse = BringFileResponses[keyof BringFileResponses];
export type GetFileData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
        /**
         * Which part of the file is wanted, such as `bytes=0-1023`.
         */
        Range?: string;
        /**
         * The ETag of what the client has already.
         */
        'If-None-Match'?: string;
    };
    path: {
        key: string;
    };
    query?: never;
    url: '/files/{key}';
};
export type GetFileErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: range_not_satisfiable
     */
    416: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetFileError = GetFileErrors[keyof GetFileErrors];
export type GetFileResponses = {
    /**
     * OK
     */
    200: Blob | File;
    /**
     * A part
     */
    206: Blob | File;
};
export type GetFileResponse = GetFileResponses[keyof GetFileResponses];
export type GetJobFileData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
        /**
         * Which part of the file is wanted, such as `bytes=0-1023`.
         */
        Range?: string;
        /**
         * The ETag of what the client has already.
         */
        'If-None-Match'?: string;
    };
    path: {
        job_id: string;
        number: number;
    };
    query?: never;
    url: '/jobs/{job_id}/files/{number}';
};
export type GetJobFileErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: range_not_satisfiable
     */
    416: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetJobFileError = GetJobFileErrors[keyof GetJobFileErrors];
export type GetJobFileResponses = {
    /**
     * OK
     */
    200: Blob | File;
    /**
     * A part
     */
    206: Blob | File;
};
export type GetJobFileResponse = GetJobFileResponses[keyof GetJobFileResponses];
export type ReuseJobFileData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path: {
        job_id: string;
        number: number;
    };
    query?: never;
    url: '/jobs/{job_id}/files/{number}/reuse';
};
export type ReuseJobFileErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: unsupported_media
     */
    415: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ReuseJobFileError = ReuseJobFileErrors[keyof ReuseJobFileErrors];
export type ReuseJobFileResponses = {
    /**
     * OK
     */
    200: UploadView;
};
export type ReuseJobFileResponse = ReuseJobFileResponses[keyof ReuseJobFileResponses];
export type LinkJobFileData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path: {
        job_id: string;
        number: number;
    };
    query?: {
        /**
         * Seconds
         */
        seconds?: number;
    };
    url: '/jobs/{job_id}/files/{number}/link';
};
export type LinkJobFileErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: not_configured
     */
    409: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type LinkJobFileError = LinkJobFileErrors[keyof LinkJobFileErrors];
export type LinkJobFileResponses = {
    /**
     * OK
     */
    200: LinkView;
};
export type LinkJobFileResponse = LinkJobFileResponses[keyof LinkJobFileResponses];
export type GetLinkData = {
    body?: never;
    headers?: {
        /**
         * Which part of the file is wanted, such as `bytes=0-1023`.
         */
        Range?: string;
        /**
         * The ETag of what the client has already.
         */
        'If-None-Match'?: string;
    };
    path: {
        token: string;
    };
    query?: never;
    url: '/links/{token}';
};
export type GetLinkErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: range_not_satisfiable
     */
    416: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetLinkError = GetLinkErrors[keyof GetLinkErrors];
export type GetLinkResponses = {
    /**
     * OK
     */
    200: Blob | File;
    /**
     * A part
     */
    206: Blob | File;
};
export type GetLinkResponse = GetLinkResponses[keyof GetLinkResponses];
export type GetWalletData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path?: never;
    query?: never;
    url: '/wallet';
};
export type GetWalletErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetWalletError = GetWalletErrors[keyof GetWalletErrors];
export type GetWalletResponses = {
    /**
     * OK
     */
    200: WalletView;
};
export type GetWalletResponse = GetWalletResponses[keyof GetWalletResponses];
export type GetStatementData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
    };
    path?: never;
    query?: {
        /**
         * Since
         *
         * None from before that time.
         */
        since?: string;
        /**
         * After
         *
         * The `next` of the page before.
         */
        after?: number;
        /**
         * Limit
         */
        limit?: number;
    };
    url: '/statement';
};
export type GetStatementErrors = {
    /**
     * Problem: invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetStatementError = GetStatementErrors[keyof GetStatementErrors];
export type GetStatementResponses = {
    /**
     * OK
     */
    200: StatementView;
};
export type GetStatementResponse = GetStatementResponses[keyof GetStatementResponses];
export type GrantCreditsData = {
    body: NewGrant;
    path: {
        owner: string;
    };
    query?: never;
    url: '/owners/{owner}/grants';
};
export type GrantCreditsErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GrantCreditsError = GrantCreditsErrors[keyof GrantCreditsErrors];
export type GrantCreditsResponses = {
    /**
     * OK
     */
    200: GrantView;
};
export type GrantCreditsResponse = GrantCreditsResponses[keyof GrantCreditsResponses];
export type GrantUnlimitedData = {
    body: NewUnlimited;
    path: {
        owner: string;
    };
    query?: never;
    url: '/owners/{owner}/unlimited';
};
export type GrantUnlimitedErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GrantUnlimitedError = GrantUnlimitedErrors[keyof GrantUnlimitedErrors];
export type GrantUnlimitedResponses = {
    /**
     * OK
     */
    200: GrantView;
};
export type GrantUnlimitedResponse = GrantUnlimitedResponses[keyof GrantUnlimitedResponses];
export type StartCycleData = {
    body: NewCycle;
    path: {
        owner: string;
    };
    query?: never;
    url: '/owners/{owner}/cycles';
};
export type StartCycleErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type StartCycleError = StartCycleErrors[keyof StartCycleErrors];
export type StartCycleResponses = {
    /**
     * OK
     */
    200: GrantView;
};
export type StartCycleResponse = StartCycleResponses[keyof StartCycleResponses];
export type ChargeBackData = {
    body: TakenBack;
    path: {
        owner: string;
    };
    query?: never;
    url: '/owners/{owner}/charge-backs';
};
export type ChargeBackErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ChargeBackError = ChargeBackErrors[keyof ChargeBackErrors];
export type ChargeBackResponses = {
    /**
     * OK
     */
    200: GrantView;
};
export type ChargeBackResponse = ChargeBackResponses[keyof ChargeBackResponses];
export type GetOwnersWalletData = {
    body?: never;
    path: {
        owner: string;
    };
    query?: never;
    url: '/owners/{owner}/wallet';
};
export type GetOwnersWalletErrors = {
    /**
     * Problem: invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetOwnersWalletError = GetOwnersWalletErrors[keyof GetOwnersWalletErrors];
export type GetOwnersWalletResponses = {
    /**
     * OK
     */
    200: WalletView;
};
export type GetOwnersWalletResponse = GetOwnersWalletResponses[keyof GetOwnersWalletResponses];
export type GetOwnersStatementData = {
    body?: never;
    path: {
        owner: string;
    };
    query?: {
        /**
         * Since
         *
         * None from before that time.
         */
        since?: string;
        /**
         * After
         *
         * The `next` of the page before.
         */
        after?: number;
        /**
         * Limit
         */
        limit?: number;
    };
    url: '/owners/{owner}/statement';
};
export type GetOwnersStatementErrors = {
    /**
     * Problem: invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetOwnersStatementError = GetOwnersStatementErrors[keyof GetOwnersStatementErrors];
export type GetOwnersStatementResponses = {
    /**
     * OK
     */
    200: StatementView;
};
export type GetOwnersStatementResponse = GetOwnersStatementResponses[keyof GetOwnersStatementResponses];
export type WatchJobData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
        /**
         * The id of the last event that was received: go on after it.
         */
        'Last-Event-ID'?: string;
    };
    path: {
        job_id: string;
    };
    query?: {
        /**
         * Last Event Id
         */
        last_event_id?: number;
    };
    url: '/jobs/{job_id}/events';
};
export type WatchJobErrors = {
    /**
     * Problem: invalid_event_id, invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited, too_many_streams
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type WatchJobError = WatchJobErrors[keyof WatchJobErrors];
export type WatchJobResponses = {
    /**
     * OK
     */
    200: JobEvent;
    /**
     * The job is over and its last step is known
     */
    204: void;
};
export type WatchJobResponse = WatchJobResponses[keyof WatchJobResponses];
export type WatchJobsData = {
    body?: never;
    headers?: {
        /**
         * The owner for whom a service key acts; without meaning for a user's token.
         */
        'Makegood-Owner'?: string;
        /**
         * The id of the last event that was received: go on after it.
         */
        'Last-Event-ID'?: string;
    };
    path?: never;
    query?: {
        /**
         * Last Event Id
         */
        last_event_id?: number;
    };
    url: '/events';
};
export type WatchJobsErrors = {
    /**
     * Problem: invalid_event_id, invalid_request, owner_required
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited, too_many_streams
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type WatchJobsError = WatchJobsErrors[keyof WatchJobsErrors];
export type WatchJobsResponses = {
    /**
     * OK
     */
    200: StepEvent;
};
export type WatchJobsResponse = WatchJobsResponses[keyof WatchJobsResponses];
export type WatchAllJobsData = {
    body?: never;
    headers?: {
        /**
         * The id of the last event that was received: go on after it.
         */
        'Last-Event-ID'?: string;
    };
    path?: never;
    query?: {
        /**
         * Last Event Id
         */
        last_event_id?: number;
    };
    url: '/operations/events';
};
export type WatchAllJobsErrors = {
    /**
     * Problem: invalid_event_id
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited, too_many_streams
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type WatchAllJobsError = WatchAllJobsErrors[keyof WatchAllJobsErrors];
export type WatchAllJobsResponses = {
    /**
     * OK
     */
    200: OperatedStepEvent;
};
export type WatchAllJobsResponse = WatchAllJobsResponses[keyof WatchAllJobsResponses];
export type ListAllJobsData = {
    body?: never;
    path?: never;
    query?: {
        /**
         * State
         *
         * Jobs in any of these states.
         */
        state?: Array<string>;
        /**
         * Type
         */
        type?: string;
        /**
         * Active
         *
         * True: jobs that are not over; false: jobs that are.
         */
        active?: boolean;
        /**
         * Since
         *
         * Ordered then or later.
         */
        since?: string;
        /**
         * Until
         *
         * Ordered before then.
         */
        until?: string;
        /**
         * After
         *
         * The `next` of the page before.
         */
        after?: string;
        /**
         * Limit
         */
        limit?: number;
        /**
         * Owner
         */
        owner?: string;
    };
    url: '/operations/jobs';
};
export type ListAllJobsErrors = {
    /**
     * Problem: invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ListAllJobsError = ListAllJobsErrors[keyof ListAllJobsErrors];
export type ListAllJobsResponses = {
    /**
     * OK
     */
    200: JobPageView;
};
export type ListAllJobsResponse = ListAllJobsResponses[keyof ListAllJobsResponses];
export type GetDossierData = {
    body?: never;
    path: {
        job_id: string;
    };
    query?: never;
    url: '/operations/jobs/{job_id}';
};
export type GetDossierErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: conflict
     */
    409: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetDossierError = GetDossierErrors[keyof GetDossierErrors];
export type GetDossierResponses = {
    /**
     * OK
     */
    200: JobDossier;
};
export type GetDossierResponse = GetDossierResponses[keyof GetDossierResponses];
export type EndJobData = {
    body: End;
    path: {
        job_id: string;
    };
    query?: never;
    url: '/operations/jobs/{job_id}/end';
};
export type EndJobErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: conflict, held_back, illegal_transition
     */
    409: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type EndJobError = EndJobErrors[keyof EndJobErrors];
export type EndJobResponses = {
    /**
     * OK
     */
    200: JobDossier;
};
export type EndJobResponse = EndJobResponses[keyof EndJobResponses];
export type ResolveAttemptData = {
    body: Resolve;
    path: {
        job_id: string;
        number: number;
    };
    query?: never;
    url: '/operations/jobs/{job_id}/attempts/{number}/resolve';
};
export type ResolveAttemptErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: conflict, held_back, illegal_transition
     */
    409: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ResolveAttemptError = ResolveAttemptErrors[keyof ResolveAttemptErrors];
export type ResolveAttemptResponses = {
    /**
     * OK
     */
    200: AttemptView;
};
export type ResolveAttemptResponse = ResolveAttemptResponses[keyof ResolveAttemptResponses];
export type ListAccountsData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/operations/accounts';
};
export type ListAccountsErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ListAccountsError = ListAccountsErrors[keyof ListAccountsErrors];
export type ListAccountsResponses = {
    /**
     * OK
     */
    200: Accounts;
};
export type ListAccountsResponse = ListAccountsResponses[keyof ListAccountsResponses];
export type ListRulesData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/operations/rules';
};
export type ListRulesErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ListRulesError = ListRulesErrors[keyof ListRulesErrors];
export type ListRulesResponses = {
    /**
     * OK
     */
    200: Rules;
};
export type ListRulesResponse = ListRulesResponses[keyof ListRulesResponses];
export type PutLimitData = {
    body: NewLimit;
    path?: never;
    query?: never;
    url: '/operations/limits';
};
export type PutLimitErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type PutLimitError = PutLimitErrors[keyof PutLimitErrors];
export type PutLimitResponses = {
    /**
     * OK
     */
    200: RuleView;
};
export type PutLimitResponse = PutLimitResponses[keyof PutLimitResponses];
export type PauseJobsData = {
    body: NewPause;
    path?: never;
    query?: never;
    url: '/operations/pauses';
};
export type PauseJobsErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type PauseJobsError = PauseJobsErrors[keyof PauseJobsErrors];
export type PauseJobsResponses = {
    /**
     * OK
     */
    200: RuleView;
};
export type PauseJobsResponse = PauseJobsResponses[keyof PauseJobsResponses];
export type ResumeJobsData = {
    body: Resume;
    path?: never;
    query?: never;
    url: '/operations/pauses/end';
};
export type ResumeJobsErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ResumeJobsError = ResumeJobsErrors[keyof ResumeJobsErrors];
export type ResumeJobsResponses = {
    /**
     * OK
     */
    200: Resumed;
};
export type ResumeJobsResponse = ResumeJobsResponses[keyof ResumeJobsResponses];
export type AuditStoreData = {
    body?: never;
    path?: never;
    query?: {
        /**
         * Owners Max
         *
         * Of so many owners the totals are listed.
         */
        owners_max?: number;
    };
    url: '/operations/audit';
};
export type AuditStoreErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type AuditStoreError = AuditStoreErrors[keyof AuditStoreErrors];
export type AuditStoreResponses = {
    /**
     * OK
     */
    200: AuditView;
};
export type AuditStoreResponse = AuditStoreResponses[keyof AuditStoreResponses];
export type ListKeysData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/keys';
};
export type ListKeysErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type ListKeysError = ListKeysErrors[keyof ListKeysErrors];
export type ListKeysResponses = {
    /**
     * OK
     */
    200: KeyViews;
};
export type ListKeysResponse = ListKeysResponses[keyof ListKeysResponses];
export type MakeKeyData = {
    body: NewKey;
    path?: never;
    query?: never;
    url: '/keys';
};
export type MakeKeyErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: name_taken
     */
    409: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type MakeKeyError = MakeKeyErrors[keyof MakeKeyErrors];
export type MakeKeyResponses = {
    /**
     * OK
     */
    201: SecretView;
};
export type MakeKeyResponse = MakeKeyResponses[keyof MakeKeyResponses];
export type RotateKeyData = {
    body: Rotation;
    path: {
        key_id: string;
    };
    query?: never;
    url: '/keys/{key_id}/rotate';
};
export type RotateKeyErrors = {
    /**
     * Problem: body_unreadable, invalid_json, invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: body_too_slow
     */
    408: Problem;
    /**
     * Problem: body_too_large
     */
    413: Problem;
    /**
     * Problem: unsupported_encoding
     */
    415: Problem;
    /**
     * Problem: invalid_body, invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type RotateKeyError = RotateKeyErrors[keyof RotateKeyErrors];
export type RotateKeyResponses = {
    /**
     * OK
     */
    200: SecretView;
};
export type RotateKeyResponse = RotateKeyResponses[keyof RotateKeyResponses];
export type RevokeKeyData = {
    body?: never;
    path: {
        key_id: string;
    };
    query?: never;
    url: '/keys/{key_id}/revoke';
};
export type RevokeKeyErrors = {
    /**
     * Problem: invalid_request
     */
    400: Problem;
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: forbidden
     */
    403: Problem;
    /**
     * Problem: not_found
     */
    404: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type RevokeKeyError = RevokeKeyErrors[keyof RevokeKeyErrors];
export type RevokeKeyResponses = {
    /**
     * OK
     */
    200: KeyView;
};
export type RevokeKeyResponse = RevokeKeyResponses[keyof RevokeKeyResponses];
export type GetDocumentData = {
    body?: never;
    path?: never;
    query?: never;
    url: '/openapi.json';
};
export type GetDocumentErrors = {
    /**
     * Problem: unauthenticated
     */
    401: Problem;
    /**
     * Problem: invalid_query
     */
    422: Problem;
    /**
     * Problem: rate_limited
     */
    429: Problem;
    /**
     * Problem: internal
     */
    500: Problem;
    /**
     * Problem: unavailable
     */
    503: Problem;
};
export type GetDocumentError = GetDocumentErrors[keyof GetDocumentErrors];
export type GetDocumentResponses = {
    /**
     * OK
     */
    200: Document;
};
export type GetDocumentResponse = GetDocumentResponses[keyof GetDocumentResponses];
