import { broadcastShape, sizeOf } from '../reference/exact.js'
import type { TapeOptions, Values } from '../reference/exactCalls.js'
import { coarse, type Dice, offBounds } from './randomDice.js'
import { binary, type Draw, type Drawn, lengthAt, ofRows, total } from './randomOpsFamilies.js'

/** Draws for ops of shapes, indices and sequences. */

// Shapes and indices ------------------------------------------------------------------------------------------

export const reshape: Draw = dice => {
  const x = dice.shape({ least: dice.below(2) })
  const size = sizeOf(x)
  const shapes: readonly [number[], ...number[][]] = [
    [size],
    x.toReversed(),
    [1, ...x.slice(0, 3)],
    ...(size > 0 ? [[-1], [-1, x.at(-1) ?? 1]] : []),
  ]
  const shape = dice.pick(shapes)
  return { inputs: { x }, options: { shape: shape.includes(-1) || sizeOf(shape) === size ? shape : [size] } }
}

/** Options that need a dimension of `x` and its length. */
export const atDim =
  (options: (dice: Dice, length: number, rank: number) => TapeOptions, least = 0): Draw =>
  dice => {
    const x = dice.shape({ rank: 1 + dice.below(4), least })
    const dim = dice.dim(x.length)
    return { inputs: { x }, options: { dim, ...options(dice, lengthAt(x, dim), x.length) } }
  }

export const permute: Draw = dice => {
  const x = dice.shape()
  return {
    inputs: { x },
    options: { dims: dice.generator.shuffle(x.map((_, d) => d - (dice.chance() ? x.length : 0))) },
  }
}

export const squeeze: Draw = dice => {
  const x = dice.shape({ rank: dice.below(4) })
  const at = dice.below(x.length + 1)
  return { inputs: { x: x.toSpliced(at, 0, 1) }, options: dice.maybe({ dim: at }) }
}

export const expand: Draw = dice => {
  const shape = dice.shape()
  const x = dice.narrower(shape)
  return { inputs: { x }, options: { shape }, terms: { gradient: sizeOf(shape) / Math.max(1, sizeOf(x)) } }
}

export const several =
  (stacked: boolean): Draw =>
  dice => {
    const shape = dice.shape({ rank: stacked ? dice.below(4) : 1 + dice.below(4), most: 1000 })
    const dim = dice.dim(shape.length + (stacked ? 1 : 0))
    const axis = dim < 0 ? dim + shape.length : dim
    const names = Array.from({ length: 1 + dice.below(4) }, (_, n) => `x${n}`)
    const one = () => (stacked ? shape : shape.with(axis, dice.size()))
    return { inputs: Object.fromEntries(names.map(name => [name, one()])), options: { dim } }
  }

export const split = atDim((dice, length) => {
  if (dice.chance()) return { sizes: 1 + dice.below(length) }
  const first = dice.below(length + 1)
  return { sizes: [first, 0, length - first].slice(0, dice.pick([3, 3])) }
}, 1)

/** An index of any length along `dim`, and of at most that of `shape` along the others. */
export function indexOf(dice: Dice, shape: readonly number[], axis: number): Values {
  const along = dice.size()
  const smaller = shape.map((n, d) => (d === axis ? along : dice.chance(4) ? dice.below(n + 1) : n))
  return dice.integers(smaller, shape[axis]!)
}

export const gather =
  (scatter: boolean): Draw =>
  dice => {
    const x = dice.shape({ rank: 1 + dice.below(3), least: 1, most: 1000 })
    const dim = dice.dim(x.length)
    const axis = dim < 0 ? dim + x.length : dim
    const index = indexOf(dice, x, axis)
    const terms = 1 + index.shape[axis]!
    if (!scatter) return { inputs: { x }, integers: { index }, options: { dim }, terms: { gradient: terms } }
    const source = index.shape.map(n => n + (dice.chance(4) ? dice.below(3) : 0))
    return { inputs: { x, source }, integers: { index }, options: { dim }, terms: { value: terms } }
  }

export const indexSelect: Draw = dice => {
  const x = dice.shape({ rank: 1 + dice.below(4), least: 1, most: 1000 })
  const dim = dice.dim(x.length)
  const index = dice.integers([dice.size()], lengthAt(x, dim))
  return { inputs: { x }, integers: { index }, options: { dim }, terms: { gradient: index.shape[0]! } }
}

export const where: Draw = dice => {
  const drawn = binary()(dice)
  const shape = broadcastShape(...Object.values(drawn.inputs))
  return { ...drawn, constants: { condition: dice.numbers(dice.narrower(shape), coarse) } }
}

export const maskedFill: Draw = dice => {
  const x = dice.shape()
  return {
    inputs: { x },
    constants: { mask: dice.numbers(dice.narrower(x), coarse) },
    options: { value: -2.5 },
  }
}

export const clamp =
  (rows: boolean): Draw =>
  dice => {
    const bounds = dice.pick<{ min?: number; max?: number }>([
      { min: -1, max: 1 },
      { min: 0.25 },
      { max: -0.5 },
    ])
    if (!rows) return { inputs: { x: dice.shape() }, options: bounds, fill: offBounds }
    const { inputs, options } = ofRows()(dice)
    return { inputs, options: { ...options, ...bounds }, fill: offBounds }
  }

// Sequences ---------------------------------------------------------------------------------------------------

export const ofTokens =
  (options: (dice: Dice, lengths: readonly number[]) => TapeOptions): Draw =>
  dice => {
    const lengths = dice.lengths()
    const given = options(dice, lengths)
    const inputs = { rows: [total(lengths), 1 + dice.below(dice.pick([4, 30]))] }
    return { inputs, options: { lengths, ...given }, terms: { gradient: given.kernelSize ?? 1 } }
  }

export const unfold = ofTokens(dice => ({
  kernelSize: 1 + dice.below(4),
  padding: dice.pick(['causal', 'same', 'valid'] as const),
  ...dice.maybe({ dilation: 1 + dice.below(3) }),
}))

export const concatSequences: Draw = dice => {
  const [lengths, moreLengths, width] = [dice.lengths(), dice.lengths(), dice.size()]
  return {
    inputs: { rows: [total(lengths), width], more: [total(moreLengths), width] },
    options: { lengths, moreLengths },
  }
}

export const repeatRows: Draw = dice => {
  const lengths = dice.lengths()
  const x = [lengths.length, dice.size()]
  return { inputs: { x }, options: { lengths }, terms: { gradient: Math.max(1, ...lengths) } }
}

export const ofColumns =
  (scale: (width: number) => Drawn['scale']): Draw =>
  dice => {
    const [lengths, width] = [dice.lengths(), dice.size(1)]
    const inputs = { rows: [total(lengths), width] }
    return {
      inputs,
      options: { lengths },
      terms: { value: width, gradient: width },
      scale: scale(width) ?? {},
    }
  }
