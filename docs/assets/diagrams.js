// On a narrow screen a diagram keeps its size and is scrolled: fitted into the width nobody could read it.
if (innerWidth < 700) {
  const asTold = mermaid.initialize;
  const natural = { useMaxWidth: false };
  mermaid.initialize = (options) =>
    asTold.call(mermaid, { ...options, flowchart: natural, sequence: { ...options.sequence, ...natural }, state: natural });
}
