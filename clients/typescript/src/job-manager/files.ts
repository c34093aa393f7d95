// Files as pages name them, by addresses; the API names them by keys, and by the number of a result.
import type { Client } from "../generated/client/index.js";
import { bringFile, getLink, linkJobFile, reuseJobFile } from "../generated/sdk.gen.js";
import type { FileView } from "../generated/types.gen.js";
import { ask } from "./asking.js";
import type { Answer, Patience } from "./asking.js";

const LINK_SECONDS = 24 * 60 * 60;
/** So many links are remembered, each for half of its time; then a new one is asked for. */
const LINKS_MAX = 1_000;
const VIDEOS = ["mp4", "webm", "mov"];
const PICTURES = ["png", "jpg", "jpeg", "webp", "gif"];

/** The files of the user of one manager. */
export class Files {
  private readonly links = new Map<string, { own: string; until: number }>();

  constructor(
    private readonly client: Client,
    private readonly baseUrl: string,
    private readonly patience: Patience,
  ) {}

  /** Bring a file and return its key. */
  async bring(file: Blob | ArrayBuffer): Promise<Answer<string>> {
    const body = file instanceof Blob ? file : new Blob([file]);
    const patience = { ...this.patience, callMs: Infinity };
    return ask(patience, async (signal) => {
      const { data, ...rest } = await bringFile({ client: this.client, body, signal });
      return { data: data?.key, ...rest };
    });
  }

  /** Return the address of a file that was brought. */
  addressOf(key: string): string {
    return `${this.baseUrl}/files/${encodeURIComponent(key)}`;
  }

  /** Return an address of the result that a page shows, the same one for as long as it leads there. */
  async resultOf(jobId: string, files: FileView[]): Promise<Answer<string | undefined>> {
    const of = (kinds: string[]) => files.find((each) => kinds.includes(each.kind));
    const file = of(VIDEOS) ?? of(PICTURES) ?? files[0];
    if (!file) return { data: undefined };
    const own = `${this.baseUrl}/jobs/${jobId}/files/${file.number}`;
    const now = Date.now();
    for (const [link, { own: of, until }] of this.links) if (of === own && now < until) return { data: link };
    const { data, refusal } = await ask(this.patience, (signal) =>
      linkJobFile({
        client: this.client,
        path: { job_id: jobId, number: file.number },
        query: { seconds: LINK_SECONDS },
        signal,
      }),
    );
    if (refusal?.code === "NOT_CONFIGURED") return { data: own }; // which takes the user's token
    if (refusal) return { refusal };
    const link = this.baseUrl + data.path;
    this.links.set(link, { own, until: now + LINK_SECONDS * 500 });
    const [oldest] = this.links.keys();
    if (this.links.size > LINKS_MAX && oldest) this.links.delete(oldest);
    return { data: link };
  }

  /** Return *input* with keys in place of the addresses that this service gave, and of files themselves. */
  async keysIn(input: Record<string, unknown>): Promise<Answer<Record<string, unknown>>> {
    const found: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(input)) {
      const { data, refusal } = await this.keyFor(value);
      if (refusal) return { refusal };
      found[name] = data.value;
    }
    return { data: found };
  }

  private async keyFor(value: unknown): Promise<Answer<{ value: unknown }>> {
    if (Array.isArray(value)) {
      const found: unknown[] = [];
      for (const each of value) {
        const { data, refusal } = await this.keyFor(each);
        if (refusal) return { refusal };
        found.push(data.value);
      }
      return { data: { value: found } };
    }
    if (value instanceof Blob || value instanceof ArrayBuffer) return valued(await this.bring(value));
    if (typeof value !== "string" || !value.startsWith(`${this.baseUrl}/`)) return { data: { value } };
    const path = (this.links.get(value)?.own ?? value).slice(this.baseUrl.length);
    const [, file] = /^\/files\/([^/?#]+)$/.exec(path) ?? [];
    if (file) return { data: { value: decodeURIComponent(file) } };
    const [, token] = /^\/links\/([^/?#]+)$/.exec(path) ?? [];
    if (token) return this.again(decodeURIComponent(token));
    const [, jobId, number] = /^\/jobs\/([^/?#]+)\/files\/(\d+)$/.exec(path) ?? [];
    if (!jobId) return { data: { value } }; // the service says what is wrong with it
    return valued(
      await ask(this.patience, async (signal) => {
        const which = { job_id: jobId, number: Number(number) };
        const { data, ...rest } = await reuseJobFile({ client: this.client, path: which, signal });
        return { data: data?.key, ...rest };
      }),
    );
  }

  /** Bring what a link leads to that was given to another page, or to this one before it was loaded again. */
  private async again(token: string): Promise<Answer<{ value: unknown }>> {
    const { data, refusal } = await ask(this.patience, (signal) =>
      getLink({ client: this.client, path: { token }, parseAs: "blob", signal }),
    );
    return refusal ? { refusal } : valued(await this.bring(data as Blob));
  }
}

function valued(answer: Answer<string>): Answer<{ value: unknown }> {
  return answer.refusal ? answer : { data: { value: answer.data } };
}
