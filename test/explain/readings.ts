import type { Connectivity } from '../../src/explain/connectivity.js'
import type { Reading } from '../../src/explain/reading.js'

/** A prediction with these strengths. Its first class is the most probable one. */
export function prediction(strengths: readonly number[]): Connectivity {
  return {
    predicted: 0,
    probabilities: Float32Array.of(0.625, 0.375),
    strengths: Float32Array.from(strengths),
  }
}

/** An invented reading of tokens separated by spaces, with strengths computed from their positions. */
export function readingOfTokens(tokens: readonly string[], extra: Partial<Reading> = {}): Reading {
  const starts: number[] = []
  let from = 0
  for (const token of tokens) {
    starts.push(from)
    from += token.length + 1
  }
  return {
    name: 'model',
    text: tokens.join(' '),
    tokens,
    starts,
    classes: ['first', 'second'],
    predictions: tokens.map((_, position) =>
      prediction(Array.from({ length: position + 1 }, (_, t) => Math.abs(Math.sin(3 * t + position + 1)))),
    ),
    ...extra,
  }
}

/** Texts that would run a script or break the page without escaping. */
export const hostile = [
  '</script><script>window.broken=1</script>',
  '<img/src=x/onerror=window.broken=1>',
  '"><b>',
  "'&amp;",
  '<!--',
]
