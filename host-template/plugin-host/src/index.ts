/** `@platform/plugin-host`: what the shell and plugin frontends share. */

export * from "./api.ts";
export { basePath, platformUrl } from "./base.ts";
export { isOverrideBoundary } from "./boundary.tsx";
export { activeChain, explainChain, type Verdict } from "./chain.ts";
export { type PluginHost, PluginHostProvider, usePermission, usePluginHost } from "./context.tsx";
export { Surface, useOverride } from "./override.tsx";
export * from "./records.ts";
export * from "./types.ts";
export { asApiError, type Resource, useResource } from "./use-resource.ts";
