/**
 * Shows how much a prediction depends on each token of a text: as numbers, as words, and as an HTML page.
 * @module
 */
export {
  type Connectivity,
  type ConnectivityOptions,
  connectivities,
  connectivity,
  prefixes,
  type SequenceModel,
} from './connectivity.js'
export { type MemorisationPageOptions, memorisationPage } from './page.js'
export {
  type DecidingWord,
  decidingWords,
  type Reader,
  type Reading,
  type ReadingOptions,
  readerOf,
  readingOf,
} from './reading.js'
