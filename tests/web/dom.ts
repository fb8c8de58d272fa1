/** A document for the component tests; imported before anything that looks for one. */

import { Window } from "happy-dom";

const window = new Window({ url: "http://localhost/" });
const globals = globalThis as unknown as Record<string, unknown>;
const source = window as unknown as Record<string, unknown>;
for (const name of ["window", "document", "HTMLElement", "Element", "Node", "DocumentFragment", "MutationObserver", "Event"]) {
  globals[name] = name === "window" ? window : source[name];
}
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });
