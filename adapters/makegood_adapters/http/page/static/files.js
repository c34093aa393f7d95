// Files of a job: pictures, films and sounds are shown, others can be saved.
import { file, html, useEffect, useState } from './tables.js';

const TAGS = { img: /png|jpe?g|webp|gif|avif/, video: /mp4|webm|mov/, audio: /mp3|wav|ogg|m4a|flac/ };

// One file; what is large or no picture is read when somebody wants it.
function File({ path, kind, name, size }) {
  const tag = Object.keys(TAGS).find((each) => TAGS[each].test(kind));
  const [wanted, want] = useState(tag === 'img' && !(size > 2e7));
  const [{ url, wrong }, set] = useState({});
  useEffect(() => {
    const made = wanted && file(path);
    if (made) made.then((blob) => set({ url: blob }), (error) => set({ wrong: error.message }));
    return () => made && made.then(URL.revokeObjectURL, () => {});
  }, [wanted]);
  const broken = () => set({ url, wrong: `It is damaged, or no ${kind} that a browser can show.` });
  return html`<figure>${wrong ? html`<p class="bad">✗ ${wrong}</p>` : !wanted
    ? html`<button onClick=${() => want(true)}>Fetch ${name}</button>` : !url ? 'loading …'
      : tag && html`<${tag} src=${url} alt=${name} controls=${tag !== 'img'} onError=${broken}/>`}
    <figcaption>${name}, ${kind}${size && `, ${Math.ceil(size / 1e3)} kB`} ${
    url && html`<a href=${url} download="${name}.${kind}">Save</a>`}</figcaption></figure>`;
}

// What was given beside what has come of it.
export function Files({ job, at }) {
  const part = (title, files, more) => files.length > 0 && html`<div><h3>${title}</h3>${files.map((each) =>
    html`<${File} ...${each} ...${more(each)}/>`)}</div>`;
  return html`<div class="files">
    ${part('Before', job.inputs, ({ name }) => ({ path: `${at}/inputs/${encodeURIComponent(name)}` }))}
    ${part('After', job.files, ({ number: n }) => ({ path: `${at}/files/${n}`, name: `result ${n + 1}` }))}
  </div>`;
}
