import { Generator } from '../../../src/random.js'

/**
 * Sizes and numbers that no tensor has, or that overflow something. Not among the sizes is 2³¹ − 1: it may be had, for gigabytes
 * of index.
 */
const STRANGE = [
  ...[-1, 0.5, Number.NaN, Infinity, -Infinity, -0, 1e-300],
  ...[2 ** 31, 2 ** 32, 2 ** 33 + 1, 2 ** 40, 2 ** 53 - 1, 2 ** 53, 1e300],
]

/** Draws the arguments of one call: mostly what it takes, and now and then anything else. */
export class Hostile {
  #generator: Generator

  constructor(seed: number) {
    this.#generator = new Generator(seed)
  }

  /** Continues with other draws. */
  seed(seed: number): void {
    this.#generator = new Generator(seed)
  }

  /** Whether something that happens once in n times happens. */
  once(n: number): boolean {
    return this.#generator.below(n) === 0
  }

  below(n: number): number {
    return this.#generator.below(n)
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }

  /** Small, 0 among them. */
  size(): number {
    return this.once(60) ? this.oneOf(STRANGE) : this.below(this.once(8) ? 40 : 7)
  }

  /** Small and at least 1. */
  width(): number {
    return this.once(60) ? this.oneOf(STRANGE) : 1 + this.below(this.once(8) ? 40 : 6)
  }

  /** `usual`, or something that is not allowed anywhere. */
  number(usual: number): number {
    return this.once(25) ? this.oneOf([...STRANGE, 2 ** 31 - 1]) : usual
  }

  uniform(low: number, high: number): number {
    return this.#generator.uniform(low, high)
  }

  shape(rank = this.oneOf([0, 1, 1, 2, 2, 2, 3, 3, 4])): number[] {
    return Array.from({ length: rank }, () => this.size())
  }

  /** Numbers near 1, and now and then some that are not finite, or zeros of both signs. */
  values(count: number): Float32Array {
    const special = this.once(12) ? [Number.NaN, Infinity, -Infinity, 3e38, -0, 1e-42] : []
    return Float32Array.from({ length: count }, () =>
      special.length > 0 && this.once(4) ? this.oneOf(special) : this.uniform(-2, 2),
    )
  }

  lengths(batch = this.below(5)): number[] {
    return Array.from({ length: batch }, () => this.number(this.below(this.once(6) ? 30 : 5)))
  }

  ids(below: number): number[][] {
    return this.lengths().map(length =>
      Array.from({ length: length <= 30 && length > 0 ? length : 0 }, () =>
        this.number(this.below(Math.max(1, this.once(20) ? 2 * below : below))),
      ),
    )
  }
}
