export { loadCheckpoint, saveCheckpoint } from './checkpoint.js'
export { Classifier, type ClassifierOptions } from './classifier.js'
export { type Evaluation, evaluate } from './evaluate.js'
export { type ClassificationMetrics, classificationMetrics, confusionMatrix } from './metrics.js'
export { type NotebookPrinterOptions, notebookPrinter } from './notebookProgress.js'
export { type Preset, type PresetName, presets } from './presets.js'
export { type ProgressPrinter, progressPrinter, type TrainingProgress } from './progress.js'
export { classificationReport } from './report.js'
export { type Loop, type Mode, type Pooling, type Rules, rulesOf } from './rules.js'
export { encode, loadRun, type Run, saveRun } from './run.js'
export {
  type EpochFigures,
  type FitOptions,
  Trainer,
  type TrainerState,
  type TrainingOptions,
} from './trainer.js'
