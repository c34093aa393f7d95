// The story of a demonstration, and the buttons that make things go wrong.
import { address, html, said, time, useEffect, useState } from './tables.js';

const ask = (path, more) => fetch(address('stage') + path, { headers: { 'Makegood-Stage': '1' }, ...more })
  .then((reply) => reply.json());
const press = (name) => ask(`/${name}`, { method: 'POST' })
  .then(({ text }) => said.set(text), () => said.set('The demonstration does not answer.'));

async function follow(tell, signal) {
  for (let after = ''; !signal.aborted;) {
    try {
      const stage = await ask(after, { signal });
      after = `?after=${stage.version}`;
      tell(stage);
    } catch { // that nobody answers is told by the connection
      after = '';
      await new Promise((go) => { setTimeout(go, 2_000); });
    }
  }
}

export function Stage() {
  const [stage, tell] = useState();
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
