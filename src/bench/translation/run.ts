import { median } from '../../median.js'
import { relativeError, toleranceOf } from '../close.js'
import { interleave, type Sample } from '../interleave.js'
import { those } from '../latency/turns.js'
import { othersBetween, usage } from '../usage.js'
import { type BatchSets, predictedTokens, type SetName, setNames, sets } from './batches.js'
import { type DecodingResults, measureDecoding } from './decode.js'
import type { TranslationSide } from './sides.js'

/** Seconds of a participant's turns per set; then those of a quick run. */
const USUAL_PATIENCE = 100
const QUICK_PATIENCE = 1
/** Steps that are compared, by teacher forcing. */
const CHECKED = [
  { forcing: 1, steps: 3 },
  { forcing: 0, steps: 1 },
] as const

/** One participant's training steps on one set. */
export interface TranslationRow {
  ours: boolean
  /** Seconds of a step: the median of the samples. */
  seconds: number
  samples: number[]
  /** Words of the target per second, the end marks included. */
  tokensPerSecond: number
  /** Its seconds divided by ours; null for ours. */
  oursIsFasterBy: number | null
}

/** The result of one set of batches. */
export interface TranslationSet {
  about: string
  batches: number
  sentences: number
  /** Words of the target, the end marks included. */
  tokens: number
  /** Seconds of a step: ours, and the fastest peer's, null without one. */
  ours: number
  best: number | null
  peer: string | null
  /** best / ours */
  ratio: number | null
  /** All participants; ours first. */
  sides: Record<string, TranslationRow>
}

export interface TranslationResults {
  sets: Record<SetName, TranslationSet>
  decoding: DecodingResults
  /** The largest relative difference of a peer's losses and gradient norms from ours; null without peers. */
  largestError: number | null
  /** Cores used by other processes meanwhile. */
  othersCores: number | null
  /** Sides that failed, with the reason. */
  failed: Record<string, string>
}

/** What is timed. */
export interface Timed {
  batches: BatchSets
  /** Sentences to translate. */
  sources: number
}

export interface TranslationOptions {
  rounds: number
  quick: boolean
  signal?: AbortSignal | undefined
  log(line: string): void
}

/**
 * Times training steps and translations of a model. The first side is ours. The losses, gradient norms and translations of all
 * sides are compared with its before timing. Closes the sides' processes.
 *
 * @throws Error (rejects) if results differ
 */
export async function measureTranslation(
  sides: readonly TranslationSide[],
  { batches, sources }: Timed,
  options: TranslationOptions,
): Promise<TranslationResults> {
  const failed: TranslationResults['failed'] = {}
  const rules = {
    needed: (side: TranslationSide) => side === sides[0],
    failed: ({ process }: TranslationSide, reason: string) => {
      failed[process.name] = reason
    },
  }
  try {
    const ready = await those(sides, side => side.process.answer(), rules)
    await ready[0]!.process.ask('parameters')
    const wanted = new Map<string, Checked>()
    let largestError: number | null = null
    const check = async (side: TranslationSide) => {
      const error = await checkSide(side, wanted)
      if (side !== sides[0]) largestError = Math.max(largestError ?? 0, error)
    }
    const working = await those(ready, check, rules)
    const before = usage(sides)
    const patience = options.quick ? QUICK_PATIENCE : USUAL_PATIENCE
    const found = await measureSets(working, batches, { ...options, patience })
    const decoding = await measureDecoding(working, sources, { ...options, rules, patience: patience / 4 })
    return { sets: found, decoding, largestError, othersCores: othersBetween(before, usage(sides)), failed }
  } finally {
    for (const { process } of sides) await process.close()
  }
}

/** A loss and a gradient norm for each step. */
type Checked = Record<'losses' | 'norms', number[]>

/** Compares a side's results with those in `wanted`. The first side's are put there. @returns the largest error */
async function checkSide({ process, ways }: TranslationSide, wanted: Map<string, Checked>): Promise<number> {
  let largest = 0
  for (const { who, way } of ways) {
    for (const set of setNames) {
      for (const { forcing, steps } of CHECKED) {
        const request = `${set} ${forcing} ${steps}`
        const answer = await process.ask(`check ${way} ${request}`)
        const checked = { losses: answer.numbers('losses'), norms: answer.numbers('norms') }
        const first = wanted.get(request)
        if (first === undefined) wanted.set(request, checked)
        else {
          const about = `${who}, ${sets[set]}, teacher forcing ${forcing}`
          largest = Math.max(largest, differenceOf(checked, first, about, forcing === 1))
        }
      }
    }
  }
  return largest
}

/** @throws Error if a number is outside its tolerance */
function differenceOf(found: Checked, wanted: Checked, about: string, forced: boolean): number {
  const tolerance = toleranceOf('float32')
  let largest = 0
  for (const name of ['losses', 'norms'] as const) {
    const [values, expected] = [found[name], wanted[name]]
    if (values.length !== expected.length) {
      throw new Error(`${about}: ${name}: wanted ${expected.length} numbers, got ${values.length}`)
    }
    for (const [i, value] of expected.entries()) {
      // Results differ more after Adam's first step, where a rounding error that flips a gradient's sign has full effect, and with
      // the model's own words, where it may select another word.
      const allowed = i === 0 && forced ? tolerance : 10 * tolerance
      const error = relativeError([values[i]!], [value])
      if (!(error <= allowed)) {
        throw new Error(`${about}: ${name} of step ${i + 1}: wanted ${value}, got ${values[i]}`)
      }
      largest = Math.max(largest, error)
    }
  }
  return largest
}

interface TranslationTurn {
  who: string
  ours: boolean
  question: string
}

async function measureSets(
  working: readonly TranslationSide[],
  batches: BatchSets,
  { rounds, patience, signal, log }: TranslationOptions & { patience: number },
): Promise<TranslationResults['sets']> {
  const measure = async (set: SetName): Promise<TranslationSet> => {
    const takers = working.map(({ process, ways, ours }) => ({
      process,
      turns: ways.map(({ who, way }): TranslationTurn => ({ who, ours, question: `time ${way} ${set}` })),
    }))
    const samples = await interleave(takers, { rounds, patience, probe: async () => {}, signal })
    const found = resultOf(set, batches[set], samples)
    const best = found.best === null ? '' : `, ${found.peer} ${(1000 * found.best).toFixed(0)}`
    log(`  ${found.about}: ${(1000 * found.ours).toFixed(0)} ms a step${best}`)
    return found
  }
  return { shuffled: await measure('shuffled'), byLength: await measure('byLength') }
}

function resultOf(
  set: SetName,
  batches: BatchSets[SetName],
  samples: ReadonlyMap<TranslationTurn, Sample[]>,
): TranslationSet {
  const tokens = predictedTokens(batches)
  const rows = [...samples].map(([{ who, ours }, taken]) => {
    const each = taken.map(({ seconds }) => seconds / batches.length)
    return { who, ours, samples: each, seconds: median(each) }
  })
  const ours = rows[0]!.seconds
  const best = rows.filter(row => !row.ours).sort((a, b) => a.seconds - b.seconds)[0]
  const sides = rows.map(({ who, ...row }, i): [string, TranslationRow] => [
    who,
    {
      ...row,
      tokensPerSecond: tokens / batches.length / row.seconds,
      oursIsFasterBy: i === 0 ? null : row.seconds / ours,
    },
  ])
  return {
    ...{ about: sets[set], batches: batches.length, tokens },
    sentences: batches.reduce((sum, { target }) => sum + target.length, 0),
    ...{ ours, best: best?.seconds ?? null, peer: best?.who ?? null },
    ratio: best === undefined ? null : best.seconds / ours,
    sides: Object.fromEntries(sides),
  }
}
