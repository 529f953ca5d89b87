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
} from '../tasks/index.js'
export * from '../training/index.js'
// These also take the arguments of version 0.1, until 0.3.
export type { Trainer as TaskTrainer } from '../training/trainer.js'
export type { FitOptions, TrainingOptions } from './documents.js'
export { evaluate } from './evaluate.js'
export { Trainer } from './trainer.js'
