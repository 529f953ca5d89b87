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
  type ClassScores,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  classificationMetrics,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  confusionMatrix,
  type MetricsOptions,
} from '../tasks/classificationMetrics.js'
export {
  /** @deprecated Import it from `packed-rnn/tasks`. */
  classificationReport,
  type ReportOptions,
} from '../tasks/classificationReport.js'
export {
  type Mistake,
  type RunResults,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  readRunRecords,
} from '../tasks/classificationResults.js'
export {
  /** @deprecated Import it from `packed-rnn/tasks`. */
  encode,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  loadRun,
  type Run,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  saveRun,
} from '../tasks/classifierRun.js'
export type { ClassifyOptions, Evaluation } from '../tasks/classify.js'
export {
  type Loop,
  type Mode,
  type Rules,
  /** @deprecated Import it from `packed-rnn/tasks`. */
  rulesOf,
} from '../tasks/rules.js'
export * from '../training/index.js'
// These also take the arguments of version 0.1, until 0.3.
export type { Trainer as TaskTrainer } from '../training/trainer.js'
export type { FitOptions, TrainingOptions } from './documents.js'
export { evaluate } from './evaluate.js'
export { Trainer } from './trainer.js'
