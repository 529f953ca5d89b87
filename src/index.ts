/**
 * LSTM, GRU and Elman layers over packed sequences: ops with explicit backward passes, a tape, modules, optimisers, and what
 * training on texts takes.
 * @module packed-rnn
 */

export { noGrad } from './autograd.js'
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
export { type ErrorCode, PackedRnnError } from './errors.js'
export * as explain from './explain/index.js'
export {
  type HostTensor,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from './formats/safetensors.js'
export { loadStateDict, saveStateDict } from './formats/stateDict.js'
export type { Mark } from './mark.js'
export * as nn from './nn/index.js'
export { concatColumns } from './ops/columns.js'
export { type DropoutPlace, dropout, dropoutForward } from './ops/dropout.js'
export { add, multiply, relu, scale, sigmoid, sum, tanh } from './ops/elementwise.js'
export {
  type EmbeddingOptions,
  type EmbeddingSaved,
  embedding,
  embeddingBackward,
  embeddingForward,
} from './ops/embedding.js'
export { linear, linearBackward, linearForward } from './ops/linear.js'
export {
  type CrossEntropyOptions,
  crossEntropy,
  crossEntropyBackward,
  crossEntropyForward,
  type Labels,
} from './ops/loss.js'
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
  RecurrentSaved,
  RecurrentWeights,
  RnnOptions,
  States,
} from './ops/recurrentInput.js'
export type {
  LstmGradients,
  LstmOutputGradients,
  LstmResult,
  RecurrentGradients,
  RecurrentOutputGradients,
  RecurrentResult,
  SavedIf,
} from './ops/recurrentResult.js'
export { reshape } from './ops/reshape.js'
export { packedRows } from './ops/rows.js'
export * as optim from './optim/index.js'
export { PackedIds, PackedSequence, packSequence, type RowIndex, Sequences } from './packed.js'
export { Generator, manualSeed } from './random.js'
export * as reports from './reports/index.js'
export { scope } from './scope.js'
export {
  type ArrayOf,
  type DType,
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
export * as text from './text/index.js'
export * as training from './training/index.js'
