import type { PackedSequence } from '../packed.js'
import type { Matrix } from '../tensor.js'
import type { LstmWeights, RecurrentSaved, RecurrentWeights, States } from './recurrentInput.js'

/** What the recurrent ops give back: L layers, D directions, B sequences, and R numbers in a hidden state. */

/** What a stack of GRU or Elman layers gives. */
export interface RecurrentResult {
  /** The hidden state after each token: rows of D·R numbers, forward direction first. */
  output: PackedSequence
  /** The last states [L·D, B, R], row layer · D + direction; an empty sequence's are its initial ones. */
  hN: States
}

/** What a stack of LSTM layers gives. */
export interface LstmResult extends RecurrentResult {
  /** The last cell states [L·D, B, H]. */
  cN: States
}

/** The gradients in the results of a forward pass; those left out are zeros. */
export interface RecurrentOutputGradients {
  /** [N, D·R] */
  dOutput?: Matrix | null
  /** [L·D, B, R] */
  dHN?: States | null
}

/** The gradients in the results of `lstmForward`; those left out are zeros. */
export interface LstmOutputGradients extends RecurrentOutputGradients {
  /** [L·D, B, H] */
  dCN?: States | null
}

/** The gradients in what a forward pass was given. */
export interface RecurrentGradients {
  /** [N, I], or for an indexed input [U, I]: a distinct row's sum over all its places. */
  dInput: Matrix | null
  /** In the order and shapes of the weights. */
  dWeights: RecurrentWeights[]
  /** [L·D, B, R] */
  dH0: States
}

/** The gradients in what `lstmForward` was given. */
export interface LstmGradients extends RecurrentGradients {
  dWeights: LstmWeights[]
  /** [L·D, B, H] */
  dC0: States
}

/** What a forward pass with the option `train: T` saves: nothing where that is false. */
export type SavedIf<T extends boolean | undefined> = T extends false ? null : RecurrentSaved
