/** Ways to narrow a list: one value of a field, or words to search for. */

import { SegmentedControl, TextInput } from "@mantine/core";
import Search from "lucide-react/icons/search";
import type { ReactNode } from "react";
import styles from "./filters.module.css";

interface ChoiceProps {
  /** What is chosen from, for those who cannot see it. */
  readonly label: string;
  readonly values: readonly string[];
  /** Empty for all. */
  readonly chosen: string;
  readonly onChoose: (value: string) => void;
}

/** A row of choices, "all" first. */
export function ChoiceFilter({ label, values, chosen, onChoose }: ChoiceProps): ReactNode {
  return (
    <SegmentedControl
      aria-label={label}
      className={styles.choice}
      value={chosen}
      onChange={onChoose}
      data={[{ value: "", label: "all" }, ...values.map((value) => ({ value, label: value }))]}
    />
  );
}

interface SearchProps {
  /** What is searched, for those who cannot see the placeholder. */
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** A field for words to search for. */
export function SearchField({ label, placeholder, value, onChange }: SearchProps): ReactNode {
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={placeholder}
      leftSection={<Search size={16} aria-hidden="true" />}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      className={styles.search}
    />
  );
}
