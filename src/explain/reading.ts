import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { type Run, tokenizerName } from '../tasks/classifierRun.js'
import { tokenizers } from '../text/tokenize.js'
import {
  type Connectivity,
  type ConnectivityOptions,
  connectivities,
  optionNames,
  prefixes,
  type SequenceModel,
} from './connectivity.js'

/** A model, with functions that turn a text into its input, and the names of its classes. */
export interface Reader {
  /** The model's name on the page. */
  name: string
  model: SequenceModel
  /** Splits a text into tokens: substrings in their order. The model does not see the text between them. */
  tokenize(text: string): string[]
  /** Returns the id of each token. */
  encode(tokens: readonly string[]): Int32Array
  /** The name of each class, by number. */
  classes: readonly string[]
}

/**
 * Returns a trained classifier as a reader.
 *
 * @param name the model's name on the page
 * @param run what `loadRun` returns, or its parts
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown tokenizer.
 * @example
 * ```ts
 * import { readerOf } from 'packed-rnn/explain'
 * import { LabelEncoder, Vocabulary } from 'packed-rnn/text'
 * import { Classifier, presets } from 'packed-rnn/models'
 *
 * const vocabulary = Vocabulary.fromWords(['Ball', 'Tor'])
 * const size = { vocabularySize: vocabulary.size, classes: 2, embeddingDim: 8 }
 * const model = new Classifier({ preset: presets['lstm64-adam'], ...size })
 * const labels = new LabelEncoder(['Sport', 'Web'])
 * const reader = readerOf('small', { model, tokenizer: 'words', vocabulary, labels })
 * console.log(reader.encode(reader.tokenize('Ball, Tor'))) // Int32Array(3) [1, 0, 2]
 * ```
 */
export function readerOf(
  name: string,
  run: Pick<Run, 'model' | 'tokenizer' | 'vocabulary' | 'labels'> & Partial<Run>,
): Reader {
  const { model, tokenizer, vocabulary, labels } = run
  return {
    name,
    model,
    tokenize: tokenizers[tokenizerName(tokenizer)],
    encode: tokens => vocabulary.encode(tokens),
    classes: labels.classes,
  }
}

/** A text, and a model's predictions while reading it. */
export interface Reading {
  name: string
  text: string
  tokens: readonly string[]
  /** The position of each token in the text, in UTF-16 units. */
  starts: readonly number[]
  classes: readonly string[]
  /** The predictions after the first tokens, as many as requested; the last one is the prediction after all tokens. */
  predictions: readonly Connectivity[]
}

/** Options of `readingOf`. */
export interface ReadingOptions extends ConnectivityOptions {
  /** P: predictions after each of the first P tokens, and one after all tokens; default 500. Time and memory grow with P². */
  positions?: number
}

/** The default of `positions`. */
export const POSITIONS = 500

/** The default number of deciding words, on the page and in `predict`. */
export const WORDS = 10

/**
 * Reads a text with a model. Returns the predictions after its first tokens and at its end, and how much each depends on the
 * tokens before.
 *
 * @throws PackedRnnError (rejects) ERR_EMPTY for a text without tokens; ERR_INVALID_ARGUMENT if a token is not the next
 * substring of the text, or for an unknown option; ERR_SHAPE if the number of ids is not that of the tokens, or the number of
 * classes is not the model's; ERR_OUT_OF_RANGE for `positions` below 1; otherwise as `connectivities`.
 * @example
 * ```ts
 * import { readingOf } from 'packed-rnn/explain'
 * import { Classifier, presets } from 'packed-rnn/models'
 *
 * const size = { vocabularySize: 20, classes: 2, embeddingDim: 8 }
 * const model = new Classifier({ preset: presets['lstm64-adam'], ...size })
 * const tokenize = (text: string) => text.split(' ')
 * const encode = (tokens: readonly string[]) => Int32Array.from(tokens, token => token.length)
 * const reader = { name: 'by length', model, tokenize, encode, classes: ['Sport', 'Web'] }
 * const { starts, predictions } = await readingOf(reader, 'der Ball im Tor')
 * console.log(starts, predictions.length) // [0, 4, 9, 12] 4
 * ```
 */
export async function readingOf(
  reader: Reader,
  text: string,
  options: ReadingOptions = {},
): Promise<Reading> {
  checkOptions('readingOf', options, { ...optionNames, positions: true })
  const { positions = POSITIONS, ...others } = options
  checkInteger('readingOf', 'positions', positions, 1)
  const tokens = reader.tokenize(text)
  if (tokens.length === 0) throw badArgument('readingOf', 'text', 'at least one token', 'none', 'ERR_EMPTY')
  const starts = startsOf(text, tokens)
  const ids = reader.encode(tokens)
  if (ids.length !== tokens.length) {
    throw badArgument('readingOf', 'reader.encode', `${tokens.length} ids`, ids.length, 'ERR_SHAPE')
  }
  const read = [...prefixes(ids.subarray(0, Math.min(positions, ids.length - 1))), ids]
  const predictions = await connectivities(reader.model, read, others)
  const [classes, wanted] = [reader.classes.length, predictions[0]!.probabilities.length]
  if (classes !== wanted) {
    throw badArgument('readingOf', 'reader.classes', `${wanted}, as the model`, classes, 'ERR_SHAPE')
  }
  return { name: reader.name, text, tokens, starts, classes: reader.classes, predictions }
}

function startsOf(text: string, tokens: readonly string[]): number[] {
  let from = 0
  return tokens.map((token, t) => {
    const start = text.indexOf(token, from)
    if (start < 0 || token === '')
      throw badArgument('readingOf', `tokens[${t}]`, 'the next piece of the text', token)
    from = start + token.length
    return start
  })
}

/** A word, and how much a prediction depends on it. */
export interface DecidingWord {
  word: string
  /** The strengths of all occurrences of the word, as a share of the strengths of all tokens. */
  share: number
}

/**
 * Returns the words that a prediction depends on most, in descending order of their shares.
 *
 * @param tokens the tokens of the text, [T]
 * @param strengths the strength of each token, as in `Connectivity`, [T]
 * @param count the maximum number of words
 * @throws PackedRnnError ERR_SHAPE if there are not as many strengths as tokens; ERR_OUT_OF_RANGE if `count` is not an integer
 * of at least 0.
 * @example
 * ```ts
 * import { decidingWords } from 'packed-rnn/explain'
 *
 * const words = decidingWords(['Tor', 'im', 'Tor'], Float32Array.of(2, 1, 1), 1)
 * console.log(words) // [{ word: 'Tor', share: 0.75 }]
 * ```
 */
export function decidingWords(
  tokens: readonly string[],
  strengths: Float32Array,
  count: number,
): DecidingWord[] {
  checkInteger('decidingWords', 'count', count, 0)
  if (tokens.length !== strengths.length) {
    throw badArgument('decidingWords', 'strengths', `${tokens.length} numbers`, strengths.length, 'ERR_SHAPE')
  }
  const total = strengths.reduce((sum, strength) => sum + strength, 0)
  const shares = new Map<string, number>()
  tokens.forEach((word, t) => {
    shares.set(word, (shares.get(word) ?? 0) + strengths[t]! / total)
  })
  const words = Array.from(shares, ([word, share]) => ({ word, share: total === 0 ? 0 : share }))
  return words.sort((a, b) => b.share - a.share).slice(0, count)
}
