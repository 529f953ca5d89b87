/**
 * On which tokens of a text a prediction depends: numbers, words, and a page to look at.
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
