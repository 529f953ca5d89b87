/**
 * Training of any task: loaders, the trainer, schedules and callbacks, checkpoints, metrics, runs and reports.
 * @module
 */

// Moved to models and tasks; kept here for one version.
export {
  /** @deprecated Import it from `packed-rnn/models`. */
  Classifier,
  type ClassifierLayers,
  type ClassifierOptions,
} from '../models/classifier.js'
export type { Pooling } from '../models/pooling.js'
export {
  type Preset,
  type PresetName,
  /** @deprecated Import it from `packed-rnn/models`. */
  presets,
} from '../models/presets.js'
export {
  type AverageScores,
  type ClassificationMetrics,
  type ClassifyOptions,
  type ClassScores,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  classificationMetrics,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  classificationReport,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  confusionMatrix,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  encode,
  type Loop,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  loadRun,
  type MetricsOptions,
  type Mistake,
  type Mode,
  type ReportOptions,
  type Rules,
  type Run,
  type RunResults,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  readRunRecords,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  rulesOf,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  saveRun,
} from '../tasks/moved.js'
export { type BestOptions, type Callback, earlyStopping, keepBest, type Running } from './callbacks.js'
export type { CarryLeaf, CarryTree, SavedCarry } from './carry.js'
export { type Checkpoint, loadCheckpoint, saveCheckpoint } from './checkpoint.js'
export { type Evaluation, evaluate } from './evaluate.js'
export { predict, type TaskEvaluation } from './evaluation.js'
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
export type { TaskTrainer } from './taskTrainer.js'
export { type FitOptions, Trainer, type TrainingOptions } from './trainer.js'
export type { EpochsOptions, TestOptions, TrainerOptions, TrainingEvent } from './trainerOptions.js'
export type {
  AnyOptimizer,
  AnyOptimizerState,
  EpochSums,
  TrainerPosition,
  TrainerState,
} from './trainerState.js'
