/**
 * Modules, under the names of torch.nn: parameters, their initial values, and a `forward` on the tape.
 * @module
 */
export type { StateEntry } from '../tensor.js'
export { GELU, ReLU, Sigmoid, Tanh } from './activations.js'
export { Attention } from './attention.js'
export type { AttentionMemory, AttentionScore } from './attentionModule.js'
export { type CellOptions, GRUCell, LSTMCell, RNNCell } from './cells.js'
export { type Activations, type Layer, ModuleList, Sequential } from './containers.js'
export { Conv1d, type Conv1dOptions } from './conv.js'
export { Dropout, type DropoutModuleOptions, EmbeddingDropout, LockedDropout } from './dropout.js'
export { Embedding, type EmbeddingOptions } from './embedding.js'
export { Linear, type LinearOptions } from './linear.js'
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
export type { PaddedBatch, SequenceBatch, StateRank } from './sequenceBatch.js'
export { WeightDrop, type WeightDropOptions } from './weightDrop.js'
