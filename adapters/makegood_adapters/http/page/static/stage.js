// The story of a demonstration, and the buttons that make things go wrong.
import { said } from './acts.js';
import { address } from './api.js';
import { time } from './format.js';
import { html, useEffect, useState } from './vendor/preact.js';

const ask = (path, more) => fetch(address('stage') + path, { headers: { 'Makegood-Stage': '1' }, ...more })
  .then((reply) => reply.json());
const press = (name) => ask(`/${name}`, { method: 'POST' })
  .then(({ text }) => said.set(text), () => said.set('The demonstration does not answer.'));

async function follow(tell, signal) {
  for (let version; !signal.aborted;) {
    try {
      const stage = await ask(version == null ? '' : `?after=${version}`, { signal });
      version = stage.version;
      tell(stage);
    } catch { // that nobody answers is told by the connection
      version = null;
      await new Promise((resolve) => { setTimeout(resolve, 2_000); });
    }
  }
}

export function Stage() {
  const [stage, tell] = useState(null);
  useEffect(() => {
    const end = new AbortController();
    if (address('stage')) follow(tell, end.signal);
    return () => end.abort();
  }, []);
  return stage && html`<section class="card stage" aria-labelledby="stage"><h2 id="stage">${stage.title}</h2>
    <ol role="log" tabindex="0" aria-label="Story">${stage.story.toReversed().map(({ at, text, tone }) =>
      html`<li key=${at + text} class=${tone}><time>${time(at)}</time> ${text}</li>`)}</ol>
    <div class="row">${stage.buttons.map(({ name, label, told, busy }) => html`<button title=${told}
      disabled=${busy} onClick=${() => press(name)}>${label}</button>`)}</div></section>`;
}
