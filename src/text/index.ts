/**
 * Reads corpora, sentence pairs and word vectors, and turns texts into ids: tokenizers, vocabularies, labels, batches.
 * @module
 */
export { type Batch, Batches, type BatchesOptions, type Epoch, type LabelledDocuments } from './batches.js'
export { Bpe, type BpeOptions, type Merge, readBpe, writeBpe } from './bpe.js'
export { type TokenCodec, type TokenCodecJson, tokenCodec } from './codecs.js'
export { fastaiSpecials, fastaiTokens, withoutSpecials } from './fastaiRules.js'
export { FastaiVocabulary, type FastaiVocabularyOptions } from './fastaiVocabulary.js'
export {
  type Article,
  type Dialect,
  type ReadArticlesOptions,
  readArticles,
  type WriteArticlesOptions,
  writeArticles,
} from './gnad.js'
export { inventArticles } from './invented.js'
export { LabelEncoder } from './labels.js'
export { type EncodeOptions, MarkedVocabulary, type MarkedVocabularyOptions } from './markedVocabulary.js'
export { type Post, type ReadPostsOptions, readPosts } from './omp.js'
export {
  type PairTableOptions,
  type ReadPairsOptions,
  readPairs,
  readPairTable,
  type TextPair,
} from './pairs.js'
export { type SplitOptions, stratifiedSplit } from './split.js'
export {
  type ArticleStatistics,
  type InspectOptions,
  inspectArticles,
  paddingEfficiency,
  type Quantiles,
  type TokenStatistics,
} from './statistics.js'
export { type Tokenizer, tokenizers } from './tokenize.js'
export { type ReadWordVectorsOptions, readWordVectors } from './vectors.js'
export type { WordVectors } from './vectorTable.js'
export {
  type EmbeddingTableOptions,
  embeddingTable,
  type Padding,
  UNK,
  type UnknownRows,
  Vocabulary,
  type VocabularyOptions,
} from './vocabulary.js'
