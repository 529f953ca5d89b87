import type { OptionNames } from '../check.js'
import type { Module } from '../nn/index.js'
import type { Callback } from './callbacks.js'
import type { Loader } from './loader.js'
import type { OnNonFinite } from './nonFinite.js'
import type { TrainingProgress } from './progress.js'
import type { EpochRecord } from './record.js'
import type { TrainerScheduler } from './schedule.js'
import type { Clip } from './stepper.js'
import type { State, Task } from './task.js'
import type { AnyOptimizer } from './trainerState.js'

/** Options of `Trainer`. */
export interface TrainerOptions<
  Batch,
  Carry extends State = null,
  Answer = unknown,
  Model extends Module = Module,
> {
  /** The model to train. */
  model: Model
  /** The task, with the same `model`. */
  task: Task<Batch, Carry, Answer>
  /** The optimiser of the parameters to train. */
  optimizer: AnyOptimizer
  /** Sets learning rates. An `optim.Scheduler` acts after each step; `byEpoch` and `Plateau` act after each epoch. */
  scheduler?: TrainerScheduler
  /** Gradient clipping; default none. Without it, an epoch's record has the norm over all parameters. */
  clip?: Clip
  /** The number of batches in a step; default 1. The last step of an epoch may have fewer. */
  accumulate?: number
  /**
   * What to do if the loss or a gradient of a step is NaN or infinite:
   *
   * - `'throw'`, the default: the step changes nothing, and `fit` rejects with ERR_NON_FINITE, naming epoch, step and parameter. Up
   *   to three later steps are already issued; they take effect if their own numbers are finite.
   * - `'skip'`: the step changes nothing, and `fit` continues and reports it in `TrainingProgress.skipped`.
   * - `'ignore'`: nothing is checked, as in PyTorch.
   *
   * The carry is passed on in all cases.
   */
  onNonFinite?: OnNonFinite
  /** Called at each event, in this order, before the body of the loop. */
  callbacks?: readonly Callback[]
}

/** @internal */
export const trainerNames: OptionNames<TrainerOptions<unknown, State>> = {
  model: true,
  task: true,
  optimizer: true,
  scheduler: true,
  clip: true,
  accumulate: true,
  onNonFinite: true,
  callbacks: true,
}

/** Options of `Trainer.fit`. */
export interface EpochsOptions<Batch, Carry extends State = null> {
  /** The number of epochs in total, including those already completed. */
  epochs: number
  /**
   * Tests the model at the end of epochs; the epoch's record has the metrics. A test does not affect training, and its time does
   * not count.
   */
  test?: TestOptions<Batch, Carry>
  /** Stops the run before the next step. The iterator then throws the signal's reason. */
  signal?: AbortSignal
}

/** How a model is tested between epochs. */
export interface TestOptions<Batch, Carry extends State = null> {
  /** The batches to test on. */
  loader: Loader<Batch>
  /** Tests after every `every` epochs; default 1. */
  every?: number
  /** The task that computes the metrics; default the trainer's. */
  task?: Task<Batch, Carry>
}

/** @internal */
export const epochsNames: OptionNames<EpochsOptions<unknown>> = { epochs: true, test: true, signal: true }
/** @internal */
export const testNames: OptionNames<TestOptions<unknown>> = { loader: true, every: true, task: true }

/** An event of `fit`. At `epoch` no step is pending. */
export type TrainingEvent = ({ event: 'step' } & TrainingProgress) | { event: 'epoch'; record: EpochRecord }
