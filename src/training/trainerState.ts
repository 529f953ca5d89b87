import type { StateEntry } from '../nn/index.js'
import type { Adam, SGD } from '../optim/index.js'
import type { EpochRecord } from './record.js'

/** Of the steps of an epoch so far. */
export interface EpochSums {
  loss: number
  /** What the sum of losses is divided by: documents, or steps. */
  weight: number
  documents: number
  /** Documents whose category had the largest logit. */
  right: number
  /** Steps that were left out for a number that is not finite; they are in no other sum. */
  skipped: number
  gradNorm: number
  /** No sum. */
  largestGradNorm: number
  /** No sum: of the last step. */
  learningRate: number
}

/** How far a trainer is. */
export interface TrainerPosition {
  /** Epochs that are over. */
  epoch: number
  /** Steps of the current epoch. */
  step: number
  sums: EpochSums
  /** Of all epochs. */
  tokens: number
  seconds: number
  /** How its epoch goes through the documents: in the middle of one that cannot change. */
  way: string
  /** Those of the current epoch's first step. */
  epochStart: { tokens: number; seconds: number }
  history: EpochRecord[]
}

export type AdamState = Awaited<ReturnType<Adam['stateDict']>>
export type SgdState = Awaited<ReturnType<SGD['stateDict']>>

/** All that a run needs to go on with the same bits. */
export interface TrainerState {
  position: TrainerPosition
  /** Masks that dropout has drawn. */
  masks: number
  model: ReadonlyMap<string, StateEntry>
  /** Its `groups` are what JSON can hold. */
  optimizer: Pick<AdamState, 'tensors'> & { groups: AdamState['groups'] | SgdState['groups'] }
}
