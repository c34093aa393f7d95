// What the module of an existing page does, call by call, with the real client library. It is written from the table
// of its calls; `form` chooses among the three that were in use: "before" a page failed its job by itself, "after"
// it asked the server first, "latest" it asks four times and falls back after a lost network too.
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws";

const TABLES = { upscaler: "upscaler_jobs", pose_changer: "pose_changer_jobs" };
const BUCKET = "artes-cloudinary";
const SHOWN = ["INSUFFICIENT_CREDITS", "RATE_LIMIT_EXCEEDED"];

/** What breaks between page and service: by the end of the path, what becomes of the calls. */
export class Network {
  faults = new Map();

  fetch = async (address, init) => {
    const { pathname } = new URL(address?.url ?? address);
    const [, fault] = [...this.faults].find(([end]) => pathname.endsWith(end)) ?? [];
    if (fault === "not sent") throw new TypeError("fetch failed");
    if (fault === "refused") return new Response("<html>Bad Gateway</html>", { status: 502 });
    const reply = await fetch(address, init);
    if (fault === "reply lost") throw new TypeError("fetch failed");
    return reply;
  };
}

export class Page {
  constructor({ url, key, user, form = "latest", waits = [5, 10, 20], network = new Network() }) {
    Object.assign(this, { url, key, user, form, waits, network, session: crypto.randomUUID() });
    const kept = user && JSON.stringify({
      access_token: user.token, refresh_token: "r", token_type: "bearer", expires_in: 3600,
      expires_at: Math.floor(Date.now() / 1000) + 3600, user: { id: user.id, aud: "authenticated", email: "a@b.example" },
    });
    const storage = { isServer: false, getItem: () => kept ?? null, setItem: () => {}, removeItem: () => {} };
    this.client = createClient(url, key, {
      auth: { storage, autoRefreshToken: false, detectSessionInUrl: false },
      global: { fetch: network.fetch },
      realtime: { transport: WebSocket, timeout: 60_000 }, // a service that is slow has not refused
    });
  }

  /** A plain call with the public key alone, as the page makes it beside the library. */
  async direct(endpoint, body) {
    return await this.network.fetch(`${this.url}/functions/v1/runninghub-queue-manager/${endpoint}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${this.key}` },
      body: JSON.stringify(body),
    });
  }

  async checkActiveJob() {
    const reply = await this.direct("check-user-active", { userId: this.user.id }).catch(() => null);
    return reply?.ok ? await reply.json() : { hasActiveJob: false, activeTool: null };
  }

  async createJob(tool, payload) {
    const status = this.form === "before" ? "queued" : "pending";
    const row = { session_id: this.session, user_id: this.user.id, status, ...payload };
    const { data, error } = await this.client.from(TABLES[tool]).insert(row).select("id").single();
    return { jobId: data?.id, error };
  }

  async startJob(tool, jobId, payload) {
    let answer;
    for (const wait of [0, ...(this.form === "latest" ? this.waits : [])]) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      const body = { jobId, ...payload };
      answer = await this.client.functions.invoke(`runninghub-${tool.replaceAll("_", "-")}/run`, { body });
      if (!answer.error) break;
    }
    const { data, error } = answer;
    if (error) {
      await this.markJobFailed(TABLES[tool], jobId, error.message);
      return { success: false, error: error.message };
    }
    if (SHOWN.includes(data.code)) return { success: false, ...data };
    if (data.code === "IMAGE_TRANSFER_ERROR" || (data.error && !data.success && !data.queued)) {
      await this.markJobFailed(TABLES[tool], jobId, data.error);
      return { success: false, ...data };
    }
    return { success: data.success, queued: data.queued, position: data.position };
  }

  async markJobFailed(table, jobId, message) {
    if (this.form !== "before") {
      const body = { table, jobId, status: "failed", errorMessage: message };
      const reply = await this.direct("finish", body).catch(() => null);
      if (reply?.ok || (reply === null && this.form === "after")) return;
    }
    const row = { status: "failed", error_message: message, completed_at: new Date().toISOString() };
    const { error, status } = await this.client.from(table).update(row).eq("id", jobId);
    if (error || status !== 204) throw new Error(`the fallback got ${status} ${error?.message}`);
  }

  async cancelJob(tool, jobId) {
    const named = { p_table_name: TABLES[tool] ?? tool, p_job_id: jobId };
    const { data, error } = await this.client.rpc("user_cancel_ai_job", named);
    if (error) throw error;
    return Array.isArray(data) ? data[0] : data;
  }

  async checkCredits() {
    const { data, error } = await this.client.rpc("get_upscaler_credits", { _user_id: this.user.id });
    if (error) throw error;
    return data;
  }

  async queryJobStatus(tool, jobId) {
    const columns = "status,output_url,thumbnail_url,error_message,position,current_step";
    const { data, error } = await this.client.from(TABLES[tool]).select(columns).eq("id", jobId).maybeSingle();
    if (error) throw error;
    return data;
  }

  /** Upload and return the address that the page hands on, which the client builds by itself. */
  async uploadToStorage(file, name) {
    const path = `upscaler/${this.user.id}/${name}`;
    const bucket = this.client.storage.from(BUCKET);
    const { error } = await bucket.upload(path, file, { cacheControl: "3600", upsert: true, contentType: "image/png" });
    if (error) throw error;
    return bucket.getPublicUrl(path).data.publicUrl;
  }

  /** Listen; `heard` are the rows that came with a new status, `until` waits for one of them. */
  async subscribeToJob(tool, jobId, topic = "job") {
    const heard = [], waiting = [];
    const filter = { event: "UPDATE", schema: "public", table: TABLES[tool], filter: `id=eq.${jobId}` };
    const channel = this.client.channel(`${topic}-${tool}-${jobId}`).on("postgres_changes", filter, ({ new: row }) => {
      if (heard.at(-1)?.status !== row.status) heard.push(row);
      waiting.splice(0).forEach((resolve) => resolve());
    });
    await new Promise((resolve, reject) => {
      channel.subscribe((status, error) => {
        if (status === "SUBSCRIBED") resolve();
        else if (status !== "CLOSED") reject(error ?? new Error(status));
      });
    });
    const until = async (...statuses) => {
      while (!statuses.includes(heard.at(-1)?.status)) await new Promise((resolve) => waiting.push(resolve));
      return heard.at(-1);
    };
    return { heard, until, statuses: () => heard.map((row) => row.status), channel };
  }

  async leave() {
    await this.client.removeAllChannels();
  }
}
