import { checkInteger, checkNumber, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { tokenizers } from '../text/tokenize.js'
import { packageVersion } from '../version.js'
import { matchesOf, ngramsOf, totalOf } from './ngrams.js'
import { numberOfReferences, type References, referencesOf } from './sentences.js'

/** Options of chrF; the defaults are chrF2. With `wordOrder: 2` it is chrF++. */
export interface ChrfOptions {
  /** The longest n-grams of characters; default 6. */
  charOrder?: number
  /** The longest n-grams of words; default 0, none. */
  wordOrder?: number
  /** How much more recall counts than precision; default 2. */
  beta?: number
  /** Whether case is ignored; default false. */
  lowercase?: boolean
  /** Whether n-grams of characters contain white space; default false: it is removed. */
  whitespace?: boolean
  /**
   * Whether the score is the mean of the orders' F scores, in which an order without n-grams counts as 10⁻¹⁶, as chrF++.py and
   * NLTK have it. Default false: the F score of the mean precision and recall, over the orders that both sides have.
   */
  epsSmoothing?: boolean
}

/** What chrF is made of, to be added up over batches: for each order three numbers. */
export type ChrfCounts = Record<string, number>

/** chrF with its signature. */
export interface ChrfScore {
  /** From 0 to 100. */
  score: number
  signature: string
}

const names: OptionNames<ChrfOptions> = {
  charOrder: true,
  wordOrder: true,
  beta: true,
  lowercase: true,
  whitespace: true,
  epsSmoothing: true,
}

const EPS = 1e-16
/** ASCII punctuation, as Python's `string.punctuation`. */
const punctuation = /[!-/:-@[-`{-~]/

/**
 * Returns the counts of which chrF is made (Popović 2015, 2017), as sacreBLEU does. For each order n they are the n-grams of the
 * hypotheses (`chrfChar1Hypothesis`, …), of the references (`chrfChar1Reference`, …) and common to both (`chrfChar1Matches`, …);
 * then the same of words (`chrfWord1Hypothesis`, …). With several references, a sentence counts with the one with the best
 * score. The counts of several calls can be added up by name; `chrfOf` takes the sums.
 *
 * @param references as many as hypotheses, each a string or several.
 * @param options the same as for `chrfOf`: with several references, the best one depends on all of them.
 * @throws PackedRnnError ERR_SHAPE for another number of references; ERR_EMPTY for a sentence without a reference;
 * ERR_OUT_OF_RANGE for an invalid order or `beta`; ERR_INVALID_ARGUMENT for an unknown option.
 *
 * @example
 * ```ts
 * import { chrfCounts } from 'packed-rnn/scores'
 *
 * const counts = chrfCounts(['a bab'], ['abba'], { charOrder: 2 })
 * console.log(counts.chrfChar1Hypothesis, counts.chrfChar1Reference, counts.chrfChar1Matches) // 4 4 4
 * console.log(counts.chrfChar2Hypothesis, counts.chrfChar2Reference, counts.chrfChar2Matches) // 3 3 2
 * ```
 */
export function chrfCounts(
  hypotheses: readonly string[],
  references: readonly References[],
  options: ChrfOptions = {},
): ChrfCounts {
  const op = 'chrfCounts'
  return countsOf(hypotheses, referencesOf(op, hypotheses, references), settingsOf(op, options))
}

/**
 * chrF of counts, from 0 to 100.
 *
 * @param counts of `chrfCounts`, or their sums over batches; other names are ignored.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if a count of the orders is missing, or for an unknown option; ERR_OUT_OF_RANGE
 * for an invalid order or `beta`.
 *
 * @example
 * ```ts
 * import { chrfCounts, chrfOf } from 'packed-rnn/scores'
 *
 * // Precision and recall are 4/4 and 2/3, so their means are both 5/6.
 * const counts = chrfCounts(['a bab'], ['abba'], { charOrder: 2 })
 * console.log(chrfOf(counts, { charOrder: 2 }).toFixed(2)) // 83.33
 * ```
 */
export function chrfOf(counts: Readonly<Record<string, number>>, options: ChrfOptions = {}): number {
  const settings = settingsOf('chrfOf', options)
  for (const name of ordersOf(settings)) {
    for (const part of ['Hypothesis', 'Reference', 'Matches']) {
      if (counts[name + part] === undefined)
        throw badArgument('chrfOf', `counts.${name}${part}`, 'a number', undefined)
    }
  }
  return scoreOf(counts, settings)
}

/**
 * chrF of a corpus, as sacreBLEU computes it; chrF++ with `wordOrder: 2`.
 *
 * @param references as many as hypotheses, each a string or several.
 * @returns the score, and the settings in the form of sacreBLEU's signature, with the version of this package.
 * @throws PackedRnnError as `chrfCounts`.
 *
 * @example
 * ```ts
 * import { chrf } from 'packed-rnn/scores'
 *
 * const { score, signature } = chrf(['der Hund schläft'], ['der Hund schlief'])
 * console.log(score.toFixed(2)) // 74.51
 * console.log(signature.split('|version')[0]) // nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no
 * ```
 */
export function chrf(
  hypotheses: readonly string[],
  references: readonly References[],
  options: ChrfOptions = {},
): ChrfScore {
  const settings = settingsOf('chrf', options)
  const lists = referencesOf('chrf', hypotheses, references)
  const { charOrder, wordOrder, lowercase, whitespace, epsSmoothing } = settings
  const signature = [
    `nrefs:${numberOfReferences(lists)}`,
    `case:${lowercase ? 'lc' : 'mixed'}`,
    `eff:${epsSmoothing ? 'no' : 'yes'}`,
    `nc:${charOrder}`,
    `nw:${wordOrder}`,
    `space:${whitespace ? 'yes' : 'no'}`,
    `version:packed-rnn-${packageVersion()}`,
  ].join('|')
  return { score: scoreOf(countsOf(hypotheses, lists, settings), settings), signature }
}

function settingsOf(op: string, options: ChrfOptions): Required<ChrfOptions> {
  checkOptions(op, options, names)
  const { charOrder = 6, wordOrder = 0, beta = 2 } = options
  const { lowercase = false, whitespace = false, epsSmoothing = false } = options
  checkInteger(op, 'charOrder', charOrder, 1)
  checkInteger(op, 'wordOrder', wordOrder, 0)
  checkNumber(op, 'beta', beta, 0)
  return { charOrder, wordOrder, beta, lowercase, whitespace, epsSmoothing }
}

/** The orders in turn, as the names of counts begin. */
function ordersOf({ charOrder, wordOrder }: Required<ChrfOptions>): string[] {
  return [...upTo(charOrder).map(n => `chrfChar${n}`), ...upTo(wordOrder).map(n => `chrfWord${n}`)]
}

/** The n-grams of a text, for each order. */
function ngramsIn(text: string, settings: Required<ChrfOptions>): Map<string, number>[] {
  const { charOrder, wordOrder, lowercase, whitespace } = settings
  const cased = lowercase ? text.toLowerCase() : text
  const words = tokenizers.whitespace(cased)
  const characters = Array.from(whitespace ? cased : words.join(''))
  const bare = wordOrder > 0 ? words.flatMap(withoutPunctuation) : []
  return [
    ...upTo(charOrder).map(n => ngramsOf(characters, n, '')),
    ...upTo(wordOrder).map(n => ngramsOf(bare, n, ' ')),
  ]
}

function upTo(order: number): number[] {
  return Array.from({ length: order }, (_, i) => i + 1)
}

/** Separates one mark from a word: the last character, else the first. So `(hi)` becomes `(hi` and `)`, as in chrF++.py. */
function withoutPunctuation(word: string): string[] {
  const characters = Array.from(word)
  if (characters.length === 1) return [word]
  if (punctuation.test(characters.at(-1)!)) return [characters.slice(0, -1).join(''), characters.at(-1)!]
  if (punctuation.test(characters[0]!)) return [characters[0]!, characters.slice(1).join('')]
  return [word]
}

function countsOf(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  settings: Required<ChrfOptions>,
): ChrfCounts {
  const orders = ordersOf(settings)
  const parts = ['Hypothesis', 'Reference', 'Matches']
  const sums: ChrfCounts = Object.fromEntries(orders.flatMap(name => parts.map(part => [name + part, 0])))
  for (const [i, hypothesis] of hypotheses.entries()) {
    const found = ngramsIn(hypothesis, settings)
    const [first, ...others] = references[i]!.map(reference =>
      sentenceCounts(orders, found, ngramsIn(reference, settings)),
    )
    const best = others.reduce(
      (kept, each) => (scoreOf(each, settings) > scoreOf(kept, settings) ? each : kept),
      first!,
    )
    for (const [name, count] of Object.entries(best)) sums[name]! += count
  }
  return sums
}

function sentenceCounts(
  orders: readonly string[],
  hypothesis: readonly Map<string, number>[],
  reference: readonly Map<string, number>[],
): ChrfCounts {
  const counts: ChrfCounts = {}
  for (const [k, name] of orders.entries()) {
    const [found, wanted] = [hypothesis[k]!, reference[k]!]
    // sacreBLEU's rule: an order that the reference lacks is no fault of the hypothesis.
    counts[`${name}Hypothesis`] = wanted.size > 0 ? totalOf(found) : 0
    counts[`${name}Reference`] = totalOf(wanted)
    counts[`${name}Matches`] = matchesOf(found, wanted)
  }
  return counts
}

/** From 0 to 100. */
function scoreOf(counts: Readonly<Record<string, number>>, settings: Required<ChrfOptions>): number {
  const { beta, epsSmoothing } = settings
  const orders = ordersOf(settings).map(name => {
    const part = (which: string) => counts[name + which]!
    const [hypothesis, reference, matches] = [part('Hypothesis'), part('Reference'), part('Matches')]
    return {
      precision: hypothesis > 0 ? matches / hypothesis : EPS,
      recall: reference > 0 ? matches / reference : EPS,
      onBothSides: hypothesis > 0 && reference > 0,
    }
  })
  const mean = (numbers: number[]) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length
  if (epsSmoothing) {
    return 100 * mean(orders.map(({ precision, recall }) => fScore(precision, recall, beta, EPS)))
  }
  const counted = orders.filter(({ onBothSides }) => onBothSides)
  if (counted.length === 0) return 0
  const [precision, recall] = [counted.map(each => each.precision), counted.map(each => each.recall)]
  return 100 * fScore(mean(precision), mean(recall), beta, 0)
}

function fScore(precision: number, recall: number, beta: number, otherwise: number): number {
  const denominator = beta ** 2 * precision + recall
  return denominator > 0 ? ((1 + beta ** 2) * precision * recall) / denominator : otherwise
}
