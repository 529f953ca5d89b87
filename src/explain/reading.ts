import { badArgument } from '../errors.js'
import { tokenizers } from '../text/tokenize.js'
import type { Run } from '../training/run.js'
import {
  type Connectivity,
  type ConnectivityOptions,
  connectivities,
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

/** A trained classifier as a reader. */
export function readerOf(name: string, { model, tokenizer, vocabulary, labels }: Run): Reader {
  return {
    name,
    model,
    tokenize: tokenizers[tokenizer],
    encode: tokens => vocabulary.encode(tokens),
    classes: labels.classes,
  }
}

/** A text as a model reads it, token by token. */
export interface Reading {
  name: string
  /** As far as the model has read. */
  text: string
  tokens: readonly string[]
  /** Where each token begins in the text, in UTF-16 units. */
  starts: readonly number[]
  /** Tokens of the whole text; more than there are here where it was cut. */
  tokensInAll: number
  classes: readonly string[]
  /** After each token. */
  predictions: readonly Connectivity[]
}

/** How a text is read. */
export interface ReadingOptions extends ConnectivityOptions {
  /** The text is cut after so many tokens, T: time and memory grow with T². Default 500. */
  tokens?: number
}

/** Tokens of a text that are read where nothing else is said. */
export const TOKENS = 500

/** Words that are named where nothing else is said, on the page and by `predict`. */
export const WORDS = 10

/**
 * Reads a text with a model: the prediction after each of its tokens, and on which of the tokens before it depends.
 *
 * @throws PackedRnnError (rejects) ERR_EMPTY for a text without a token; ERR_INVALID_ARGUMENT where `tokenize` gives something
 * that is no piece of the text; else as `connectivities`.
 */
export async function readingOf(
  reader: Reader,
  text: string,
  { tokens: limit = TOKENS, ...options }: ReadingOptions = {},
): Promise<Reading> {
  const all = reader.tokenize(text)
  if (all.length === 0) throw badArgument('readingOf', 'text', 'at least one token', 'none', 'ERR_EMPTY')
  const tokens = all.slice(0, limit)
  const starts = startsOf(text, tokens)
  const end = starts.at(-1)! + tokens.at(-1)!.length
  return {
    name: reader.name,
    text: tokens.length < all.length ? text.slice(0, end) : text,
    tokens,
    starts,
    tokensInAll: all.length,
    classes: reader.classes,
    predictions: await connectivities(reader.model, prefixes(reader.encode(tokens)), options),
  }
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
 * @throws PackedRnnError ERR_SHAPE for another number of strengths.
 */
export function decidingWords(
  tokens: readonly string[],
  strengths: Float32Array,
  count: number,
): DecidingWord[] {
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
