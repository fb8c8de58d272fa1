// Starts a lazy chunk: its styles and the scripts it shares with others are fetched beside it, not after it.
// The page says in #hub-preload what each chunk needs: {"files": [address…], "chunks": {name: [index…]}}, where a name
// is the chunk's file name, without its hash if that is enough to tell it from all others.

const { files = [], chunks = {} } = JSON.parse(document.getElementById("hub-preload")?.textContent || "{}");
const started = {};

// A style sheet that does not load is reported and never holds the chunk back: unstyled beats absent.
const start = (href) =>
  (started[href] ||= new Promise((done) => {
    const link = document.createElement("link");
    const style = href.endsWith(".css");
    link.rel = style ? "stylesheet" : "modulepreload";
    link.href = href;
    link.onload = done;
    link.onerror = () => {
      started[href] = 0;
      done(console.error(`${href} did not load`));
    };
    document.head.append(link);
    if (!style) done();
  }));

globalThis.$chunk = (file) => {
  const name = file.slice(2, -3);
  const need = chunks[name] || chunks[name.slice(0, -9)] || [];
  return Promise.all([import(/* @vite-ignore */ file), ...need.map((index) => start(files[index]))]).then(
    ([module]) => module,
  );
};
