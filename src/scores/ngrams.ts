/**
 * Counts the n-grams of some tokens.
 * @param between joins the tokens of an n-gram: a character that is in none of them, or nothing for single characters.
 */
export function ngramsOf(tokens: readonly string[], n: number, between: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (let i = 0; i + n <= tokens.length; i++) {
    const ngram = tokens.slice(i, i + n).join(between)
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1)
  }
  return counts
}

/** The sum of `min(a, b)` over all n-grams. */
export function matchesOf(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let matches = 0
  for (const [ngram, count] of a) matches += Math.min(count, b.get(ngram) ?? 0)
  return matches
}

/** The n-grams in all, repeated ones included. */
export function totalOf(counts: ReadonlyMap<string, number>): number {
  let total = 0
  for (const count of counts.values()) total += count
  return total
}
