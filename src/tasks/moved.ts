/** Names that moved here from `packed-rnn/training`, which re-exports them until 0.3. */
export {
  type AverageScores,
  type ClassificationMetrics,
  type ClassScores,
  classificationMetrics,
  confusionMatrix,
  type MetricsOptions,
} from './classificationMetrics.js'
export { classificationReport, type ReportOptions } from './classificationReport.js'
export { type Mistake, type RunResults, readRunRecords } from './classificationResults.js'
export { encode, loadRun, type Run, saveRun } from './classifierRun.js'
export { type ClassifyOptions, classify, type Evaluation } from './classify.js'
export { notebookTraining } from './notebook.js'
export { type Loop, type Mode, type Rules, ruleNames, rulesOf } from './rules.js'
