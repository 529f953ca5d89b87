import { checkInstance } from './check.js'
import { badArgument } from './errors.js'

/**
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
 * a counter-based generator. `native/philox.h` is the same, so a seed has the same bits on the host and on every
 * device.
 */
export function philox(
  key: readonly [number, number],
  counter: readonly [number, number, number, number],
): [number, number, number, number] {
  let [k0, k1] = key
  let [c0, c1, c2, c3] = counter
  for (let round = 0; round < 10; round++) {
    const hi0 = mulHigh(0xd2511f53, c0)
    const lo0 = Math.imul(0xd2511f53, c0)
    const hi1 = mulHigh(0xcd9e8d57, c2)
    const lo1 = Math.imul(0xcd9e8d57, c2)
    c0 = (hi1 ^ c1 ^ k0) >>> 0
    c1 = lo1 >>> 0
    c2 = (hi0 ^ c3 ^ k1) >>> 0
    c3 = lo0 >>> 0
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  return [c0, c1, c2, c3]
}

/**
 * Returns the high 32 bits of an unsigned 32 × 32 bit product, computed in halves that a double holds
 * exactly.
 */
function mulHigh(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const rest = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(rest / 0x10000)) >>> 0
}

/**
 * A stream of random numbers on the host, by the counter-based Philox4x32-10 (Salmon et al. 2011).
 *
 * @example
 * ```ts
 * import { Generator } from 'packed-rnn'
 *
 * const one = new Generator(7)
 * const two = new Generator(7)
 * console.log(one.uniform() === two.uniform(), one.below(6) < 6) // true true
 * console.log(one.shuffle(['a', 'b', 'c']), one.position) // ['b', 'a', 'c'] 2
 * ```
 */
export class Generator {
  /** The key of its numbers. */
  readonly seed: number
  /**
   * The blocks of four numbers drawn so far. A new generator with the same seed and stream, set to this
   * position, continues with the next block.
   */
  position = 0
  readonly #stream: number
  #block: [number, number, number, number] = [0, 0, 0, 0]
  #used = 4

  /**
   * Starts a stream of random numbers.
   *
   * @param seed an integer from 0 to 2^53 - 1.
   * @param stream separates generators with the same seed.
   */
  constructor(seed: number, stream = 0) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw badArgument('Generator', 'seed', 'an integer from 0 to 2^53 - 1', seed)
    }
    this.seed = seed
    this.#stream = stream
  }

  /** Returns 32 random bits, as an unsigned integer. */
  bits(): number {
    if (this.#used === 4) {
      const high = Math.floor(this.position / 2 ** 32)
      const key = [this.seed >>> 0, Math.floor(this.seed / 2 ** 32)] as const
      this.#block = philox(key, [this.position >>> 0, high, this.#stream >>> 0, 0x484f5354])
      this.position++
      this.#used = 0
    }
    return this.#block[this.#used++]!
  }

  /** Returns a uniform number in [low, high), with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const bits = (this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)
    return low + (high - low) * (bits / 2 ** 53)
  }

  /** Returns a standard normal number, by the Box-Muller transform. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** Returns a uniform integer in [0, n), unbiased; n is at most 2^32. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw badArgument('Generator.below', 'n', 'an integer from 1 to 2^32', n)
    }
    const limit = 2 ** 32 - (2 ** 32 % n)
    for (;;) {
      const bits = this.bits()
      if (bits < limit) return bits % n
    }
  }

  /** Shuffles an array in place (Fisher-Yates) and returns it. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const held = items[i]!
      items[i] = items[j]!
      items[j] = held
    }
    return items
  }
}

let shared = new Generator(0)

/**
 * Seeds the default generator, which modules and random ops use unless they get another one.
 *
 * @param seed an integer from 0 to 2^53 - 1.
 * @example
 * ```ts
 * import { manualSeed, rand } from 'packed-rnn'
 *
 * manualSeed(1)
 * const first = await rand([2]).toArray()
 * manualSeed(1)
 * const again = await rand([2]).toArray()
 * console.log(first[0] === again[0], first[1] === again[1]) // true true
 * ```
 */
export function manualSeed(seed: number): void {
  shared = new Generator(seed)
}

/** @internal */
export function defaultGenerator(): Generator {
  return shared
}

/** Checks that a generator, if there is one, is a `Generator`. @internal */
export function checkGenerator(op: string, generator: Generator | undefined): void {
  if (generator !== undefined) checkInstance(op, 'generator', generator, Generator)
}
