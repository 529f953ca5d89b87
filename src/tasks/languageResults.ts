import * as v from 'valibot'
import { jsonNumber as number } from '../formats/json.js'
import { type LanguagePresetName, languagePresets } from '../models/languagePresets.js'
import type { Metrics } from '../training/record.js'
import type { ResultsKind } from '../training/records.js'
import { generate } from './generation.js'
import { LANGUAGE_MODEL, type LanguageRun } from './languageRun.js'
import { scoreText, type TextScores } from './languageScores.js'

/** What the end of a language model's run found, beside what every run has. */
export interface LanguageResults {
  preset: LanguagePresetName
  /** Ids of the vocabulary. */
  words: number
  /** Tokens of the texts. */
  tokens: { training: number; valid: number }
  /** The share of the tested tokens that the vocabulary lacks. */
  unknown: number
  /** Texts that the model wrote, each from the beginning of a line, with the temperature of its draws. */
  samples: { temperature: number; text: string }[]
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0))

/** How results of language models are kept. */
export const languageResults: ResultsKind<LanguageResults> = {
  task: LANGUAGE_MODEL,
  schema: v.object({
    preset: v.picklist(Object.keys(languagePresets) as LanguagePresetName[]),
    words: count,
    tokens: v.object({ training: count, valid: count }),
    unknown: number,
    samples: v.array(v.object({ temperature: number, text: v.string() })),
  }),
}

/** The streams of a test: enough to be fast, and few enough that little of the text is left out. */
export const TEST_STREAMS = 10

/** Scores a trained model on lines, and lets it write, for its report, its results and its page. */
export async function ofLanguageTest(
  run: LanguageRun,
  lines: readonly string[],
  { signal, batchSize, seed }: { signal: AbortSignal; batchSize: number; seed: number },
): Promise<{ report: string; metrics: Metrics; own: Pick<LanguageResults, 'unknown' | 'samples'> }> {
  const scores = await scoreText(run, lines, { batchSize, signal })
  const samples: LanguageResults['samples'] = []
  const length = run.codec.name === 'characters' ? 300 : 60
  for (const temperature of [0.5, 0.8, 1]) {
    let text = ''
    for await (const piece of generate(run, '', { length, signal, sampling: { seed, temperature } }))
      text += piece
    samples.push({ temperature, text })
  }
  const { unknown, tokens: _, ...metrics } = scores
  return { report: reportOfText(scores), metrics, own: { unknown, samples } }
}

/** The scores as text, a line each. */
export function reportOfText({
  tokens,
  loss,
  perplexity,
  bits,
  bitsPerCharacter,
  unknown,
}: TextScores): string {
  return [
    `tokens              ${tokens}, ${(100 * unknown).toFixed(2)} % of the text unknown`,
    `loss                ${loss.toFixed(4)}`,
    `perplexity          ${perplexity.toFixed(3)}`,
    `bits per token      ${bits.toFixed(4)}`,
    `bits per character  ${bitsPerCharacter.toFixed(4)}`,
    '',
  ].join('\n')
}
