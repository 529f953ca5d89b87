/**
 * Compares strings by code point, as Python and UTF-8 bytes sort them. JavaScript's `<` compares UTF-16 units, which puts
 * U+1F600 before U+FFFD.
 */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (one !== other) return place(one) - place(other)
  }
  return a.length - b.length
}

/** Moves surrogates above all other units: every character beyond U+FFFF begins with one. */
function place(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
