import type { Named } from '../reference/exactCalls.js'
import { away, between, coarse, distinct, farFromZero, oneToTwo, uniform } from './randomDice.js'
import {
  attention,
  binary,
  both,
  type Draw,
  line,
  linear,
  ofRows,
  ofShares,
  product,
  reduction,
  segment,
  similarity,
  unary,
} from './randomOpsFamilies.js'
import { batchNorm, layerNorm, ofLabels, ofTargets, weightNorm } from './randomOpsNorms.js'
import {
  atDim,
  clamp,
  concatSequences,
  expand,
  gather,
  indexSelect,
  maskedFill,
  ofColumns,
  ofTokens,
  permute,
  repeatRows,
  reshape,
  several,
  split,
  squeeze,
  unfold,
  where,
} from './randomOpsShapes.js'

/** How a case of each op is drawn. */
export const draws: Named<Draw> = {
  ...both('neg'),
  ...both('exp'),
  ...both('log', oneToTwo),
  ...both('sqrt', oneToTwo),
  ...both('abs', away),
  ...both('softplus'),
  ...both('sigmoid'),
  ...both('tanh'),
  ...both('relu', away),
  ...both('gelu'),
  add: binary(),
  sub: binary(),
  mul: binary(),
  div: binary({ b: farFromZero }),
  pow: binary({ a: oneToTwo }),
  maximum: binary({ a: distinct, b: between }),
  minimum: binary({ a: distinct, b: between }),
  eq: binary(coarse),
  gt: binary(coarse),
  lt: binary(coarse),
  where,
  clamp: clamp(false),
  clampPacked: clamp(true),

  sum: reduction(),
  mean: reduction({ mean: true }),
  amax: reduction({ fill: distinct, least: 1 }),
  amin: reduction({ fill: distinct, least: 1 }),
  argmax: reduction({ fill: coarse, least: 1, single: true }),
  norm: dice => {
    const p = dice.pick([1, 2, Infinity] as const)
    const fill = p === 1 ? away : p === 2 ? uniform : distinct
    const drawn = reduction({ fill, least: p === Infinity ? 1 : 0 })(dice)
    return { ...drawn, options: { ...drawn.options, p }, scale: {} }
  },
  logsumexp: line(dice => dice.maybe({ keepdim: true }), {
    least: 1,
    scale: () => ({ value: 1, gradient: 0 }),
  }),
  cumsum: line(),
  cummax: line(undefined, { fill: distinct }),
  cummaxIndices: line(undefined, { fill: coarse }),
  topk: line((dice, length) => ({ k: 1 + dice.below(length), ...dice.maybe({ largest: false }) }), {
    fill: distinct,
    least: 1,
  }),
  topkIndices: line((dice, length) => ({ k: 1 + dice.below(length), ...dice.maybe({ largest: false }) }), {
    fill: coarse,
    least: 1,
  }),
  softmax: line(undefined, { scale: ofShares }),
  // The gradient is that of a result, less its share of all.
  logSoftmax: line(undefined, { scale: () => ({ gradient: 1 / 4 }) }),
  softmaxPacked: ofColumns(ofShares),
  logSoftmaxPacked: ofColumns(() => ({ gradient: 1 / 4 })),

  matmul: product(false),
  bmm: product(true),
  cosineSimilarity: similarity,
  linear: linear(false),
  linearPacked: linear(true),

  reshape,
  clone: unary(),
  transpose: dice => {
    const x = dice.shape({ rank: 1 + dice.below(4) })
    return { inputs: { x }, options: { dims: [dice.dim(x.length), dice.dim(x.length)] } }
  },
  permute,
  squeeze,
  unsqueeze: dice => {
    const x = dice.shape({ rank: dice.below(4) })
    return { inputs: { x }, options: { dim: dice.dim(x.length + 1) } }
  },
  expand,
  cat: several(false),
  stack: several(true),
  split,
  narrow: atDim((dice, length) => {
    const start = dice.below(length + 1)
    return { start, length: dice.below(length - start + 1) }
  }),
  roll: atDim(dice => ({ shift: dice.below(161) - 80 })),
  flip: atDim(() => ({})),

  indexSelect,
  gather: gather(false),
  scatterAdd: gather(true),
  maskedFill,
  oneHot: dice => {
    const classes = 1 + dice.below(dice.pick([3, 40]))
    return { inputs: {}, integers: { labels: dice.integers([dice.size()], classes) }, options: { classes } }
  },

  repeatRows,
  segmentSum: segment(),
  segmentMean: segment(),
  segmentMax: segment(distinct),
  segmentLogsumexp: segment(undefined, { empty: false, scale: { value: 1 } }),
  segmentSoftmax: segment(undefined, { shares: true }),
  flipSequences: ofRows(),
  shift: ofTokens(dice => ({ by: dice.below(9) - 4, ...dice.maybe({ fill: 1.5 }) })),
  unfold,
  dotAttention: attention(false),
  additiveAttention: attention(true),
  concatSequences,
  splitSequences: ofTokens((dice, lengths) => {
    const first = dice.below(lengths.length + 1)
    return { counts: [first, 0, lengths.length - first] }
  }),

  layerNorm: layerNorm(false),
  layerNormPacked: layerNorm(true),
  batchNorm: batchNorm(false),
  batchNormPacked: batchNorm(true),
  weightNorm,

  crossEntropy: ofLabels('logits', true),
  nllLoss: ofLabels('logProbabilities', false),
  mseLoss: ofTargets(false),
  bceWithLogits: ofTargets(true),
}
