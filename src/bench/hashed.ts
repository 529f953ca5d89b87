/**
 * Uniform numbers in [-0.5, 0.5) times `scale`, that the peers in Python compute bit for bit: MurmurHash3's finalizer of
 * each element's index, whose upper 24 bits make the number, which float32 holds exactly.
 *
 * @param options `first`: the index of the first one.
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
