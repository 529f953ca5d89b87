import type { StateEntry } from '../nn/index.js'
import type { SavedCarry } from './carry.js'
import type { EpochRecord } from './record.js'

/** Of the steps of an epoch so far. Steps that were left out for a number that is not finite are in `skipped` alone. */
export interface EpochSums {
  /** What the task adds up, by name; `loss` and `weight` are among them. */
  totals: Record<string, number>
  skipped: number
  /** Of the norms of the steps. */
  gradNorm: number
  /** Not a sum. */
  largestGradNorm: number
  /** Not a sum: of the last step. */
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
  /** How its epoch goes through the items: in the middle of an epoch this cannot change. */
  way: string
  /** Those of the current epoch's first step. */
  epochStart: { tokens: number; seconds: number }
  history: EpochRecord[]
}

/** The options and state of an optimiser; JSON holds its `groups`. */
export interface AnyOptimizerState {
  groups: { options: object; parameters: number }[]
  tensors: Map<string, StateEntry>
}

/** Any optimiser of `optim`, or one of your own. */
export interface AnyOptimizer {
  /** A scheduler sets their rates. */
  readonly groups: readonly { lr: number }[]
  /** One step over the parameters that have a gradient. */
  step(): void
  /** A copy of options and state, as they are after the steps issued so far. */
  stateDict(): Promise<AnyOptimizerState>
  /** Sets options and state to what `stateDict` returned. */
  loadStateDict(state: AnyOptimizerState): void
  /** Frees the state. */
  dispose(): void
  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void
}

/** All that a run needs to go on with the same bits. */
export interface TrainerState {
  position: TrainerPosition
  /** Masks that each module's dropout has drawn, by the path of its counter: `lstm.masks`. */
  masks: Record<string, number>
  /** What the scheduler remembers, which JSON holds; null without one. */
  scheduler: unknown
  /** What the last batch passed on. */
  carry: SavedCarry
  model: ReadonlyMap<string, StateEntry>
  optimizer: AnyOptimizerState
}
