/** What this plugin's API answers, and the surface that its pages offer. */

/** A patient record, as `/api/healthcare/records` gives it. */
export interface PatientRecord {
  readonly id: string;
  readonly patient: string;
  readonly diagnosis: string;
  readonly status: string;
  readonly facility_id: string;
  /** Name of the facility. */
  readonly facility: string;
  readonly created_at: string;
}

/** A facility, as `/api/healthcare/facilities` gives it. */
export interface Facility {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly city: string;
  readonly beds: number;
  readonly created_at: string;
}

/** What a patient record's status may be. */
export const STATUSES = ["admitted", "outpatient", "discharged"] as const;

/** What a facility may be. */
export const KINDS = ["hospital", "clinic", "practice"] as const;

declare module "@platform/plugin-host" {
  interface SurfaceProps {
    /** One patient record in a list; another plugin may draw it its own way. */
    "block:RecordCard": { readonly record: PatientRecord };
  }
}
