/** What this plugin's API answers. */

/** A person, as `/api/crm/customers` gives it. */
export interface Customer {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly status: string;
  readonly account_id: string;
  /** Name of the account. */
  readonly account: string;
  readonly created_at: string;
}

/** A company, as `/api/crm/accounts` gives it. */
export interface Account {
  readonly id: string;
  readonly name: string;
  readonly industry: string;
  /** Who looks after it. */
  readonly owner: string;
  /** Sales in a year. */
  readonly annual_value: number;
  /** How many customers belong to it. */
  readonly customers: number;
  readonly created_at: string;
}

/** What a customer's status may be. */
export const STATUSES = ["lead", "active", "former"] as const;
