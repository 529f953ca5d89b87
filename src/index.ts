/**
 * LSTM, GRU and Elman layers over packed sequences: tensors, ops with explicit backward passes, a tape, modules and optimisers.
 * Everything else has an entry point: `packed-rnn/text`, `/training`, `/tasks`, `/models`, `/decoding`, `/scores`, `/formats`,
 * `/reports`, `/explain`.
 * @module packed-rnn
 */

export { type Gradients, noGrad } from './autograd.js'
export {
  type CustomResult,
  customGrad,
  detach,
  type GradOptions,
  grad,
} from './customGrad.js'
export {
  type CpuListing,
  type CudaListing,
  type Device,
  type DeviceOptions,
  device,
  devices,
  type Obstacle,
  type Precision,
} from './device.js'
export type { Operand } from './elements.js'
export { type ErrorCode, PackedRnnError } from './errors.js'
export type { Mark } from './mark.js'
export * as nn from './nn/index.js'
export {
  type Attended,
  type AttentionOptions,
  additiveAttention,
  type DotAttentionOptions,
  dotAttention,
} from './ops/attention.js'
export { concatColumns } from './ops/columns.js'
export { cummax } from './ops/cumulative.js'
export { type DropoutOptions, type DropoutPlace, dropout, dropoutForward } from './ops/dropout.js'
export {
  abs,
  add,
  type BinaryOp,
  type ClampOptions,
  clamp,
  div,
  eq,
  exp,
  gelu,
  gt,
  log,
  lt,
  maximum,
  minimum,
  mul,
  multiply,
  neg,
  pow,
  relu,
  scale,
  sigmoid,
  softplus,
  sqrt,
  sub,
  tanh,
  type UnaryOp,
  where,
} from './ops/elementwise.js'
export {
  type EmbeddingOptions,
  type EmbeddingSaved,
  embedding,
  embeddingBackward,
  embeddingForward,
} from './ops/embedding.js'
export {
  gather,
  type Index,
  indexSelect,
  maskedFill,
  oneHot,
  scatterAdd,
} from './ops/indexing.js'
export { linear, linearBackward, linearForward } from './ops/linear.js'
export { type LinearCrossEntropyOptions, linearCrossEntropy } from './ops/linearLoss.js'
export {
  type BceWithLogitsOptions,
  bceWithLogits,
  type CrossEntropyOptions,
  type CrossEntropyResult,
  crossEntropy,
  crossEntropyBackward,
  crossEntropyForward,
  type Labels,
  type LossReduction,
  type MseLossOptions,
  mseLoss,
  type NllLossOptions,
  nllLoss,
} from './ops/loss.js'
export {
  type BatchNormOptions,
  batchNorm,
  type LayerNormOptions,
  layerNorm,
  type WeightNormOptions,
  weightNorm,
} from './ops/norms.js'
export {
  fromTimeMajor,
  type PackPaddedOptions,
  type PadPackedOptions,
  packPaddedSequence,
  padPackedSequence,
  type TimeMajor,
  toTimeMajor,
} from './ops/packing.js'
export { lastHidden, lastOutput, maxPool, meanPool } from './ops/pooling.js'
export { bmm, type CosineOptions, cosineSimilarity, matmul } from './ops/products.js'
export {
  type ArangeOptions,
  arange,
  bernoulli,
  type DrawOptions,
  type MultinomialOptions,
  multinomial,
  type RandomOptions,
  rand,
  randn,
  zerosLike,
} from './ops/random.js'
export {
  gru,
  gruBackward,
  gruForward,
  lstm,
  lstmBackward,
  lstmForward,
  rnn,
  rnnBackward,
  rnnForward,
} from './ops/recurrent.js'
export type {
  GruOptions,
  LstmOptions,
  LstmWeights,
  RecurrentOptions,
  RecurrentWeights,
  RnnOptions,
  States,
} from './ops/recurrentOptions.js'
export type {
  LstmGradients,
  LstmOutputGradients,
  LstmResult,
  RecurrentGradients,
  RecurrentOutputGradients,
  RecurrentResult,
  SavedIf,
} from './ops/recurrentResult.js'
export type { RecurrentSaved } from './ops/recurrentSaved.js'
export {
  type AlongOptions,
  amax,
  amin,
  argmax,
  cumsum,
  logsumexp,
  mean,
  type NormOptions,
  norm,
  type ReduceOptions,
  sum,
  type TopkOptions,
  topk,
} from './ops/reduce.js'
export { packedRows } from './ops/rows.js'
export { type SampledCrossEntropyOptions, sampledCrossEntropy } from './ops/sampledLoss.js'
export {
  concatSequences,
  flip,
  repeatRows,
  type ShiftOptions,
  segmentLogsumexp,
  segmentMax,
  segmentMean,
  segmentSoftmax,
  segmentSum,
  shift,
  splitSequences,
  type UnfoldOptions,
  unfold,
} from './ops/sequences.js'
export {
  cat,
  clone,
  expand,
  narrow,
  permute,
  reshape,
  roll,
  split,
  squeeze,
  stack,
  transpose,
  unsqueeze,
} from './ops/shape.js'
export { logSoftmax, type SoftmaxOptions, softmax } from './ops/softmax.js'
export * as optim from './optim/index.js'
export { PackedIds, PackedSequence, packIds, packSequence, type RowIndex, Sequences } from './packed.js'
export { Generator, manualSeed } from './random.js'
export { scope } from './scope.js'
export {
  type ArrayOf,
  type DType,
  type Float,
  type FloatOptions,
  full,
  type Matrix,
  memory,
  type Ranks,
  type Scalar,
  type Shape,
  type StateEntry,
  Tensor,
  tensor,
  type Vector,
  zeros,
} from './tensor.js'
