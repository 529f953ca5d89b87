/**
 * Tasks for `Trainer`: each defines a loss, metrics and predictions.
 * @module
 */
export {
  type Category,
  Classification,
  type ClassificationOptions,
  type DocumentModel,
  documentLoader,
  type LabelledDocument,
} from './classification.js'
export { type ClassifyOptions, classify, type Evaluation } from './classify.js'
export { type NotebookTraining, notebookTraining, type RecurrentClassifier } from './notebook.js'
export { type Loop, type Mode, type Rules, rulesOf } from './rules.js'
