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

/** What is trained, and how. */
export interface TrainerOptions<
  Batch,
  Carry extends State = null,
  Answer = unknown,
  Model extends Module = Module,
> {
  /** Whose parameters, mode and masks are the run's. */
  model: Model
  /** How a batch becomes a loss; its `model` is the same. */
  task: Task<Batch, Carry, Answer>
  /** Over the parameters that are trained. */
  optimizer: AnyOptimizer
  /** An `optim.Scheduler` counts steps of the optimiser; `byEpoch`, `Plateau` or your own act at the end of epochs. */
  scheduler?: TrainerScheduler
  /** Default: nothing is clipped, and an epoch's record has the norm over all parameters. */
  clip?: Clip
  /** Batches in a step of the optimiser; default 1. The last step of an epoch may have fewer. */
  accumulate?: number
  /**
   * What happens where the loss or a gradient of a step is NaN or infinite. `'throw'`, the default, and `'skip'` leave the
   * parameters and the optimiser as they were; then `fit` rejects with ERR_NON_FINITE, naming epoch, step and parameter, or goes
   * on and reports it in `TrainingProgress.skipped`. Up to three steps behind one that throws are issued already, and are made
   * where their own numbers are finite. A carry goes on as it is. `'ignore'` looks for nothing and steps along, as PyTorch does.
   */
  onNonFinite?: OnNonFinite
  /** Called at each event before the loop's body, in this order. */
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

/** How long a trainer runs. */
export interface EpochsOptions<Batch, Carry extends State = null> {
  /** Epochs in all; those that are over count. */
  epochs: number
  /**
   * Tests the model at the end of every so many epochs (default 1), for the epoch's record; `task`, by default the trainer's,
   * says what is measured. It changes no bit of the training, and its time does not count.
   */
  test?: TestOptions<Batch, Carry>
  /** Ends the run before the next step; the iterator then throws the signal's reason. */
  signal?: AbortSignal
}

/** How a model is tested between epochs. */
export interface TestOptions<Batch, Carry extends State = null> {
  loader: Loader<Batch>
  every?: number
  task?: Task<Batch, Carry>
}

/** @internal */
export const epochsNames: OptionNames<EpochsOptions<unknown>> = { epochs: true, test: true, signal: true }
/** @internal */
export const testNames: OptionNames<TestOptions<unknown>> = { loader: true, every: true, task: true }

/** What `fit` reports. At `epoch` nothing is pending. */
export type TrainingEvent = ({ event: 'step' } & TrainingProgress) | { event: 'epoch'; record: EpochRecord }
