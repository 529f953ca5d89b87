import { broadcastShape, sizeOf } from '../reference/exact.js'
import type { Named, TapeCase, TapeOptions } from '../reference/exactCalls.js'
import { away, type Dice, type Fill, uniform } from './randomDice.js'

/** How cases of the tape's ops are drawn: shapes, options, what inputs are filled with, how long sums are. */

export interface Drawn extends TapeCase {
  fill?: Fill | Named<Fill>
  /** The number of terms in the sums of results and of gradients; 1 without sums. */
  terms?: { value?: number; gradient?: number }
  /** The scale of results and of gradients if sums and differences may cancel. */
  scale?: { value?: number; gradient?: number }
}

export const total = (lengths: readonly number[]) => lengths.reduce((sum, length) => sum + length, 0)
export const lengthAt = (shape: readonly number[], dim: number) => shape.at(dim) ?? 1

// Families ----------------------------------------------------------------------------------------------------

export type Draw = (dice: Dice) => Drawn

export const unary =
  (fill: Fill = uniform): Draw =>
  dice => ({ inputs: { x: dice.shape() }, fill })

export const ofRows =
  (fill: Fill = uniform): Draw =>
  dice => {
    const lengths = dice.lengths()
    return { inputs: { rows: [total(lengths), dice.size()] }, options: { lengths }, fill }
  }

export const both = (name: string, fill?: Fill): Record<string, Draw> => ({
  [name]: unary(fill),
  [`${name}Packed`]: ofRows(fill),
})

/** Either operand may be a number. */
export const binary =
  (fill: Fill | Named<Fill> = uniform): Draw =>
  dice => {
    const shape = dice.shape()
    const given = dice.pick(['a', 'b', 'both', 'both', 'both', 'both'])
    if (given !== 'both') {
      return { inputs: { [given]: shape }, options: given === 'a' ? { b: 1.375 } : { a: 1.625 }, fill }
    }
    const [a, b] = [dice.narrower(shape), dice.narrower(shape)]
    const size = sizeOf(broadcastShape(a, b))
    const terms = size / Math.max(1, Math.min(sizeOf(a), sizeOf(b)))
    return { inputs: { a, b }, fill, terms: { gradient: terms } }
  }

export const reduction =
  ({ fill = uniform, least = 0, single = false, mean = false } = {}): Draw =>
  dice => {
    const x = dice.shape({ least, rank: dice.below(5) })
    const keepdim = dice.maybe({ keepdim: true }, 3)
    const dims = x.map((_, d) => d).filter(() => dice.chance())
    const several = !single && dims.length > 1 && dice.chance()
    const one = several || x.length === 0 || dice.chance(4) ? {} : { dim: dice.dim(x.length) }
    const options: TapeOptions = several ? { dims, ...keepdim } : { ...one, ...keepdim }
    const count = several
      ? sizeOf(dims.map(d => x[d]!))
      : options.dim === undefined
        ? sizeOf(x)
        : lengthAt(x, options.dim)
    const scale = Math.sqrt(count) / (4 * (mean ? Math.max(1, count) : 1))
    return { inputs: { x }, options, fill, terms: { value: count }, scale: { value: scale } }
  }

/** Functions of whole lines, whose gradients are sums along them too. */
export const line =
  (
    options: (dice: Dice, length: number) => TapeOptions = () => ({}),
    { fill = uniform, least = 0, scale = (length: number) => ({ gradient: Math.sqrt(length) / 4 }) } = {},
  ): Draw =>
  dice => {
    const x = dice.shape({ rank: 1 + dice.below(4), least })
    const dim = dice.dim(x.length)
    const length = lengthAt(x, dim)
    const terms = { value: length, gradient: length }
    return { inputs: { x }, options: { dim, ...options(dice, length) }, fill, terms, scale: scale(length) }
  }

/** The gradient of a softmax is a difference of shares. */
export const ofShares = (length: number) => ({ gradient: 1 / (4 * Math.max(1, length)) })

export interface Segment {
  /** Whether some sequences may be empty. */
  empty?: boolean
  /** Whether the results are shares, whose gradient is a difference of shares. */
  shares?: boolean
  scale?: Drawn['scale']
}

/** Sums over the tokens of sequences. */
export const segment =
  (fill: Fill = uniform, { empty = true, shares = false, scale = {} }: Segment = {}): Draw =>
  dice => {
    const lengths = dice.lengths().filter(length => empty || length > 0)
    const longest = Math.max(1, ...lengths)
    return {
      inputs: { rows: [total(lengths), dice.size()] },
      options: { lengths },
      fill,
      terms: { value: longest, gradient: shares ? longest : 1 },
      scale: shares ? ofShares(longest) : { value: 1 / 4, ...scale },
    }
  }

/** Queries and keys of a few sequences, the queries packed or one for each. */
export const attention =
  (v: boolean): Draw =>
  dice => {
    const lengths = dice.lengths(dice.pick([8, 40]))
    const queries = lengths.map(() => dice.below(dice.pick([2, 4, 9])))
    const single = dice.chance()
    const [width, columns] = [dice.size(), dice.size()]
    const [M, N] = [single ? lengths.length : total(queries), total(lengths)]
    const options: TapeOptions = {
      lengths,
      ...(!single && { queries }),
      ...(!v && dice.maybe({ scale: 0.75 })),
      ...(!v && dice.maybe({ causal: true })),
    }
    const inputs = { query: [M, width], keys: [N, width], values: [N, columns] }
    const terms = width + Math.max(1, ...lengths, ...queries) + columns
    return {
      inputs: { ...inputs, ...(v && { v: [width] }) },
      options,
      terms: { value: terms, gradient: terms },
      scale: { value: 1 / 4, gradient: 1 / 2 },
    }
  }

export const similarity: Draw = dice => {
  const a = dice.shape({ rank: 1 + dice.below(3) })
  const dim = dice.dim(a.length)
  const terms = lengthAt(a, dim)
  // A difference from a product of the two directions, over the length of the own one.
  const scale = { value: 1 / 4, gradient: 1 / Math.sqrt(Math.max(1, terms)) }
  return {
    inputs: { a, b: a },
    options: { dim },
    fill: away,
    terms: { value: terms, gradient: terms },
    scale,
  }
}

/** With a bias in half of the cases. */
export const linear =
  (rows: boolean): Draw =>
  dice => {
    const lengths = dice.lengths(8)
    const [N, I, O] = [rows ? total(lengths) : dice.size(), dice.size(), dice.size()]
    const inputs = { [rows ? 'rows' : 'x']: [N, I], weight: [O, I], ...(dice.chance() && { bias: [O] }) }
    const gradient = Math.max(N, O)
    return {
      inputs,
      ...(rows && { options: { lengths } }),
      terms: { value: I + 1, gradient },
      scale: { value: Math.sqrt(I + 1) / 4, gradient: Math.sqrt(gradient) / 4 },
    }
  }

export const product =
  (batched: boolean): Draw =>
  dice => {
    const most = dice.chance(10) ? 100_000 : 10_000
    const batch = batched ? [dice.size()] : dice.shape({ rank: dice.below(3), most: 20 })
    let [m, k, n] = [dice.size(), dice.size(), dice.size()]
    while (m * k * n * sizeOf(batch) > most)
      [m, k, n] = [Math.ceil(m / 2), Math.ceil(k / 2), Math.ceil(n / 2)]
    const of = () => (batched ? batch : dice.narrower(batch))
    const inputs = { a: [...of(), m, k], b: [...of(), k, n] }
    const gradient = Math.max(m, n) * Math.max(1, sizeOf(batch))
    const terms = { value: k, gradient }
    return { inputs, terms, scale: { value: Math.sqrt(k) / 4, gradient: Math.sqrt(gradient) / 4 } }
  }
