// Made by `npm run generate` from native/ops. Do not edit.

/** What the addon must say of itself: see native/ops/contract.h. */
export const contractNumber = 2046848875796747

export const precisions = {
  float32: 0,
  tf32: 1,
  bfloat16: 2,
} as const

/** `kMostMissedSteps` in native/ops/optimizers.h. */
export const mostMissedSteps = 256

/** 32-bit words of `MissedSteps` without those of the rows. */
export const missedStepsWords = 3329

export type OpName =
  | 'matmul'
  | 'batchMatmul'
  | 'gatherRows'
  | 'sumRows'
  | 'addRows'
  | 'sumColumns'
  | 'takeAlong'
  | 'addAlong'
  | 'segmentReduce'
  | 'segmentRepeat'
  | 'segmentPlace'
  | 'elementwise'
  | 'copyStrided'
  | 'fill'
  | 'sum'
  | 'reduce'
  | 'cumulativeSum'
  | 'cumulativeMax'
  | 'topK'
  | 'dropout'
  | 'draw'
  | 'crossEntropy'
  | 'softmax'
  | 'softmaxBackward'
  | 'segmentSoftmax'
  | 'segmentSoftmaxBackward'
  | 'layerNorm'
  | 'layerNormBackward'
  | 'dotAttention'
  | 'dotAttentionBackward'
  | 'additiveAttention'
  | 'additiveAttentionBackward'
  | 'recurrentForward'
  | 'recurrentBackward'
  | 'clipNorm'
  | 'clipValue'
  | 'sgdStep'
  | 'adamStep'
  | 'adamCatchUp'
  | 'asgdStep'
  | 'adagradStep'
