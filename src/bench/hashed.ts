/**
 * Uniform numbers in [-0.5, 0.5) times `scale`. The peers in Python compute the same bits: the upper 24 bits of MurmurHash3's
 * finalizer of each element's index, which are exact in float32.
 *
 * @param options `first`: the index of the first number.
 */
export function hashed(
  count: number,
  { scale = 1, first = 0 }: { scale?: number; first?: number } = {},
): Float32Array {
  const numbers = new Float32Array(count)
  const factor = Math.fround(scale)
  for (let i = 0; i < count; i++) {
    let bits = i + first
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
    bits ^= bits >>> 16
    numbers[i] = ((bits >>> 8) / 2 ** 24 - 0.5) * factor
  }
  return numbers
}
