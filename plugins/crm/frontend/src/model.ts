/** What this plugin's API answers. */

/** A customer, as `/api/crm/customers` gives it. */
export interface Customer {
  readonly id: string | number;
  readonly name: string;
  readonly email: string | null;
  readonly segment: string | null;
  readonly status: string;
  readonly created_at: string;
}

/** An account, as `/api/crm/accounts` gives it. */
export interface Account {
  readonly id: string | number;
  readonly name: string;
  readonly industry: string | null;
  readonly owner: string | null;
  readonly annual_revenue: number;
  readonly created_at: string;
}
