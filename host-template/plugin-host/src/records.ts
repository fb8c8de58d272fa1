/** The platform's own records and the lists in which every API answers. */

/** One record of the platform. */
export interface PlatformRecord {
  readonly id: string | number;
  readonly title: string;
  readonly subtitle?: string | null;
  readonly status?: string | null;
  /** Who made it: `platform`, or a plugin's slug. */
  readonly source?: string | null;
  /** Whatever else there is to know, by name. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** RFC 3339. */
  readonly created_at?: string | null;
}

/** One page of a list. */
export interface ListOf<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly limit: number;
  readonly offset: number;
}
