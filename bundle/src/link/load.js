// Starts a lazy chunk: its styles and the scripts it shares with others are fetched beside it, not after it.
//
// Scripts call $chunk with a chunk's name. Only the page knows the file that belongs to a name and what else it needs,
// in #hub-preload: {"files": [address…], "chunks": {name: [file, index…]}}. So a plugin's edit changes its own chunk and
// the page, and no script that names it.

const { files, chunks } = JSON.parse(document.getElementById("hub-preload").textContent);
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

globalThis.$chunk = (name) => {
  const [file, ...need] = chunks[name];
  return Promise.all([import(/* @vite-ignore */ `./${file}.js`), ...need.map((index) => start(files[index]))]).then(
    ([module]) => module,
  );
};
