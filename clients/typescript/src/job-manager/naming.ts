// What pages call a job type and its inputs, as the service tells it: no list of tools stands here.
import type { Client } from "../generated/client/index.js";
import { listJobTypes } from "../generated/sdk.gen.js";
import type { JobTypeView, WireView } from "../generated/types.gen.js";
import { ask } from "./asking.js";
import type { Answer, Patience } from "./asking.js";

type Given = Record<string, unknown>;

/** Fields of a row that the server alone sets; a page that sends them means nothing by it. */
const SERVERS = new Set(["id", "status", "user_id", "session_id", "position", "task_id"]);

/** The job types on offer, asked for once. */
export class Naming {
  private types?: Promise<Answer<JobTypeView[]>>;

  constructor(
    private readonly client: Client,
    private readonly patience: Patience,
  ) {}

  /** Return the job type with this name. */
  async type(name: string): Promise<Answer<JobTypeView>> {
    return this.find(name, (types) => types.find((type) => type.name === name));
  }

  /** Return the job type that a page means by a name, a table or a label, and by what it gives: one name may stand for
   * several, which a column such as `engine` tells apart. */
  async meant(tool: string, given: Given): Promise<Answer<JobTypeView>> {
    return this.find(tool, (types) => {
      const named = types.find((type) => [type.name, type.label].includes(tool));
      const table = named?.wire?.table ?? tool;
      const others = types.filter(({ wire }) => wire?.table === table && wire.endpoint === "run");
      const told = others.find(({ wire }) => wire && isSome(wire.when) && holds(wire.when, given));
      return told ?? named ?? others.find(({ wire }) => wire && !isSome(wire.when));
    });
  }

  private async find(
    name: string,
    choose: (types: JobTypeView[]) => JobTypeView | undefined,
  ): Promise<Answer<JobTypeView>> {
    for (const isKnown of [this.types !== undefined, false]) {
      const { data: types, refusal } = await (this.types ??= this.ask());
      if (refusal) {
        delete this.types;
        return { refusal };
      }
      const found = choose(types);
      if (found) return { data: found };
      if (!isKnown) break;
      delete this.types; // it may be new
    }
    const error = `There is no job type with the name, the table or the label ${JSON.stringify(name)}.`;
    return { refusal: { code: "NOT_FOUND", error } };
  }

  private ask(): Promise<Answer<JobTypeView[]>> {
    return ask(this.patience, async (signal) => {
      const { data, ...rest } = await listJobTypes({ client: this.client, signal });
      return { data: data?.types, ...rest };
    });
  }
}

/** Return what a page gives, apart: what fills inputs of the type, by their names, and what does not. Of several fields
 * for one input the first counts. */
export function sorted(type: JobTypeView, given: Given, names: "columns" | "run"): { input: Given; others: Given } {
  const input: Given = {};
  const others: Given = {};
  const inputs = (type.input.properties ?? {}) as Given;
  const fills = (name: string, value: unknown) => {
    if (value !== undefined && value !== null && !(name in input)) input[name] = value;
  };
  for (const [field, name] of Object.entries(type.wire?.[names] ?? {})) fills(name, given[field]);
  for (const [field, name] of Object.entries(type.wire?.content ?? {})) fills(name, fileOf(given[field]));
  for (const [field, value] of Object.entries(given)) {
    if (isNamed(type.wire, names, field) || value === undefined || value === null) continue;
    if (Object.hasOwn(inputs, field)) fills(field, value);
    else if (!SERVERS.has(field)) others[field] = value;
  }
  return { input, others };
}

function isNamed(wire: WireView | null, names: "columns" | "run", field: string): boolean {
  return wire !== null && (Object.hasOwn(wire[names], field) || Object.hasOwn(wire.content, field));
}

/** Return the file that a page sends as text in base64; whatever is none stays, and the service says so. */
function fileOf(value: unknown): unknown {
  const [text, type] = value instanceof Object && "base64" in value
    ? [value.base64, "mimeType" in value ? value.mimeType : undefined]
    : [value, undefined];
  if (typeof text !== "string") return value;
  try {
    const bytes = Uint8Array.from(atob(text.replace(/^data:[^,]*,/, "")), (c) => c.charCodeAt(0));
    return new Blob([bytes], typeof type === "string" ? { type } : {});
  } catch {
    return value;
  }
}

function isSome(when: WireView["when"]): boolean {
  return Object.keys(when).length > 0;
}

function holds(when: WireView["when"], given: Given): boolean {
  return Object.entries(when).every(([column, values]) => values.some((each) => each === given[column]));
}
