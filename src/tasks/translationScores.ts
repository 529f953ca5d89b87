import { badArgument } from '../errors.js'
import { PackedIds } from '../packed.js'
import { type BleuTokenizer, bleu, chrf, exactMatches, sentenceBleu } from '../scores/index.js'
import type { TextPair } from '../text/pairs.js'
import { evaluate } from '../training/evaluation.js'
import { pairLoader } from './pairs.js'
import { type FoundTranslation, type SearchOptions, Translation, translate } from './translation.js'
import { sourceIds, type TranslationRun, targetIds, textOf } from './translationRun.js'

/** Sentences that are translated at once. */
const BATCH = 64

/** How translations are scored. */
export interface ScoreOptions {
  search?: SearchOptions
  /**
   * How BLEU separates words. Default 'none' for a run that splits at white space or by BPE, whose texts are separated already;
   * else '13a'.
   */
  tokenize?: BleuTokenizer
  /** Whether BLEU and chrF ignore case; default as the run. */
  lowercase?: boolean
  signal?: AbortSignal
}

/** How well a model translates some pairs. */
export interface TranslationScores {
  /** Mean cross entropy of a word, given the words before it; and e to it. */
  loss: number
  perplexity: number
  bleu: number
  chrf: number
  /** The share of pairs whose translation is the reference. */
  exact: number
}

/** Scores, with what they were computed from. */
export interface ScoredTranslations {
  scores: TranslationScores
  bleuSignature: string
  chrfSignature: string
  /** In the order of the pairs. */
  translations: TranslatedText[]
  /** BLEU of each. */
  sentenceBleu: number[]
}

/**
 * Translates pairs and compares with their targets.
 *
 * @throws PackedRnnError (rejects) as `translate` does.
 *
 * @example
 * ```ts
 * import { Seq2Seq } from 'packed-rnn/models'
 * import { scoreTranslations } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const language = { codec: tokenCodec('words'), vocabulary: MarkedVocabulary.fromWords(['ein', 'Hund']) }
 * const sizes = { sourceVocabularySize: 5, targetVocabularySize: 5, embeddingDim: 4, hiddenSize: 8 }
 * const run = { model: new Seq2Seq(sizes), source: language, target: language, lowercase: false }
 * const { scores } = await scoreTranslations(run, [{ source: 'ein Hund', target: 'ein Hund' }])
 * console.log(Object.keys(scores)) // ['loss', 'perplexity', 'bleu', 'chrf', 'exact']
 * ```
 */
export async function scoreTranslations(
  run: TranslationRun,
  pairs: readonly TextPair[],
  options: ScoreOptions = {},
): Promise<ScoredTranslations> {
  const { codec } = run.target
  const separated = codec.name === 'whitespace' || codec.name === 'bpe'
  const { tokenize = separated ? 'none' : '13a', lowercase = run.lowercase, search = {}, signal } = options
  if (pairs.length === 0) throw badArgument('scoreTranslations', 'pairs', 'at least one', 'none', 'ERR_EMPTY')
  const { begin, end } = run.target.vocabulary
  const task = new Translation(run.model, { begin, end })
  const items = pairs.map(({ source, target }) => ({
    source: sourceIds(run, source),
    target: targetIds(run, target),
  }))
  const loader = pairLoader(items, { batchSize: BATCH, bucketByLength: true })
  const stops = signal === undefined ? {} : { signal }
  const { metrics } = await evaluate(task, loader, stops)
  const found = await translateAll(
    run,
    pairs.map(({ source }) => source),
    { ...search, ...stops },
  )
  const best = found.map(([first]) => first!)
  const translations = best.map(({ text }) => text)
  const references = pairs.map(({ target }) => target)
  const corpus = bleu(translations, references, { tokenize, lowercase })
  const characters = chrf(translations, references, { lowercase })
  // As the run's tokenizer joins them: `words` separates punctuation.
  const wanted = references.map(text => codec.decode(codec.encode(run.lowercase ? text.toLowerCase() : text)))
  return {
    scores: {
      loss: metrics.loss!,
      perplexity: metrics.perplexity!,
      bleu: corpus.score,
      chrf: characters.score,
      exact: exactMatches(translations, wanted) / pairs.length,
    },
    bleuSignature: corpus.signature,
    chrfSignature: characters.signature,
    translations: best,
    sentenceBleu: translations.map((text, i) => {
      return sentenceBleu(text, references[i]!, { tokenize, lowercase }).score
    }),
  }
}

/** A translation with its text. */
export interface TranslatedText extends FoundTranslation {
  text: string
}

/**
 * Translates texts, those of similar length together.
 *
 * @returns for each text its best translations, the best first.
 * @throws PackedRnnError (rejects) as `translate` does.
 *
 * @example
 * ```ts
 * import { Seq2Seq } from 'packed-rnn/models'
 * import { translateAll } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const language = { codec: tokenCodec('words'), vocabulary: MarkedVocabulary.fromWords(['ein', 'Hund']) }
 * const sizes = { sourceVocabularySize: 5, targetVocabularySize: 5, embeddingDim: 4, hiddenSize: 8 }
 * const run = { model: new Seq2Seq(sizes), source: language, target: language, lowercase: false }
 * const found = await translateAll(run, ['ein Hund', 'Hund'], { beams: 3, nBest: 2 })
 * console.log(found.map(all => all.length)) // [2, 2]
 * ```
 */
export async function translateAll(
  run: TranslationRun,
  texts: readonly string[],
  options: SearchOptions & { signal?: AbortSignal } = {},
): Promise<TranslatedText[][]> {
  const { begin, end } = run.target.vocabulary
  const wasTraining = run.model.training
  run.model.eval()
  try {
    const ids = texts.map(text => sourceIds(run, text))
    const order = ids.map((_, i) => i).sort((a, b) => ids[a]!.length - ids[b]!.length)
    const found: TranslatedText[][] = []
    for (let at = 0; at < order.length; at += BATCH) {
      const some = order.slice(at, at + BATCH)
      const batch = new PackedIds(some.map(i => ids[i]!))
      const answers = await translate(run.model, batch, { ...options, begin, end })
      for (const [k, i] of some.entries()) {
        found[i] = answers[k]!.map(each => ({ ...each, text: textOf(run, each.ids) }))
      }
    }
    return found
  } finally {
    run.model.train(wasTraining)
  }
}
