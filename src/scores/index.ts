/**
 * Scores of texts beside reference texts: BLEU and chrF as sacreBLEU defines them, exact matches. Each can travel as counts
 * that are added up over batches. Knows no tensor: importing it does not load the addon.
 * @module
 */
export {
  type BleuCountOptions,
  type BleuCounts,
  type BleuOptions,
  type BleuScore,
  type BleuScoreOptions,
  type BleuSmoothing,
  bleu,
  bleuCounts,
  bleuOf,
  bleuSignature,
  sentenceBleu,
} from './bleu.js'
export type { BleuTokenizer } from './bleuTokens.js'
export { type ChrfCounts, type ChrfOptions, type ChrfScore, chrf, chrfCounts, chrfOf } from './chrf.js'
export { exactMatches } from './exact.js'
export type { References } from './sentences.js'
