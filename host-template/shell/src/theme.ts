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
  "#b6bfc6",
  "#929ea7",
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

/** Borders and secondary text: a little quieter, and readable, on this palette. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: { "--mantine-color-default-border": "#e0e5e8", "--mantine-color-dimmed": "#5f6c76" },
  dark: { "--mantine-color-default-border": "#2b353c", "--mantine-color-dimmed": "#93a0aa" },
});
