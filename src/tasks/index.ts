/**
 * Tasks for `Trainer`: each defines a loss, metrics and predictions.
 * @module
 */

export type { CacheOptions } from './cachePointer.js'
export {
  type Category,
  Classification,
  type ClassificationOptions,
  type DocumentModel,
  documentLoader,
  type LabelledDocument,
} from './classification.js'
export {
  type AverageScores,
  type ClassificationMetrics,
  type ClassScores,
  classificationMetrics,
  confusionMatrix,
  type MetricsOptions,
} from './classificationMetrics.js'
export { classificationReport, type ReportOptions } from './classificationReport.js'
export {
  type ClassifierResults,
  type Mistake,
  type RunResults,
  readRunRecords,
} from './classificationResults.js'
export { encode, loadRun, type Run, saveRun } from './classifierRun.js'
export { type ClassifyOptions, classify, type Evaluation } from './classify.js'
export {
  type Continuation,
  type ContinuationOptions,
  type GenerateBestOptions,
  type GenerateOptions,
  generate,
  generateBest,
} from './generation.js'
export { LanguageLearner, languageModelLearner } from './languageLearner.js'
export { type LanguageCarry, LanguageModeling, type LanguageModelingOptions } from './languageModeling.js'
export type { LanguageResults } from './languageResults.js'
export { type LanguageRun, loadLanguageModel, saveLanguageModel } from './languageRun.js'
export {
  type LineScore,
  type ScoreTextOptions,
  scoreLines,
  scoreText,
  type TextScores,
} from './languageScores.js'
export type {
  BeamSearchTextOptions,
  FitOneCycleOptions,
  FitOptions,
  LearnerOptions,
  LearningRate,
  PredictWordsOptions,
} from './learnerOptions.js'
export { type NotebookTraining, notebookTraining, type RecurrentClassifier } from './notebook.js'
export {
  inItemOrder,
  type PairBatch,
  type PairItem,
  pairBatch,
  pairLoader,
  type SentencePair,
} from './pairs.js'
export { type Loop, type Mode, type Rules, rulesOf } from './rules.js'
export { StreamLoader, type StreamLoaderOptions, type Window } from './streams.js'
export { type CsvTextOptions, type TextDataOptions, TextLMDataBunch } from './textDataBunch.js'
export {
  type BleuReferences,
  type FoundTranslation,
  type SearchOptions,
  type TranslateOptions,
  Translation,
  type TranslationOptions,
  translate,
} from './translation.js'
export type { AlignedSentence, TranslationResults } from './translationResults.js'
export { type Language, loadTranslation, saveTranslation, type TranslationRun } from './translationRun.js'
export {
  type ScoredTranslations,
  type ScoreOptions,
  scoreTranslations,
  type TranslatedText,
  type TranslationScores,
  translateAll,
} from './translationScores.js'
