import {
  checkInstance,
  checkInteger,
  checkNumber,
  checkOptions,
  checkWord,
  type OptionNames,
} from '../check.js'
import { beamSearch, greedy, type LengthPenalty } from '../decoding/index.js'
import { badArgument } from '../errors.js'
import { Seq2Seq } from '../models/seq2seq.js'
import { crossEntropy } from '../ops/loss.js'
import { PackedIds } from '../packed.js'
import { scope } from '../scope.js'
import { bleuCounts, bleuOf } from '../scores/index.js'
import { tensor } from '../tensor.js'
import type { StepResult, Sums, Task } from '../training/task.js'
import { inItemOrder, type PairBatch } from './pairs.js'

/** How a translation is searched. */
export interface SearchOptions {
  /** Hypotheses of each sentence; default 1, the likeliest word at each step. */
  beams?: number
  /** Translations of each sentence, at most `beams`; default 1. */
  nBest?: number
  /** Default α = 1 with several hypotheses: a score is log p / length. */
  lengthPenalty?: LengthPenalty
  /** β of the penalty for words of the source that got little attention, as of `beamSearch`; default none. */
  coverage?: number
  /** Words of a translation, the end mark included, for a source of n words; default 2n + 10. */
  maxLength?: (words: number) => number
}

const searchNames: OptionNames<SearchOptions> = {
  beams: true,
  nBest: true,
  lengthPenalty: true,
  coverage: true,
  maxLength: true,
}

/** Options of `translate`. */
export interface TranslateOptions extends SearchOptions {
  /** The id that a translation begins with. */
  begin: number
  /** The id that ends it. */
  end: number
  /** Ends the search before its next step. */
  signal?: AbortSignal
}
const translateNames: OptionNames<TranslateOptions> = { ...searchNames, begin: true, end: true, signal: true }

/** What BLEU is computed of in an evaluation. */
export interface BleuReferences {
  /** The text of a translation: the words of ids, joined. */
  decode(ids: readonly number[]): string
  /** Of each item of the loader. */
  references: readonly string[]
}

/** Marks, and variants of the task. */
export interface TranslationOptions {
  /** The id that every target begins with. */
  begin: number
  /** The id that every target ends with. */
  end: number
  /**
   * The probability that a step of training reads the target's word; default 1. A function is given the number of steps made so
   * far: scheduled sampling (Bengio et al. 2015).
   */
  teacherForcing?: number | ((step: number) => number)
  /** Of the labels' probability, spread over all words (Szegedy et al. 2016); default 0. */
  labelSmoothing?: number
  /** Whether a step's gradient is a mean over words (the default) or over sentences. */
  reduction?: 'words' | 'sentences'
  /** How `predict` and `evaluate` translate. */
  search?: SearchOptions
  /** Given, `evaluate` translates too, and reports `bleu`: case-sensitive, of the tokens as they are. */
  bleu?: BleuReferences
}

const names: OptionNames<TranslationOptions> = {
  begin: true,
  end: true,
  teacherForcing: true,
  labelSmoothing: true,
  reduction: true,
  search: true,
  bleu: true,
}

/** A translation that was found. */
export interface FoundTranslation {
  /** Without marks. */
  ids: number[]
  /** log p of its words and its end. */
  logProbability: number
  /** What it was ranked by. */
  score: number
  /** Whether it ends, or was cut at `maxLength`. */
  ended: boolean
}

/**
 * A translation for each sentence: cross entropy of the next word, perplexity and, in evaluation, BLEU.
 *
 * The targets of its batches have the marks of begin and end: the model reads all but the last id, and learns all but the first.
 *
 * @example
 * ```ts
 * import { Seq2Seq } from 'packed-rnn/models'
 * import { pairLoader, Translation } from 'packed-rnn/tasks'
 * import { evaluate } from 'packed-rnn/training'
 *
 * const sizes = { sourceVocabularySize: 9, targetVocabularySize: 9, embeddingDim: 4, hiddenSize: 8 }
 * const task = new Translation(new Seq2Seq(sizes), { begin: 1, end: 2 })
 * const pairs = [{ source: Int32Array.of(3, 4), target: Int32Array.of(1, 4, 3, 2) }]
 * const { metrics } = await evaluate(task, pairLoader(pairs, { batchSize: 1 }))
 * console.log(Object.keys(metrics)) // ['loss', 'perplexity']
 * ```
 */
export class Translation implements Task<PairBatch, null, FoundTranslation[]> {
  readonly model: Seq2Seq
  readonly #options: TranslationOptions

  /**
   * @throws PackedRnnError ERR_INVALID_ARGUMENT for what is not a `Seq2Seq` or an unknown option; ERR_OUT_OF_RANGE for a
   * probability outside [0, 1].
   */
  constructor(model: Seq2Seq, options: TranslationOptions) {
    const op = 'Translation'
    checkInstance(op, 'model', model, Seq2Seq)
    checkOptions(op, options, names)
    checkSearch(op, options.search ?? {})
    const { begin, end, teacherForcing = 1, reduction = 'words', labelSmoothing = 0 } = options
    checkInteger(op, 'begin', begin, 0)
    checkInteger(op, 'end', end, 0)
    if (typeof teacherForcing === 'number') checkNumber(op, 'teacherForcing', teacherForcing, 0, 1)
    checkNumber(op, 'labelSmoothing', labelSmoothing, 0, 1)
    checkWord(op, 'reduction', reduction, ['words', 'sentences'])
    this.model = model
    this.#options = options
  }

  /** Words, marks of end included; or sentences. */
  weight({ target }: PairBatch): number {
    const lengths = target.sequences.lengths()
    return this.#options.reduction === 'sentences'
      ? lengths.length
      : lengths.reduce((sum, length) => sum + Math.max(length - 1, 0), 0)
  }

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for an id of V or more; ERR_SHAPE, ERR_DISPOSED. */
  step({ source, target }: PairBatch): StepResult<null> {
    const { model } = this
    const { teacherForcing = 1, labelSmoothing = 0 } = this.#options
    const forcing = typeof teacherForcing === 'number' ? teacherForcing : teacherForcing(model.forcing.step)
    const [inputs, { ids }] = [parts(target, 0, -1), parts(target, 1)]
    const { logits, places } = model.score(source, inputs, { teacherForcing: model.training ? forcing : 1 })
    const ordered = places === null ? ids : places.map(place => ids[place]!)
    const labels = tensor(ordered, [ids.length], { device: logits.device })
    const loss = crossEntropy(logits, labels, { reduction: 'sum', ...(model.training && { labelSmoothing }) })
    return { loss, sums: { words: ids.length }, carry: null }
  }

  /** Translates the batch, and counts what BLEU is made of; nothing without `bleu`. */
  async count(batch: PairBatch): Promise<Record<string, number>> {
    const { bleu } = this.#options
    if (bleu === undefined) return {}
    const found = (await this.predict(batch)).map(([best]) => bleu.decode(best!.ids))
    const references = inItemOrder(batch, [...batch.items]).map(item => bleu.references[item]!)
    return bleuCounts(found, references, { tokenize: 'none' })
  }

  metrics({ loss, words = Number.NaN, ...counts }: Sums): Record<string, number> {
    const mean = loss / words
    const scored = counts.bleuLength === undefined ? {} : { bleu: bleuOf(counts).score }
    return { loss: mean, perplexity: Math.exp(mean), ...scored }
  }

  /** The best translations of each sentence, in the order of the items. */
  async predict(batch: PairBatch): Promise<FoundTranslation[][]> {
    const { begin, end, search = {} } = this.#options
    return inItemOrder(batch, await translate(this.model, batch.source, { ...search, begin, end }))
  }
}

/**
 * Translates sentences with a model in evaluation mode: the likeliest word at each step, or by beam search. A search ends a sentence
 * after `beams` hypotheses of it have ended.
 *
 * @returns for each sentence its best translations, the best first.
 * @throws PackedRnnError (rejects) as `greedy` and `beamSearch` do.
 *
 * @example
 * ```ts
 * import { packIds } from 'packed-rnn'
 * import { Seq2Seq } from 'packed-rnn/models'
 * import { translate } from 'packed-rnn/tasks'
 *
 * const sizes = { sourceVocabularySize: 9, targetVocabularySize: 9, embeddingDim: 4, hiddenSize: 8 }
 * const model = new Seq2Seq(sizes).eval()
 * const found = await translate(model, packIds([[3, 4], [5]]), { begin: 1, end: 2, maxLength: () => 3 })
 * console.log(found.length, found[0]?.length) // 2 1
 * ```
 */
export async function translate(
  model: Seq2Seq,
  source: PackedIds,
  options: TranslateOptions,
): Promise<FoundTranslation[][]> {
  const op = 'translate'
  checkOptions(op, options, translateNames)
  const { begin, end, signal, ...search } = options
  checkSearch(op, search)
  const { beams = 1, nBest = 1, lengthPenalty = { alpha: 1 }, coverage = 0 } = search
  const { maxLength = words => 2 * words + 10 } = search
  const { sequences } = source
  const lengths = Array.from(sequences.lengths(), maxLength)
  return scope(async () => {
    const { state, step } = model.decoding(source, { weights: coverage > 0 })
    const common = {
      state,
      sentences: lengths.length,
      begin,
      end,
      maxLength: lengths,
      ...(signal && { signal }),
    }
    if (beams === 1) {
      const found = await greedy(step, common)
      return found.map(({ tokens: ids, ...rest }) => [{ ids, ...rest, score: rest.logProbability }])
    }
    const found = await beamSearch(step, {
      ...common,
      ...{ beams, nBest, lengthPenalty, stop: 'beams' },
      ...(coverage > 0 && { coverage: { beta: coverage, source: sequences } }),
    })
    return found.map(all => all.map(({ tokens: ids, ...rest }) => ({ ids, ...rest })))
  })
}

/** @throws PackedRnnError ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT. */
function checkSearch(op: string, search: SearchOptions): void {
  checkOptions(op, search, searchNames, 'search')
  const { beams = 1, nBest = 1, coverage = 0 } = search
  checkInteger(op, 'beams', beams, 1)
  checkInteger(op, 'nBest', nBest, 1, beams)
  checkNumber(op, 'coverage', coverage, 0)
  for (const name of ['lengthPenalty', 'coverage'] as const) {
    if (beams > 1 || search[name] === undefined) continue
    throw badArgument(op, name, 'none with one hypothesis', search[name])
  }
}

/** The ids of each sentence from `start` to `end`. */
function parts({ ids, sequences }: PackedIds, start: number, end?: number): PackedIds {
  const { offsets } = sequences
  return new PackedIds(
    Array.from({ length: sequences.batchSize }, (_, b) =>
      ids.subarray(offsets[b]!, offsets[b + 1]!).slice(start, end),
    ),
  )
}
