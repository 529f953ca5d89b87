import { checkNumber, checkOptions, checkWord, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { packageVersion } from '../version.js'
import { type BleuTokenizer, bleuTokens } from './bleuTokens.js'
import { matchesOf, ngramsOf, totalOf } from './ngrams.js'
import { numberOfReferences, type References, referencesOf } from './sentences.js'

/** BLEU counts n-grams of 1 to 4 tokens. */
const ORDERS = [1, 2, 3, 4] as const

/** How BLEU counts. */
export interface BleuCountOptions {
  /** Default `'13a'`. */
  tokenize?: BleuTokenizer
  /** Whether case is ignored; default false. */
  lowercase?: boolean
}

/**
 * What takes the place of a precision of 0. `'exp'`: 1 / (2^k · n-grams) for the k-th order without a match. `'floor'`:
 * `smoothValue` matches. `'add-k'`: `smoothValue` is added to matches and n-grams of all orders above 1. `'none'`: the score is
 * then 0.
 */
export type BleuSmoothing = 'exp' | 'floor' | 'add-k' | 'none'

/** How a score is made of counts. */
export interface BleuScoreOptions {
  /** Default `'exp'`. */
  smooth?: BleuSmoothing
  /** For `'floor'` (default 0.1) and `'add-k'` (default 1) only. */
  smoothValue?: number
  /** Whether orders for which the hypotheses have no n-gram are left out; default false. */
  effectiveOrder?: boolean
}

/** Options of `bleu` and `sentenceBleu`. */
export interface BleuOptions extends BleuCountOptions, BleuScoreOptions {}

/** What BLEU is made of: ten numbers, to be added up over batches. */
export type BleuCounts = Record<
  `bleuMatches${1 | 2 | 3 | 4}` | `bleuNgrams${1 | 2 | 3 | 4}` | 'bleuLength' | 'bleuReferenceLength',
  number
>

/** A score with its parts. */
export interface BleuScore {
  /** From 0 to 100. */
  score: number
  /** The smoothed precision of each order, from 0 to 100 [4]. */
  precisions: number[]
  /** From 0 to 1; 1 for hypotheses that are at least as long as the references. */
  brevityPenalty: number
  /** Tokens of the hypotheses. */
  length: number
  /** Tokens of the references: of each sentence the one whose length is nearest, the shorter of two. */
  referenceLength: number
}

const countNames: OptionNames<BleuCountOptions> = { tokenize: true, lowercase: true }
const scoreNames: OptionNames<BleuScoreOptions> = { smooth: true, smoothValue: true, effectiveOrder: true }
const names: OptionNames<BleuOptions> = { ...countNames, ...scoreNames }

/**
 * Counts what BLEU is made of (Papineni et al. 2002), with sacreBLEU's tokenizers: of each order the n-grams of the hypotheses,
 * and those that are in a reference, each at most as often as in the reference that has most of it. An empty hypothesis counts
 * with its references.
 *
 * The counts of several calls can be added up by name, so a `Task` can return them from `count`; `bleuOf` takes the sums.
 *
 * @param references as many as hypotheses, each a string or several.
 * @throws PackedRnnError ERR_SHAPE for another number of references; ERR_EMPTY for a sentence without a reference;
 * ERR_INVALID_ARGUMENT for an unknown tokenizer or option.
 *
 * @example
 * ```ts
 * import { bleuCounts } from 'packed-rnn/scores'
 *
 * const counts = bleuCounts(['the cat the cat'], ['the cat sat on the mat'])
 * console.log(counts.bleuMatches1, counts.bleuNgrams1) // 3 4
 * console.log(counts.bleuMatches2, counts.bleuNgrams2) // 1 3
 * console.log(counts.bleuLength, counts.bleuReferenceLength) // 4 6
 * ```
 */
export function bleuCounts(
  hypotheses: readonly string[],
  references: readonly References[],
  options: BleuCountOptions = {},
): BleuCounts {
  checkOptions('bleuCounts', options, countNames)
  return countsOf('bleuCounts', hypotheses, referencesOf('bleuCounts', hypotheses, references), options)
}

function countsOf(
  op: string,
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  { tokenize = '13a', lowercase = false }: BleuCountOptions,
): BleuCounts {
  checkWord(op, 'tokenize', tokenize, ['none', '13a', 'intl', 'char'])
  const counts: BleuCounts = {
    ...{ bleuMatches1: 0, bleuMatches2: 0, bleuMatches3: 0, bleuMatches4: 0 },
    ...{ bleuNgrams1: 0, bleuNgrams2: 0, bleuNgrams3: 0, bleuNgrams4: 0 },
    ...{ bleuLength: 0, bleuReferenceLength: 0 },
  }
  for (const [i, hypothesis] of hypotheses.entries()) {
    const tokens = bleuTokens(hypothesis, tokenize, lowercase)
    const wanted = references[i]!.map(reference => bleuTokens(reference, tokenize, lowercase))
    counts.bleuLength += tokens.length
    counts.bleuReferenceLength += nearest(
      tokens.length,
      wanted.map(({ length }) => length),
    )
    for (const n of ORDERS) {
      const found = ngramsOf(tokens, n, ' ')
      counts[`bleuNgrams${n}`] += totalOf(found)
      counts[`bleuMatches${n}`] += matchesOf(found, mostOf(wanted.map(each => ngramsOf(each, n, ' '))))
    }
  }
  return counts
}

/** Of some lengths the nearest to a given one, the shorter of two. */
function nearest(length: number, lengths: readonly number[]): number {
  return lengths.reduce((best, each) => {
    const nearer = Math.abs(each - length) - Math.abs(best - length)
    return nearer < 0 || (nearer === 0 && each < best) ? each : best
  })
}

/** Of each n-gram its largest count. */
function mostOf(counts: readonly Map<string, number>[]): Map<string, number> {
  const [first = new Map<string, number>(), ...others] = counts
  for (const other of others) {
    for (const [ngram, count] of other) first.set(ngram, Math.max(first.get(ngram) ?? 0, count))
  }
  return first
}

/**
 * BLEU of counts, as sacreBLEU computes it: the geometric mean of the four precisions, times exp(1 − referenceLength / length)
 * if the hypotheses are shorter. It is 0 if nothing matches at all, whatever the smoothing.
 *
 * @param counts of `bleuCounts`, or their sums over batches; other names are ignored.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if one of the ten counts is missing, for an unknown smoothing or option, or for
 * `smoothValue` with a smoothing that has none; ERR_OUT_OF_RANGE for a negative `smoothValue`.
 *
 * @example
 * ```ts
 * import { bleuCounts, bleuOf } from 'packed-rnn/scores'
 *
 * const counts = bleuCounts(['the cat the cat'], ['the cat sat on the mat'])
 * const { score, precisions, brevityPenalty } = bleuOf(counts)
 * console.log(precisions.map(each => each.toFixed(2))) // ['75.00', '33.33', '25.00', '25.00']
 * console.log(brevityPenalty.toFixed(3), score.toFixed(2)) // 0.607 21.44
 * ```
 */
export function bleuOf(counts: Readonly<Record<string, number>>, options: BleuScoreOptions = {}): BleuScore {
  checkOptions('bleuOf', options, scoreNames)
  return scoreOf('bleuOf', counts, options)
}

function scoreOf(op: string, counts: Readonly<Record<string, number>>, options: BleuScoreOptions): BleuScore {
  const { smooth, value } = smoothingOf(op, options)
  const count = (name: keyof BleuCounts) => {
    const found = counts[name]
    if (found === undefined) throw badArgument(op, `counts.${name}`, 'a number', found)
    return found
  }
  const [length, referenceLength] = [count('bleuLength'), count('bleuReferenceLength')]
  // Without tokens it is exp(1 − ∞) = 0.
  const brevityPenalty = length < referenceLength ? Math.exp(1 - referenceLength / length) : 1
  const precisions = [0, 0, 0, 0]
  const parts = { precisions, brevityPenalty, length, referenceLength }
  if (ORDERS.every(n => count(`bleuMatches${n}`) === 0)) return { score: 0, ...parts }

  let halvings = 1
  let orders: number = ORDERS.length
  for (const n of ORDERS) {
    const added = smooth === 'add-k' && n > 1 ? value : 0
    const matches = count(`bleuMatches${n}`) + added
    const ngrams = count(`bleuNgrams${n}`) + added
    if (ngrams === 0) break
    if (options.effectiveOrder === true) orders = n
    if (matches > 0) precisions[n - 1] = (100 * matches) / ngrams
    else if (smooth === 'floor') precisions[n - 1] = (100 * value) / ngrams
    else if (smooth === 'exp') {
      halvings *= 2
      precisions[n - 1] = 100 / (halvings * ngrams)
    }
  }
  const logs = precisions.slice(0, orders).reduce((sum, precision) => sum + Math.log(precision), 0)
  return { score: brevityPenalty * Math.exp(logs / orders), ...parts }
}

function smoothingOf(op: string, { smooth = 'exp', smoothValue }: BleuScoreOptions) {
  checkWord(op, 'smooth', smooth, ['exp', 'floor', 'add-k', 'none'])
  const usual = { floor: 0.1, 'add-k': 1, exp: null, none: null }[smooth]
  if (smoothValue === undefined) return { smooth, value: usual ?? 0, usual }
  if (usual === null) throw badArgument(op, 'smoothValue', `none, with smoothing ${smooth}`, smoothValue)
  checkNumber(op, 'smoothValue', smoothValue, 0)
  return { smooth, value: smoothValue, usual }
}

/**
 * BLEU of a corpus, as sacreBLEU computes it by default. Pass texts as people read them, not tokenized ones.
 *
 * @param references as many as hypotheses, each a string or several. (sacreBLEU has a list for each reference instead.)
 * @returns the score with its parts and its signature.
 * @throws PackedRnnError as `bleuCounts` and `bleuOf`.
 *
 * @example
 * ```ts
 * import { bleu } from 'packed-rnn/scores'
 *
 * const hypotheses = ['The dog bit the man.', 'The man had just bitten him.']
 * const references = [['The dog bit the man.', 'The dog had bit the man.'], 'The man had bitten the dog.']
 * const { score, signature } = bleu(hypotheses, references, { lowercase: true })
 * console.log(score.toFixed(2)) // 59.84
 * console.log(signature.split('|version')[0]) // nrefs:var|case:lc|eff:no|tok:13a|smooth:exp
 * ```
 */
export function bleu(
  hypotheses: readonly string[],
  references: readonly References[],
  options: BleuOptions = {},
): BleuScore & { signature: string } {
  return scored('bleu', hypotheses, references, options)
}

/**
 * BLEU of one sentence. Unlike `bleu`, `effectiveOrder` is true by default, so that a sentence of fewer than four tokens can
 * reach 100. The mean over sentences is not the BLEU of a corpus.
 *
 * @throws PackedRnnError as `bleu`.
 *
 * @example
 * ```ts
 * import { sentenceBleu } from 'packed-rnn/scores'
 *
 * console.log(sentenceBleu('ein Hund', 'ein Hund').score.toFixed(1)) // 100.0
 * console.log(sentenceBleu('ein Hund', 'ein Hund', { effectiveOrder: false }).score) // 0
 * ```
 */
export function sentenceBleu(
  hypothesis: string,
  references: References,
  options: BleuOptions = {},
): BleuScore & { signature: string } {
  return scored('sentenceBleu', [hypothesis], [references], { effectiveOrder: true, ...options })
}

function scored(
  op: string,
  hypotheses: readonly string[],
  references: readonly References[],
  options: BleuOptions,
): BleuScore & { signature: string } {
  checkOptions(op, options, names)
  const lists = referencesOf(op, hypotheses, references)
  const score = scoreOf(op, countsOf(op, hypotheses, lists, options), options)
  return { ...score, signature: bleuSignature(options, numberOfReferences(lists)) }
}

/**
 * The settings of a score, in the form of sacreBLEU's signature. The version is that of this package.
 *
 * @param references of each sentence; `'var'` if their number differs.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown smoothing or option.
 *
 * @example
 * ```ts
 * import { bleuSignature } from 'packed-rnn/scores'
 *
 * const [, settings] = /(.*)\|version:packed-rnn-/.exec(bleuSignature({ smooth: 'floor' }))!
 * console.log(settings) // nrefs:1|case:mixed|eff:no|tok:13a|smooth:floor[0.10]
 * ```
 */
export function bleuSignature(options: BleuOptions = {}, references: number | 'var' = 1): string {
  checkOptions('bleuSignature', options, names)
  const { tokenize = '13a', lowercase = false, effectiveOrder = false } = options
  const { smooth, value, usual } = smoothingOf('bleuSignature', options)
  return [
    `nrefs:${references}`,
    `case:${lowercase ? 'lc' : 'mixed'}`,
    `eff:${effectiveOrder ? 'yes' : 'no'}`,
    `tok:${tokenize}`,
    `smooth:${smooth}${usual === null ? '' : `[${value.toFixed(2)}]`}`,
    `version:packed-rnn-${packageVersion()}`,
  ].join('|')
}
