/** `@platform/plugin-host/ui`: page furniture that the shell and plugins share, so that all pages look alike. */

export { CreateDialog } from "./create-dialog.tsx";
export { type Column, DataTable } from "./data-table.tsx";
export { ChoiceFilter, SearchField } from "./filters.tsx";
export { byGroup, Form, type FormField, type FormOption, type FormValue, type FormValues } from "./form.tsx";
export { ConfirmDialog, FormDialog } from "./form-dialog.tsx";
export { formatDate, formatNumber, formatTime, formatUtc } from "./format.ts";
export { Icon, iconNames } from "./icon.tsx";
export { type ListPage, useListPage } from "./list-page.ts";
export { Page, useDocumentTitle } from "./page.tsx";
export { Pager } from "./pager.tsx";
export { sentence, Ticked } from "./prose.tsx";
export { EmptyState, ErrorState, ListSkeleton, ResourceView } from "./states.tsx";
export { StatusBadge } from "./status-badge.tsx";
