import { logSoftmax, mean, type Reduced, reduce, sum } from './arrayReductions.js'
import { add, at, build, combine, div, mul, type NdArray, nd, sqrt, sub } from './arrays.js'

/** Normalisation and losses in float64. */

/** The mean of the squared distances from the mean. */
function variance(x: NdArray, options: Reduced): NdArray {
  const away = sub(x, mean(x, { ...options, keepdim: true }))
  return mean(mul(away, away), options)
}

/** Over the last dimension. */
export function layerNorm(
  x: NdArray,
  weight: NdArray | null = null,
  bias: NdArray | null = null,
  { eps = 1e-5 }: { eps?: number } = {},
): NdArray {
  const last: Reduced = { dim: -1, keepdim: true }
  const y = div(sub(x, mean(x, last)), sqrt(add(variance(x, last), eps)))
  return add(mul(y, weight ?? 1), bias ?? 0)
}

export interface BatchNorm {
  weight?: NdArray | null
  bias?: NdArray | null
  runningMean?: NdArray | null
  runningVar?: NdArray | null
  training?: boolean
  momentum?: number
  eps?: number
}

/** Of each column of `x` [N, C]; the running variance takes that of the batch with N − 1 below, as PyTorch's. */
export function batchNorm(
  x: NdArray,
  { weight, bias, runningMean, runningVar, training = false, momentum = 0.1, eps = 1e-5 }: BatchNorm,
): { y: NdArray; runningMean: NdArray | null; runningVar: NdArray | null } {
  const rows: Reduced = { dim: 0 }
  const given = !training && runningMean && runningVar
  const center = given ? runningMean : mean(x, rows)
  const spread = given ? runningVar : variance(x, rows)
  const y = add(mul(div(sub(x, center), sqrt(add(spread, eps))), weight ?? 1), bias ?? 0)
  const N = x.shape[0]!
  const moved = (old: NdArray | null | undefined, now: NdArray) =>
    old ? (training ? add(mul(old, 1 - momentum), mul(now, momentum)) : old) : null
  return {
    y,
    runningMean: moved(runningMean, center),
    runningVar: moved(runningVar, mul(spread, N / (N - 1))),
  }
}

/** g · v / |v|, the norm over all dimensions but `dim`; `g` has ones in those. */
export function weightNorm(v: NdArray, g: NdArray, { dim = 0 }: { dim?: number } = {}): NdArray {
  const axis = dim < 0 ? dim + v.shape.length : dim
  const others = [...v.shape.keys()].filter(d => d !== axis)
  return mul(v, div(g, sqrt(sum(mul(v, v), { dim: others, keepdim: true }))))
}

// Losses ------------------------------------------------------------------------------------------------------

export type Reduction = 'mean' | 'sum' | 'none'

function reduced(losses: NdArray, reduction: Reduction): NdArray {
  return reduction === 'none' ? losses : reduction === 'sum' ? sum(losses) : mean(losses)
}

export interface NllLoss {
  /** [C] */
  weight?: NdArray | null
  ignoreIndex?: number
  reduction?: Reduction
}

/**
 * −weight[label] · x[n, label, …] for `x` [N, C, …], and `labels` [N, …] row-major; the mean divides by the sum of the labels'
 * weights. With `labelSmoothing` s, every class counts s/C, and the label 1 − s more.
 */
export function nllLoss(
  x: NdArray,
  labels: ArrayLike<number>,
  {
    weight = null,
    ignoreIndex = -100,
    reduction = 'mean',
    labelSmoothing = 0,
  }: NllLoss & { labelSmoothing?: number } = {},
): NdArray {
  const C = x.shape[1]!
  const weights = weight?.data ?? new Float64Array(C).fill(1)
  const ofLabels = nd([x.shape[0]!, ...x.shape.slice(2)], labels)
  const losses = build(ofLabels.shape, place => {
    const label = at(ofLabels, place)
    if (label === ignoreIndex) return 0
    let loss = 0
    for (let c = 0; c < C; c++) {
      const target = labelSmoothing / C + (c === label ? 1 - labelSmoothing : 0)
      // What counts nothing is not read: it may be infinite.
      if (target * weights[c]! === 0) continue
      loss -= target * weights[c]! * at(x, [place[0]!, c, ...place.slice(1)])
    }
    return loss
  })
  if (reduction !== 'mean') return reduced(losses, reduction)
  return div(
    sum(losses),
    reduce(ofLabels, {}, all =>
      all.reduce((total, label) => total + (label === ignoreIndex ? 0 : weights[label]!), 0),
    ),
  )
}

export function crossEntropy(
  logits: NdArray,
  labels: ArrayLike<number>,
  options: NllLoss & { labelSmoothing?: number } = {},
): NdArray {
  return nllLoss(logSoftmax(logits, 1), labels, options)
}

export function mseLoss(
  input: NdArray,
  target: NdArray,
  { reduction = 'mean' }: { reduction?: Reduction } = {},
): NdArray {
  const away = sub(input, target)
  return reduced(mul(away, away), reduction)
}

/** −weight · (posWeight · t · log σ(z) + (1 − t) · log(1 − σ(z))); the mean divides by the number of elements. */
export function bceWithLogits(
  logits: NdArray,
  targets: NdArray,
  {
    weight,
    posWeight,
    reduction = 'mean',
  }: { weight?: NdArray | null; posWeight?: NdArray | null; reduction?: Reduction } = {},
): NdArray {
  const losses = combine(
    (z = NaN, t = NaN, w = NaN, p = NaN) => {
      const logOfOther = Math.log1p(Math.exp(-Math.abs(z)))
      const [logIs, logIsNot] = [Math.min(z, 0) - logOfOther, Math.min(-z, 0) - logOfOther]
      return -w * (p * t * logIs + (1 - t) * logIsNot)
    },
    logits,
    targets,
    weight ?? 1,
    posWeight ?? 1,
  )
  return reduced(losses, reduction)
}
