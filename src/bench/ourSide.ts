/** The package's own processes, from the requesting side; see ours.ts. */
import { fileURLToPath } from 'node:url'
import { cases } from './cases.js'
import type { Ours, Participant, Setting } from './context.js'
import { multiplicationsByPass, multiplicationsOf, type WalkedRows, type Work } from './multiplications.js'
import { readNumbers } from './numbers.js'
import { passes } from './passes.js'
import { BenchProcess } from './process.js'

export const OURS = 'packed-rnn'
const SCRIPT = fileURLToPath(new URL('./ours.js', import.meta.url))

export function startOurs(setting: Setting, who = OURS): BenchProcess {
  return new BenchProcess(who, process.execPath, [SCRIPT, JSON.stringify(setting)])
}

/** The input weights are multiplied once with each distinct word, and frozen words have no gradient. */
function workOf({ name, words, tokens }: Setting): Work {
  return { inputRows: words, rows: tokens, inputGradient: cases[name].tuneEmbedding }
}

export function ourPart(who: string, process: BenchProcess, setting: Setting): Participant {
  const { name, tokens } = setting
  const work = multiplicationsByPass(cases[name], workOf(setting))
  const turns = passes.map(pass => ({
    ...{ who, pass, tokens, question: pass },
    multiplications: work[pass],
  }))
  return { process, turns, notes: {}, ours: true, precision: setting.precision }
}

/**
 * Our multiplications in `stepLast`, whose backward pass skips tokens without a gradient. The number of skipped tokens depends
 * on the parameters, so the timed steps are repeated in another process: the mean of up to three of them.
 */
export async function countWalked(setting: Setting, timed: BenchProcess): Promise<number> {
  const { name } = setting
  const { bidirectional, numLayers } = cases[name]
  const directions = bidirectional ? 2 : 1
  const made = (await timed.ask('made')).numbers('steps')
  // The first request is the warm-up; in each round the second one counts.
  const counted = made.filter((_, i) => i > 0 && i % 2 === 0)
  const chosen = new Set(
    [0, counted.length >> 1, counted.length - 1].map(i => counted[i] ?? made.at(-1) ?? 0),
  )
  const own = startOurs(setting)
  try {
    await own.answer()
    const counts: number[] = []
    for (const steps of chosen) {
      const found = (await own.ask(`walked ${steps}`)).numbers('rows')
      const backward = Array.from({ length: numLayers }, (_, l) =>
        Array.from({ length: directions }, (_, d): WalkedRows => {
          const at = 2 * (l * directions + d)
          return { rows: found[at]!, inputRows: found[at + 1]! }
        }),
      )
      counts.push(multiplicationsOf(cases[name], { ...workOf(setting), backward }).step)
    }
    return counts.reduce((sum, count) => sum + count, 0) / counts.length
  } finally {
    await own.close()
  }
}

/** Our results, which peers are compared with. */
export function answersOf(own: BenchProcess, { parameters }: Setting): Ours {
  return {
    losses: async (pass, count, steps) =>
      (await own.ask(`losses ${pass} ${count} ${steps}`)).numbers('losses'),
    states: async () => {
      const file = `${parameters}.states`
      await own.ask(`states ${file}`)
      return readNumbers(file)
    },
    equalLengths: async ({ pass, steps, sequences }) => {
      const file = `${parameters}.equal`
      await own.ask(`equal ${pass} ${steps} ${sequences} ${file}`)
      return readNumbers(file)
    },
  }
}

/** The peak memory of a process that does nothing else. */
export async function memoryOf(setting: Setting) {
  const own = startOurs(setting)
  try {
    await own.answer()
    await own.ask('forward')
    const forwardPeakBytes = own.peakBytes
    await own.ask('step')
    await own.ask('step')
    return { forwardPeakBytes, peakBytes: own.peakBytes }
  } finally {
    await own.close()
  }
}
