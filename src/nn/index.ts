/**
 * Modules, under the names of torch.nn: parameters, their initial values, and a `forward` on the tape.
 * @module
 */

export type { StateEntry } from '../tensor.js'
export { GELU, ReLU, Sigmoid, Tanh } from './activations.js'
export { type AdaptiveLogSoftmaxOptions, AdaptiveLogSoftmaxWithLoss } from './adaptiveSoftmax.js'
export { Attention } from './attention.js'
export {
  type AttentionMemory,
  AttentionModule,
  type AttentionScore,
  type ScoreOptions,
} from './attentionModule.js'
export { type CellOptions, GRUCell, LSTMCell, RNNCell } from './cells.js'
export { type Activations, type Layer, ModuleList, Sequential } from './containers.js'
export { Conv1d, type Conv1dOptions } from './conv.js'
export { Dropout, type DropoutModuleOptions, EmbeddingDropout, LockedDropout } from './dropout.js'
export { Embedding, type EmbeddingOptions } from './embedding.js'
export { type Chosen, HardAttention } from './hardAttention.js'
export { Linear, type LinearOptions } from './linear.js'
export { LocalAttention, type LocalAttentionOptions } from './localAttention.js'
export { BCEWithLogitsLoss, CrossEntropyLoss, MSELoss, NLLLoss } from './losses.js'
export { MaskCounter } from './masks.js'
export { type LoadOptions, type LoadResult, Module, type ModuleOptions } from './module.js'
export { BatchNorm1d, type BatchNorm1dOptions, LayerNorm, type LayerNormModuleOptions } from './norms.js'
export { buffer, type Parameter, parameter } from './parameter.js'
export {
  GRU,
  type GruModuleOptions,
  LSTM,
  type LstmModuleOptions,
  RecurrentModule,
  type RecurrentModuleOptions,
  RNN,
  type RnnModuleOptions,
} from './recurrent.js'
export { LstmOutput, RecurrentOutput } from './recurrentOutput.js'
export {
  LstmState,
  type LstmStateLike,
  RecurrentState,
  type RecurrentStateLike,
} from './recurrentState.js'
export { SelfAttention, type SelfAttentionOptions } from './selfAttention.js'
export type { PaddedBatch, SequenceBatch, StateRank } from './sequenceBatch.js'
export { WeightDrop, type WeightDropOptions } from './weightDrop.js'
