// What pages call a job type and its inputs, as the service tells it: no list of tools stands here.
import type { Client } from "../generated/client/index.js";
import { listJobTypes } from "../generated/sdk.gen.js";
import type { JobTypeView } from "../generated/types.gen.js";
import { ask } from "./asking.js";
import type { Answer, Patience } from "./asking.js";

/** Fields of a row that the server alone sets; a page that sends them means nothing by it. */
const SERVERS = new Set(["id", "status", "user_id", "session_id", "position", "task_id"]);

/** The job types on offer, asked for once. */
export class Naming {
  private types?: Promise<Answer<JobTypeView[]>>;

  constructor(
    private readonly client: Client,
    private readonly patience: Patience,
  ) {}

  /** Return the job type with this name, this table or this label. */
  async find(name: string): Promise<Answer<JobTypeView>> {
    for (const last of [false, true]) {
      const known = this.types !== undefined;
      const { data, refusal } = await (this.types ??= this.ask());
      if (refusal) {
        delete this.types;
        return { refusal };
      }
      const found = data.find((type) => [type.name, type.wire?.table, type.label].includes(name));
      if (found) return { data: found };
      if (last || !known) break;
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

/** Return what a page gives, apart: what fills inputs of the type, by their names, and what does not. */
export function sorted(
  type: JobTypeView,
  given: Record<string, unknown>,
  names: "columns" | "run",
): { input: Record<string, unknown>; others: Record<string, unknown> } {
  const input: Record<string, unknown> = {};
  const others: Record<string, unknown> = {};
  const inputs = type.input.properties as Record<string, unknown> | undefined;
  for (const [field, value] of Object.entries(given)) {
    const name = type.wire?.[names][field] ?? field;
    if (value === undefined || value === null || SERVERS.has(field)) continue;
    if (inputs && Object.hasOwn(inputs, name)) input[name] = value;
    else others[field] = value;
  }
  return { input, others };
}
