import type { Generator } from '../../src/random.js'
import { sizeOf } from '../reference/exact.js'
import type { Values } from '../reference/exactCalls.js'

/** Functions that draw random cases of the tape's ops. */

/** The numbers of an input. A step of 10⁻⁵ reaches no corner of the op. */
export type Fill = (generator: Generator, size: number) => number[]

// Fills -------------------------------------------------------------------------------------------------------

export const each =
  (draw: (generator: Generator) => number): Fill =>
  (generator, size) =>
    Array.from({ length: size }, () => draw(generator))

export const uniform = each(g => g.uniform(-1, 1))
export const away = each(g => (g.below(2) === 0 ? -1 : 1) * g.uniform(0.1, 1))
export const oneToTwo = each(g => g.uniform(1, 2))
export const farFromZero = each(g => (g.below(2) === 0 ? -1 : 1) * g.uniform(0.5, 2))
/** Few different numbers, so that some are equal; for results without a gradient. */
export const coarse = each(g => (g.below(9) - 4) / 4)
/** No two numbers are equal, and no two magnitudes either. */
export const distinct: Fill = (g, size) =>
  g.shuffle(Array.from({ length: size }, (_, n) => (n + 0.5) / 256)).map(x => (g.below(2) === 0 ? -x : x))
/** Between those. */
export const between: Fill = (g, size) => distinct(g, size).map(x => x + 1 / 1024)
/** Not near the bounds, which are quarters. */
export const offBounds = each(g => (g.below(16) - 7.5) / 4)

// Shapes ------------------------------------------------------------------------------------------------------

export class Dice {
  readonly generator: Generator

  constructor(generator: Generator) {
    this.generator = generator
  }

  below(n: number): number {
    return this.generator.below(n)
  }

  chance(n = 2): boolean {
    return this.below(n) === 0
  }

  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)]!
  }

  /** A size from `least` to 70, sometimes 0 or 1, and more often small than large. */
  size(least = 0): number {
    if (least === 0 && this.chance(30)) return 0
    if (this.chance(6)) return 1
    return 1 + this.below(this.pick([4, 9, 20, 70]))
  }

  /** A shape of `rank` dimensions, or of 0 to 4, with at most `most` elements, sometimes thousands. */
  shape({ rank = this.below(5), least = 0, most = this.chance(8) ? 8000 : 1500 } = {}): number[] {
    if (rank === 1 && this.chance(4)) return [1 + this.below(most)]
    const shape = Array.from({ length: rank }, () => this.size(least))
    while (sizeOf(shape) > most) {
      const longest = shape.indexOf(Math.max(...shape))
      shape[longest] = Math.ceil(shape[longest]! / 2)
    }
    return shape
  }

  /** A dimension, counted from either end. */
  dim(rank: number): number {
    return this.below(rank) - (this.chance() ? rank : 0)
  }

  /** Shapes that broadcast to about `shape`: fewer dimensions, and some of them 1. */
  narrower(shape: readonly number[]): number[] {
    const dropped = this.chance(3) ? this.below(shape.length + 1) : 0
    return shape.slice(dropped).map(n => (this.chance(4) ? 1 : n))
  }

  /** Sometimes one of the options. */
  maybe<T extends object>(options: T, n = 2): Partial<T> {
    return this.chance(n) ? options : {}
  }

  lengths(tokens = this.pick([30, 300])): number[] {
    const longest = this.pick([3, 20, 150])
    const lengths = Array.from({ length: 1 + this.below(this.pick([3, 12])) }, () =>
      this.chance(7) ? 0 : 1 + this.below(longest),
    )
    // Limits the number of tokens; the first lengths are unchanged.
    let left = tokens
    return lengths.map(length => {
      const kept = Math.min(length, left)
      left -= kept
      return kept
    })
  }

  integers(shape: readonly number[], below: number): Values {
    return { shape, data: Array.from({ length: sizeOf(shape) }, () => this.below(below)) }
  }

  numbers(shape: readonly number[], fill: Fill = uniform): Values {
    return { shape, data: fill(this.generator, sizeOf(shape)).map(Math.fround) }
  }
}
