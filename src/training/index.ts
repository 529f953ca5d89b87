/**
 * The training loop over documents, its presets, checkpoints, metrics and reports.
 * @module
 */
export { type Checkpoint, loadCheckpoint, saveCheckpoint } from './checkpoint.js'
export { Classifier, type ClassifierOptions } from './classifier.js'
export { type Evaluation, evaluate } from './evaluate.js'
export {
  type AverageScores,
  type ClassificationMetrics,
  type ClassScores,
  classificationMetrics,
  confusionMatrix,
  type MetricsOptions,
} from './metrics.js'
export type { OnNonFinite } from './nonFinite.js'
export { type NotebookPrinterOptions, notebookPrinter } from './notebookProgress.js'
export { type Preset, type PresetName, presets } from './presets.js'
export {
  type ProgressPrinter,
  type ProgressPrinterOptions,
  progressPrinter,
  type TrainingProgress,
} from './progress.js'
export type { EpochRecord, Mistake, RunResults } from './record.js'
export { readRunRecords } from './records.js'
export { classificationReport, type ReportOptions } from './report.js'
export { type Loop, type Mode, type Pooling, type Rules, rulesOf } from './rules.js'
export { encode, loadRun, type Run, saveRun } from './run.js'
export { type FitOptions, Trainer, type TrainingOptions } from './trainer.js'
export type { EpochSums, TrainerPosition, TrainerState } from './trainerState.js'
