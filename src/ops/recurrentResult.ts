import type { PackedSequence } from '../packed.js'
import type { Matrix } from '../tensor.js'
import type { LstmWeights, RecurrentWeights, States } from './recurrentOptions.js'
import type { RecurrentSaved } from './recurrentSaved.js'

/** The results of the recurrent ops, for L layers, D directions, B sequences, and R numbers in a hidden state. */

/** The result of a stack of GRU or Elman layers. */
export interface RecurrentResult {
  /** The hidden state after each token: rows of D·R numbers, forward direction first. */
  output: PackedSequence
  /** The final states [L·D, B, R], row layer · D + direction. For an empty sequence they are the initial ones. */
  hN: States
}

/** The result of a stack of LSTM layers. */
export interface LstmResult extends RecurrentResult {
  /** The final cell states [L·D, B, H]. */
  cN: States
}

/** The gradients of the results of a forward pass; default zeros. */
export interface RecurrentOutputGradients {
  /** [N, D·R] */
  dOutput?: Matrix | null
  /** [L·D, B, R] */
  dHN?: States | null
}

/** The gradients of the results of `lstmForward`; default zeros. */
export interface LstmOutputGradients extends RecurrentOutputGradients {
  /** [L·D, B, H] */
  dCN?: States | null
}

/** The gradients of the arguments of a forward pass. */
export interface RecurrentGradients {
  /** [N, I], or [U, I] for indexed rows: the sum over all tokens that use a distinct row. */
  dInput: Matrix | null
  /** In the order and shapes of the weights. */
  dWeights: RecurrentWeights[]
  /** [L·D, B, R] */
  dH0: States
}

/** The gradients of the arguments of `lstmForward`. */
export interface LstmGradients extends RecurrentGradients {
  dWeights: LstmWeights[]
  /** [L·D, B, H] */
  dC0: States
}

/** The type of `saved` for the option `train: T`: null if T is false. */
export type SavedIf<T extends boolean | undefined> = T extends false ? null : RecurrentSaved
