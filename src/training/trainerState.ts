import type { StateEntry } from '../nn/index.js'
import type { SavedCarry } from './carry.js'
import type { EpochRecord } from './record.js'

/** Sums over the steps of an epoch so far. Skipped steps count only in `skipped`. */
export interface EpochSums {
  /** The task's sums by name, including `loss` and `weight`. */
  totals: Record<string, number>
  /** The number of skipped steps. */
  skipped: number
  /** The sum of the gradient norms. */
  gradNorm: number
  /** The largest gradient norm. */
  largestGradNorm: number
  /** The learning rate of the last step. */
  learningRate: number
}

/** The position of a trainer in its run. */
export interface TrainerPosition {
  /** The number of completed epochs. */
  epoch: number
  /** The number of steps in the current epoch. */
  step: number
  /** The sums of the current epoch. */
  sums: EpochSums
  /** The number of tokens in all epochs. */
  tokens: number
  /** The time spent on training in all epochs. */
  seconds: number
  /** The loader's description of its order, which cannot change in the middle of an epoch. */
  way: string
  /** `tokens` and `seconds` at the start of the current epoch. */
  epochStart: { tokens: number; seconds: number }
  /** The records of the completed epochs. */
  history: EpochRecord[]
}

/** The options and state of an optimiser. JSON can hold `groups`. */
export interface AnyOptimizerState {
  groups: { options: object; parameters: number }[]
  tensors: Map<string, StateEntry>
}

/** Any optimiser of `optim`, or your own optimiser. */
export interface AnyOptimizer {
  /** The groups of parameters; a scheduler sets their rates. */
  readonly groups: readonly { lr: number }[]
  /** Updates the parameters that have a gradient. */
  step(): void
  /**
   * Exchanges the parameters with their averages, if the optimiser keeps any. The trainer tests a model between two calls, and its
   * state never has exchanged values.
   */
  swapAverages?(): void
  /** Returns a copy of options and state after the steps issued so far. */
  stateDict(): Promise<AnyOptimizerState>
  /** Sets options and state from a result of `stateDict`. */
  loadStateDict(state: AnyOptimizerState): void
  /** Releases the memory of the state. */
  dispose(): void
  /** Calls `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void
}

/** Everything that a run needs to resume with the same bits. */
export interface TrainerState {
  position: TrainerPosition
  /** The number of dropout masks drawn so far, by the name of the counter, such as `lstm.masks`. */
  masks: Record<string, number>
  /** The state of the scheduler, which JSON can hold; null without a scheduler. */
  scheduler: unknown
  /** The carry that the last batch returned. */
  carry: SavedCarry
  model: ReadonlyMap<string, StateEntry>
  optimizer: AnyOptimizerState
}
