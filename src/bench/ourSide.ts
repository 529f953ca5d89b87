/** The package's own processes, seen from the one that asks: see ours.ts. */
import { fileURLToPath } from 'node:url'
import { cases } from './cases.js'
import { type Ours, type Participant, passes, type Setting } from './context.js'
import { multiplicationsByPass, multiplicationsOf, type WalkedRows, type Work } from './multiplications.js'
import { readNumbers } from './numbers.js'
import { BenchProcess } from './process.js'

export const OURS = 'packed-rnn'
const SCRIPT = fileURLToPath(new URL('./ours.js', import.meta.url))

export function startOurs(setting: Setting): BenchProcess {
  return new BenchProcess(OURS, process.execPath, [SCRIPT, JSON.stringify(setting)])
}

/** Its input's weights are multiplied with each distinct word once, and words that are not trained have no gradient. */
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
  return { process, turns, notes: {}, ours: true }
}

/** Corrects the count of `stepLast`, whose backward pass leaves out what has no gradient. */
export async function countWalked({ process, turns }: Participant, setting: Setting): Promise<void> {
  const { tokens, words, name } = setting
  const { bidirectional, numLayers } = cases[name]
  const found = (await process.ask('walked')).numbers('rows')
  const directions = bidirectional ? 2 : 1
  const backward = Array.from({ length: numLayers }, (_, l) =>
    Array.from({ length: directions }, (_, d): WalkedRows => {
      const at = 2 * (l * directions + d)
      return { rows: found[at] ?? tokens, inputRows: found[at + 1] ?? words }
    }),
  )
  const { step } = multiplicationsOf(cases[name], { ...workOf(setting), backward })
  for (const turn of turns) if (turn.pass === 'stepLast') turn.multiplications = step
}

/** What peers are compared with. */
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

/** The most memory of a process that does nothing else. */
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
