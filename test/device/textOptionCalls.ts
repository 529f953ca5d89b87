import * as rnn from '../../src/compat.js'
import { data, vocabulary } from '../training/short.js'
import { absent, type Row, UNWRITTEN } from './optionCall.js'

/** Text with options, as in optionCalls.ts. */

const { text } = rnn

export const textRows: readonly Row[] = [
  [
    'text.FastaiVocabulary.fromDocuments',
    'FastaiVocabulary.fromDocuments: options.min_frequency, as minFrequency',
    given => text.FastaiVocabulary.fromDocuments([], given),
  ],
  [
    'text.readArticles',
    'readArticles: options.dialects, as dialect',
    given => text.readArticles(absent('x'), given),
  ],
  [
    'text.writeArticles',
    'writeArticles: options.line_end, as lineEnd',
    given => text.writeArticles(UNWRITTEN, [], given),
  ],
  [
    'text.readPosts',
    'readPosts: options.categories, as category',
    given => text.readPosts(absent('x'), given),
  ],
  [
    'text.readWordVectors',
    'readWordVectors: options.no_header, as noHeader',
    given => text.readWordVectors(absent('x'), given),
  ],
  [
    'text.Vocabulary.fromWords',
    'Vocabulary.fromWords: options.pading, as padding',
    given => text.Vocabulary.fromWords([], given),
  ],
  [
    'text.Vocabulary.fromDocuments',
    'Vocabulary.fromDocuments: options.min_count, as minCount',
    given => text.Vocabulary.fromDocuments([], given),
  ],
  [
    'text.embeddingTable',
    'embeddingTable: options.UNK, as unk',
    given => text.embeddingTable(vocabulary, { words: [], dim: 1, data: new Float32Array() }, given),
  ],
  [
    'text.stratifiedSplit',
    'stratifiedSplit: options.seeds, as seed',
    given => text.stratifiedSplit([], { test: 0.5, seed: 1, ...given }),
  ],
  [
    'text.paddingEfficiency',
    'paddingEfficiency: options.batch_size, as batchSize',
    given => text.paddingEfficiency([], given),
  ],
  [
    'text.inspectArticles',
    'inspectArticles: options.know, as known',
    given => text.inspectArticles([], given),
  ],
  [
    'text.Batches',
    'Batches: options.drop_last, as dropLast',
    given => new text.Batches(data, { batchSize: 1, ...given }),
  ],
]
