/** Times translations: words that a model writes, one step after the other. */
import { median } from '../../median.js'
import { interleave } from '../interleave.js'
import { those } from '../latency/turns.js'
import type { TranslationSide } from './sides.js'

/** Words of each translation, as many as a sentence of Multi30k has. No sentence ends earlier. */
const WORDS = 13
/** The share of sentences that must have the same words: a rounding error selects the other one of two equally likely words. */
const SAME = 0.95

/** How sentences are decoded: hypotheses, and sentences at once. */
const settings = [
  { beams: 1, batch: 1 },
  { beams: 1, batch: 64 },
  { beams: 5, batch: 1 },
  { beams: 5, batch: 64 },
] as const
type Setting = (typeof settings)[number]

/** One participant's translations. */
export interface DecodingRow {
  ours: boolean
  /** Seconds for all sentences: the median of the samples. */
  seconds: number
  samples: number[]
  sentencesPerSecond: number
  /** Its seconds divided by ours; null for ours. */
  oursIsFasterBy: number | null
}

export interface DecodingSetting {
  beams: number
  batch: number
  /** All participants; ours first. */
  sides: Record<string, DecodingRow>
}

export interface DecodingResults {
  sentences: number
  /** Words of each translation. */
  words: number
  /** The smallest share of sentences in which a peer wrote our words; null without peers. */
  same: number | null
  settings: DecodingSetting[]
}

interface DecodingOptions {
  /** What happens to sides that fail, as of `those`. */
  rules: Parameters<typeof those<TranslationSide>>[2]
  rounds: number
  /** Seconds of a participant's turns. */
  patience: number
  signal?: AbortSignal | undefined
  log(line: string): void
}

/**
 * Translates `sentences` sources with the initial parameters.
 *
 * @throws Error (rejects) if a peer writes other words
 */
export async function measureDecoding(
  sides: readonly TranslationSide[],
  sentences: number,
  { rules, rounds, patience, signal, log }: DecodingOptions,
): Promise<DecodingResults> {
  const found: DecodingResults = { sentences, words: WORDS, same: null, settings: [] }
  const request = ({ beams, batch }: Setting, way: string) =>
    `translate ${way} initial ${beams} ${batch} ${WORDS} none`
  const waysOf = ({ ways }: TranslationSide) => ways.filter(({ translates }) => translates)
  const first = new Map<Setting, number[][]>()
  const check = async (side: TranslationSide) => {
    for (const setting of settings) {
      for (const { who, way } of waysOf(side)) {
        const words = (await side.process.ask(request(setting, way))).lists('words')
        const wanted = first.get(setting)
        if (wanted === undefined) first.set(setting, words)
        else found.same = Math.min(found.same ?? 1, sameWords(words, wanted, `${who}, beam ${setting.beams}`))
      }
    }
  }
  const working = await those(sides, check, rules)
  for (const setting of settings) {
    const { beams, batch } = setting
    const takers = working.map(side => ({
      process: side.process,
      turns: waysOf(side).map(({ who, way }) => ({ who, ours: side.ours, question: request(setting, way) })),
    }))
    const samples = await interleave(takers, { rounds, patience, probe: async () => {}, signal })
    const rows = [...samples].map(([{ who, ours }, taken]) => {
      const each = taken.map(({ seconds }) => seconds)
      return { who, ours, samples: each, seconds: median(each) }
    })
    const named = rows.map(({ who, ...row }, i): [string, DecodingRow] => [
      who,
      {
        ...row,
        sentencesPerSecond: sentences / row.seconds,
        oursIsFasterBy: i === 0 ? null : row.seconds / rows[0]!.seconds,
      },
    ])
    found.settings.push({ beams, batch, sides: Object.fromEntries(named) })
    const rates = named.map(([who, row]) => `${who} ${row.sentencesPerSecond.toFixed(0)}`).join(', ')
    log(`  beam ${beams}, ${batch} at a time: sentences a second: ${rates}`)
  }
  return found
}

/** The share of sentences with the same words. @throws Error if too many have others; one may */
function sameWords(words: readonly number[][], wanted: readonly number[][], about: string): number {
  const equal = words.filter((sentence, i) => sentence.join() === wanted[i]?.join()).length
  const same = equal / wanted.length
  if (words.length === wanted.length && (same >= SAME || equal >= wanted.length - 1)) return same
  const share = `${(100 * same).toFixed(0)} %`
  throw new Error(`${about}: wanted our words in ${100 * SAME} % of sentences, got ${share}`)
}
