/**
 * Modules, under the names of torch.nn: parameters, their initial values, and a `forward` on the tape.
 * @module
 */
export type { StateEntry } from '../tensor.js'
export { Dropout, type MaskCounter } from './dropout.js'
export { Embedding, type EmbeddingOptions } from './embedding.js'
export { Linear, type LinearOptions } from './linear.js'
export {
  type LoadOptions,
  type LoadResult,
  Module,
  type ModuleOptions,
  type Parameter,
} from './module.js'
export {
  GRU,
  type GruModuleOptions,
  LSTM,
  type LstmModuleOptions,
  type LstmState,
  RecurrentModule,
  type RecurrentModuleOptions,
  type RecurrentState,
  RNN,
  type RnnModuleOptions,
} from './recurrent.js'
export { LstmOutput, RecurrentOutput } from './recurrentOutput.js'
export type { PaddedBatch, SequenceBatch } from './sequenceBatch.js'
