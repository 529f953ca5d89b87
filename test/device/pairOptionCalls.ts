import * as scores from '../../src/scores/index.js'
import { pairLoader } from '../../src/tasks/index.js'
import * as text from '../../src/text/index.js'
import { absent, type Row } from './optionCall.js'

/** What makes batches and scores of sentence pairs, as in optionCalls.ts. */

const file = absent('x')
const pairs = [{ source: new Int32Array(1), target: new Int32Array(1) }]

export const pairRows: readonly Row[] = [
  ['text.readPairs', 'readPairs: options.emty, as empty', given => text.readPairs(file, file, given)],
  [
    'text.readPairTable',
    'readPairTable: options.sources, as source',
    given => text.readPairTable(file, given),
  ],
  [
    'text.Bpe.learn',
    'Bpe.learn: options.merge, as merges',
    given => text.Bpe.learn([], { merges: 1, ...given }),
  ],
  [
    'text.MarkedVocabulary.fromDocuments',
    'MarkedVocabulary.fromDocuments: options.max_words, as maxWords',
    given => text.MarkedVocabulary.fromDocuments([], given),
  ],
  [
    'text.MarkedVocabulary.encode',
    'MarkedVocabulary.encode: options.begins, as begin',
    given => text.MarkedVocabulary.fromWords([]).encode([], given),
  ],
  [
    'tasks.pairLoader',
    'DataLoader: options.bucket_by_length, as bucketByLength',
    given => pairLoader(pairs, { batchSize: 1, ...given }),
  ],
  [
    'scores.bleuCounts',
    'bleuCounts: options.lower_case, as lowercase',
    given => scores.bleuCounts([], [], given),
  ],
  ['scores.bleuOf', 'bleuOf: options.smoothing, as smooth', given => scores.bleuOf({}, given)],
  ['scores.bleu', 'bleu: options.tokenizer, as tokenize', given => scores.bleu([], [], given)],
  [
    'scores.sentenceBleu',
    'sentenceBleu: options.effective_order, as effectiveOrder',
    given => scores.sentenceBleu('a', 'a', given),
  ],
  [
    'scores.bleuSignature',
    'bleuSignature: options.smooth_value, as smoothValue',
    given => scores.bleuSignature(given),
  ],
  [
    'scores.chrfCounts',
    'chrfCounts: options.char_order, as charOrder',
    given => scores.chrfCounts([], [], given),
  ],
  ['scores.chrfOf', 'chrfOf: options.word_order, as wordOrder', given => scores.chrfOf({}, given)],
  ['scores.chrf', 'chrf: options.betas, as beta', given => scores.chrf([], [], given)],
]
