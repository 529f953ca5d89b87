import * as v from 'valibot'
import { jsonNumber as number } from '../formats/json.js'
import { type TranslationPresetName, translationPresets } from '../models/seq2seqPresets.js'
import { PackedIds } from '../packed.js'
import type { TextPair } from '../text/pairs.js'
import type { Metrics } from '../training/record.js'
import type { ResultsKind } from '../training/records.js'
import { sourceIds, TRANSLATION, type TranslationRun } from './translationRun.js'
import { type ScoredTranslations, type ScoreOptions, scoreTranslations } from './translationScores.js'

/** A sentence with its translation, and what each word of that looked at. */
export interface AlignedSentence {
  /** Tokens. */
  source: string[]
  translation: string[]
  reference: string
  /** Of the sentence, from 0 to 100. */
  bleu: number
  /** [translation][source]; null without attention. */
  weights: number[][] | null
}

/** What the end of a translation's run found, beside what every run has. */
export interface TranslationResults {
  preset: TranslationPresetName
  /** Ids of each language. */
  words: { source: number; target: number }
  pairs: { training: number; valid: number }
  /** How BLEU and chrF were computed. */
  signatures: { bleu: string; chrf: string }
  /** Of each tested sentence: words of the source, and BLEU. */
  sentences: { length: number[]; bleu: number[] }
  best: AlignedSentence[]
  worst: AlignedSentence[]
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const aligned = v.array(
  v.object({
    source: v.array(v.string()),
    translation: v.array(v.string()),
    reference: v.string(),
    bleu: number,
    weights: v.nullable(v.array(v.array(v.number()))),
  }),
)

/** How results of translations are kept. */
export const translationResults: ResultsKind<TranslationResults> = {
  task: TRANSLATION,
  schema: v.object({
    preset: v.picklist(Object.keys(translationPresets) as TranslationPresetName[]),
    words: v.object({ source: count, target: count }),
    pairs: v.object({ training: count, valid: count }),
    signatures: v.object({ bleu: v.string(), chrf: v.string() }),
    sentences: v.object({ length: v.array(count), bleu: v.array(number) }),
    best: aligned,
    worst: aligned,
  }),
}

/** Sentences that are shown with their alignments: the best and the worst. */
const SHOWN = 4
/** Shorter ones show nothing. */
const LEAST_WORDS = 3

/** Scores a trained model on pairs, for its report, its results and its page. */
export async function ofTest(
  run: TranslationRun,
  pairs: readonly TextPair[],
  options: Pick<ScoreOptions, 'search' | 'tokenize' | 'signal'>,
): Promise<{
  report: string
  metrics: Metrics
  own: Pick<TranslationResults, 'signatures' | 'sentences' | 'best' | 'worst'>
}> {
  const found = await scoreTranslations(run, pairs, options)
  const lengths = pairs.map(({ source }) => sourceIds(run, source).length)
  const ranked = pairs
    .map((_, i) => i)
    .filter(i => lengths[i]! >= LEAST_WORDS && found.translations[i]!.text !== '')
    .sort((a, b) => found.sentenceBleu[b]! - found.sentenceBleu[a]!)
  const show = async (places: number[]) => {
    const shown: AlignedSentence[] = []
    for (const i of places) shown.push(await alignedSentence(run, pairs[i]!, found, i))
    return shown
  }
  const own = {
    signatures: { bleu: found.bleuSignature, chrf: found.chrfSignature },
    sentences: { length: lengths, bleu: found.sentenceBleu },
    best: await show(ranked.slice(0, SHOWN)),
    worst: await show(ranked.slice(SHOWN).slice(-SHOWN).reverse()),
  }
  return { report: reportOf(found), metrics: { ...found.scores }, own }
}

async function alignedSentence(
  run: TranslationRun,
  { source, target }: TextPair,
  { translations, sentenceBleu }: ScoredTranslations,
  i: number,
): Promise<AlignedSentence> {
  const { ids, ended } = translations[i]!
  const { vocabulary } = run.target
  const from = sourceIds(run, source)
  const shown = [...vocabulary.decode(ids), ...(ended ? ['</s>'] : [])]
  // The step that reads a word finds the next one.
  const read = Int32Array.of(vocabulary.begin, ...ids).slice(0, shown.length)
  const found = await run.model.alignment(new PackedIds([from]), new PackedIds([read]))
  const weights =
    found === null
      ? null
      : shown.map((_, t) => [...found[0]!.subarray(t * from.length, (t + 1) * from.length)])
  return {
    source: run.source.vocabulary.decode(from),
    translation: shown,
    reference: target,
    bleu: sentenceBleu[i]!,
    weights: weights?.map(row => row.map(weight => Number(weight.toFixed(4)))) ?? null,
  }
}

/** The scores as text, a line each. */
export function reportOf({ scores, bleuSignature, chrfSignature, translations }: ScoredTranslations): string {
  return [
    `sentences    ${translations.length}`,
    `BLEU         ${scores.bleu.toFixed(2)}   ${bleuSignature}`,
    `chrF         ${scores.chrf.toFixed(2)}   ${chrfSignature}`,
    `exact match  ${scores.exact.toFixed(4)}`,
    `loss         ${scores.loss.toFixed(4)}`,
    `perplexity   ${scores.perplexity.toFixed(3)}`,
    '',
  ].join('\n')
}
