// A page that closes says so: what it ordered and nobody has begun is called off.
export interface Leaving {
  addEventListener: (type: "pagehide", listener: () => void) => void;
  removeEventListener: (type: "pagehide", listener: () => void) => void;
}

/** Send the end of the session so that it arrives although the page is gone. It carries no token: a browser asks a
 * service first whether it takes one, and a page that closes has no time for the answer. */
export function sendEnd(baseUrl: string, session: string, fetch: typeof globalThis.fetch): void {
  const url = `${baseUrl}/sessions/end`;
  const body = JSON.stringify({ session });
  const beacon = globalThis.navigator?.sendBeacon?.bind(globalThis.navigator);
  if (beacon?.(url, body)) return;
  fetch(url, { method: "POST", body, keepalive: true, credentials: "omit" }).catch(() => undefined);
}
