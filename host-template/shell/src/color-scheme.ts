/**
 * Puts the chosen colour scheme on the document before anything is drawn.
 *
 * Imported first of all, so that a page reloaded in the dark does not flash; a module and not an inline script,
 * so that a strict content security policy can stay.
 */

/** Where the choice is kept: `light`, `dark` or `auto`. Mantine reads and writes the same key. */
export const COLOR_SCHEME_KEY = "hub-color-scheme";

/** The scheme to draw in, given what was chosen and what the system prefers. */
export function schemeOf(chosen: string | null, systemIsDark: boolean): "light" | "dark" {
  if (chosen === "light" || chosen === "dark") {
    return chosen;
  }
  return systemIsDark ? "dark" : "light";
}

function stored(): string | null {
  try {
    return window.localStorage.getItem(COLOR_SCHEME_KEY);
  } catch {
    return null; // storage may be forbidden; the system's preference serves
  }
}

if (typeof document !== "undefined") {
  const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.setAttribute("data-mantine-color-scheme", schemeOf(stored(), systemIsDark));
}
