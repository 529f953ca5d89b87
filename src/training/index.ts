/**
 * Training of any task: loaders, the trainer, schedules and callbacks, checkpoints, metrics, runs and reports.
 * @module
 */

export { type BestOptions, type Callback, earlyStopping, keepBest, type Running } from './callbacks.js'
export type { CarryLeaf, CarryTree, SavedCarry } from './carry.js'
export { type Checkpoint, loadCheckpoint, saveCheckpoint } from './checkpoint.js'
export { evaluate, predict, type TaskEvaluation } from './evaluation.js'
export {
  DataLoader,
  type DataLoaderOptions,
  type LoadedBatch,
  type Loader,
  type LoaderEpoch,
} from './loader.js'
export type { OnNonFinite } from './nonFinite.js'
export { NonMonotonic, type NonMonotonicOptions, nonMonotonicStopping } from './nonMonotonic.js'
export { type NotebookPrinterOptions, notebookPrinter } from './notebookProgress.js'
export {
  type ProgressPrinter,
  type ProgressPrinterOptions,
  progressPrinter,
  type TrainingProgress,
} from './progress.js'
export type { CommonResults, EpochRecord, MetricName, Metrics, TaskResults } from './record.js'
export { byEpoch, Plateau, type PlateauOptions, type TrainerScheduler } from './schedule.js'
export type { Clip } from './stepper.js'
export type { State, StepResult, Sum, Sums, Task } from './task.js'
export { Trainer } from './trainer.js'
export type { EpochsOptions, TestOptions, TrainerOptions, TrainingEvent } from './trainerOptions.js'
export type {
  AnyOptimizer,
  AnyOptimizerState,
  EpochSums,
  TrainerPosition,
  TrainerState,
} from './trainerState.js'
