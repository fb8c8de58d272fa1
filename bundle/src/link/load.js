// Starts a lazy chunk: its styles and the scripts it shares with others are fetched beside it, not after it.
// The page names them in #hub-preload; a chunk that is not listed there needs nothing else.

const page = document.getElementById("hub-preload");
const needs = JSON.parse((page && page.textContent) || "{}");
const styles = {};

const script = (href) => {
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = href;
  document.head.append(link);
};

// A style sheet that does not load is reported and never holds the chunk back: unstyled beats absent.
const style = (href) =>
  (styles[href] ||= document.querySelector(`link[rel="stylesheet"][href="${href}"]`)
    ? Promise.resolve()
    : new Promise((done) => {
        const link = document.createElement("link");
        link.rel = "stylesheet";
        link.href = href;
        link.onload = done;
        link.onerror = () => {
          delete styles[href];
          link.remove();
          console.error(`style sheet ${href} did not load`);
          done();
        };
        document.head.append(link);
      }));

globalThis.$chunk = (file) => {
  const need = needs[file.slice(2)];
  const chunk = import(/* @vite-ignore */ file);
  if (!need) return chunk;
  (need.js || []).forEach(script);
  return Promise.all([chunk, ...(need.css || []).map(style)]).then(([module]) => module);
};
