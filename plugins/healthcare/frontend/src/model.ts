/** What this plugin's API answers, and the surface that its pages offer. */

/** A patient record, as `/api/healthcare/records` gives it. */
export interface PatientRecord {
  readonly id: string | number;
  readonly patient_name: string;
  readonly diagnosis: string | null;
  readonly facility: string | null;
  readonly status: string;
  readonly created_at: string;
}

/** A facility, as `/api/healthcare/facilities` gives it. */
export interface Facility {
  readonly id: string | number;
  readonly name: string;
  readonly city: string | null;
  readonly kind: string | null;
  readonly beds: number;
  readonly created_at: string;
}

declare module "@platform/plugin-host" {
  interface SurfaceProps {
    /** One patient record in a list; another plugin may draw it its own way. */
    "block:RecordCard": { readonly record: PatientRecord };
  }
}
