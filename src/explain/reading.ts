import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { tokenizers } from '../text/tokenize.js'
import { type Run, tokenizerName } from '../training/run.js'
import {
  type Connectivity,
  type ConnectivityOptions,
  connectivities,
  optionNames,
  prefixes,
  type SequenceModel,
} from './connectivity.js'

/** A model with what turns a text into its input and its output into words. */
export interface Reader {
  /** What the page calls it. */
  name: string
  model: SequenceModel
  /** Pieces of the text, in its order; what stands between them the model does not see. */
  tokenize(text: string): string[]
  /** The id of each token. */
  encode(tokens: readonly string[]): Int32Array
  /** Of each class, by number. */
  classes: readonly string[]
}

/** A trained classifier as a reader. @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown tokenizer. */
export function readerOf(name: string, { model, tokenizer, vocabulary, labels }: Run): Reader {
  return {
    name,
    model,
    tokenize: tokenizers[tokenizerName(tokenizer)],
    encode: tokens => vocabulary.encode(tokens),
    classes: labels.classes,
  }
}

/** A text as a model reads it, token by token. */
export interface Reading {
  name: string
  text: string
  tokens: readonly string[]
  /** Where each token begins in the text, in UTF-16 units. */
  starts: readonly number[]
  classes: readonly string[]
  /** After the first token, the second, and so on, as far as was asked; the last of them after all tokens. */
  predictions: readonly Connectivity[]
}

/** How a text is read. */
export interface ReadingOptions extends ConnectivityOptions {
  /** P: a prediction after each of the first P tokens, default 500, and one after all. Time and memory grow with P². */
  positions?: number
}

/** P where nothing else is said. */
export const POSITIONS = 500

/** Words that are named where nothing else is said, on the page and by `predict`. */
export const WORDS = 10

/**
 * Reads a text with a model: the predictions on the way through it and at its end, and on which tokens each depends.
 *
 * @throws PackedRnnError (rejects) ERR_EMPTY for a text without a token; ERR_INVALID_ARGUMENT where `tokenize` gives something
 * that is no piece of the text, or for an unknown option; ERR_SHAPE for another number of ids than of tokens, or of classes
 * than the model has;
 * ERR_OUT_OF_RANGE for `positions` below 1; else as `connectivities`.
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

/** A word that a prediction depends on. */
export interface DecidingWord {
  word: string
  /** Of the strengths of all tokens, those of this word: all of its places together. */
  share: number
}

/**
 * The words that a prediction depends on most, the strongest first: where a classifier has read a whole article, those
 * that decided its category.
 *
 * @param tokens of the text [T]
 * @param strengths of each token, as in `Connectivity` [T]
 * @param count at most so many words
 * @throws PackedRnnError ERR_SHAPE for another number of strengths; ERR_OUT_OF_RANGE where `count` is no integer of at least 0.
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
