/** A number with its noun. */

/** "1 member", "3 members". */
export function countOf(count: number, word: string): string {
  return count === 1 ? `1 ${word}` : `${count} ${word}s`;
}
