/** Colours, type and radii of the platform. */

import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";

const petrol: MantineColorsTuple = [
  "#ebf6f7",
  "#d5ebee",
  "#aed6dc",
  "#82bfc9",
  "#5aaab7",
  "#3d97a6",
  "#26808f",
  "#1d6b79",
  "#165563",
  "#0f404c",
];

const gray: MantineColorsTuple = [
  "#f6f8f9",
  "#eef1f3",
  "#e3e7ea",
  "#d3d9dd",
  "#c3cbd1",
  "#96a2ab",
  "#5f6c76",
  "#4a565f",
  "#313b43",
  "#1d252b",
];

const dark: MantineColorsTuple = [
  "#d5dbe0",
  "#b5bfc7",
  "#93a0aa",
  "#67747e",
  "#36424a",
  "#2b353c",
  "#212a30",
  "#192127",
  "#12191e",
  "#0c1115",
];

const sans = '"Inter Variable", system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const mono = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace';

/** The one theme, for light and dark. */
export const theme = createTheme({
  primaryColor: "petrol",
  primaryShade: { light: 7, dark: 6 },
  colors: { petrol, gray, dark },
  black: "#1d252b",
  fontFamily: sans,
  fontFamilyMonospace: mono,
  defaultRadius: "md",
  respectReducedMotion: true,
  cursorType: "pointer",
  headings: {
    fontFamily: sans,
    fontWeight: "650",
    sizes: {
      h1: { fontSize: "1.5rem", lineHeight: "1.3" },
      h2: { fontSize: "1.125rem", lineHeight: "1.4" },
      h3: { fontSize: "1rem", lineHeight: "1.45" },
    },
  },
  components: {
    Badge: { defaultProps: { radius: "sm", tt: "none", fw: 550 } },
    Paper: { defaultProps: { radius: "md" } },
    Modal: { defaultProps: { radius: "md", centered: true, overlayProps: { backgroundOpacity: 0.4, blur: 2 } } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250 } },
  },
});

/** The colours that badges, marks and alerts come in. */
const TINTS = ["petrol", "gray", "red", "orange", "yellow", "teal", "blue", "violet"];

/** A tint as ground and text: a breath of the colour, and enough contrast to read on it. */
function tint(ground: number, share: number, text: number): Record<string, string> {
  const pairs = TINTS.flatMap((name) => [
    [`--mantine-color-${name}-light`, `color-mix(in srgb, var(--mantine-color-${name}-${ground}) ${share}%, transparent)`],
    [
      `--mantine-color-${name}-light-hover`,
      `color-mix(in srgb, var(--mantine-color-${name}-${ground}) ${share + 5}%, transparent)`,
    ],
    [`--mantine-color-${name}-light-color`, `var(--mantine-color-${name}-${text})`],
  ]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

/** Borders, secondary text and tints: quieter than Mantine's own, and readable on this palette. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-default-border": "#e0e5e8",
    "--mantine-color-dimmed": "#5f6c76",
    ...tint(6, 12, 9),
    "--mantine-color-petrol-light-color": "var(--mantine-color-petrol-7)",
    "--mantine-color-gray-light-color": "var(--mantine-color-gray-7)",
    "--mantine-color-yellow-light-color": "#8a5a00",
    "--mantine-color-orange-light-color": "#a8470a",
    "--mantine-color-teal-light-color": "#08694b",
  },
  dark: {
    "--mantine-color-default-border": "#2b353c",
    "--mantine-color-dimmed": "#93a0aa",
    ...tint(5, 17, 3),
    "--mantine-color-gray-light-color": "var(--mantine-color-dark-1)",
  },
});
