import { sizeOf } from '../reference/exact.js'
import { away, each, oneToTwo } from './randomDice.js'
import { type Draw, total } from './randomOpsFamilies.js'

/** Draws for norms and losses. */

// Norms and losses --------------------------------------------------------------------------------------------

export const layerNorm =
  (packed: boolean): Draw =>
  dice => {
    // Of two numbers only the sign is left, and nothing of their gradient.
    const width = dice.chance(8) ? 1 : 4 + dice.below(dice.pick([6, 60]))
    const most = Math.floor(1500 / width)
    const lengths = packed ? dice.lengths(most) : []
    const before = packed ? [total(lengths)] : dice.shape({ rank: dice.below(4), most })
    const rows = sizeOf(before)
    const x = [...before, width]
    return {
      inputs: {
        [packed ? 'rows' : 'x']: x,
        ...dice.maybe({ weight: [width] }),
        ...dice.maybe({ bias: [width] }),
      },
      options: { ...(packed && { lengths }), ...dice.maybe({ eps: 0.1 }, 3) },
      terms: { value: width, gradient: Math.max(rows, width) },
      scale: { value: 1 / 4, gradient: 1 / 4 },
    }
  }

export const batchNorm =
  (packed: boolean): Draw =>
  dice => {
    const width = dice.size()
    const training = dice.chance()
    const lengths = [4 + dice.below(40), ...(packed ? dice.lengths(60) : [])]
    const x = [total(lengths), width]
    const running = {
      runningMean: dice.numbers([width]),
      runningVar: dice.numbers([width], oneToTwo),
    }
    return {
      inputs: {
        [packed ? 'rows' : 'x']: x,
        ...dice.maybe({ weight: [width] }),
        ...dice.maybe({ bias: [width] }),
      },
      constants: training ? dice.maybe(running) : running,
      options: { training, ...(packed && { lengths }), ...dice.maybe({ eps: 0.1 }, 3) },
      terms: { value: total(lengths), gradient: total(lengths) },
      scale: { value: 1 / 4, gradient: 1 / 4 },
    }
  }

export const weightNorm: Draw = dice => {
  const v = dice.shape({ rank: 2 + dice.below(2), least: 1 })
  const dim = dice.dim(v.length)
  const axis = dim < 0 ? dim + v.length : dim
  const terms = sizeOf(v) / v[axis]!
  return {
    inputs: { v, g: v.map((n, d) => (d === axis ? n : 1)) },
    options: { dim },
    fill: away,
    terms: { value: terms, gradient: terms },
    // The norm has the scale of its root, and the gradient is a difference of directions over it.
    scale: { gradient: 1 / Math.sqrt(terms) },
  }
}

export const reductions = ['mean', 'sum', 'none'] as const

export const ofLabels =
  (input: string, smoothing: boolean): Draw =>
  dice => {
    const others = dice.shape({ rank: dice.below(3), least: 1, most: 30 })
    const [N, C] = [1 + dice.below(dice.pick([4, 30])), 1 + dice.below(dice.pick([3, 20, 70]))]
    const labels = dice.integers([N, ...others], C)
    const size = sizeOf(labels.shape)
    return {
      inputs: { [input]: [N, C, ...others] },
      integers: { labels },
      constants: dice.maybe({ weight: dice.numbers([C], oneToTwo) }, 3),
      options: {
        reduction: dice.pick(reductions),
        ...dice.maybe({ ignoreIndex: dice.below(C) }, 4),
        ...(smoothing ? dice.maybe({ labelSmoothing: 0.125 }, 3) : {}),
      },
      terms: { value: size * C, gradient: C },
    }
  }

export const ofTargets =
  (logits: boolean): Draw =>
  dice => {
    const shape = dice.shape()
    const options = { reduction: dice.pick(reductions) }
    const terms = { value: sizeOf(shape) }
    if (!logits) return { inputs: { input: shape, target: shape }, options, terms }
    const weights = {
      ...dice.maybe({ weight: dice.numbers(shape, oneToTwo) }, 3),
      ...(shape.length > 0 ? dice.maybe({ posWeight: dice.numbers([shape.at(-1)!], oneToTwo) }, 3) : {}),
    }
    const targets = dice.numbers(
      shape,
      each(g => g.below(5) / 4),
    )
    return { inputs: { logits: shape }, constants: { targets, ...weights }, options, terms }
  }
