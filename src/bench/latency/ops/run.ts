import { median } from '../../../median.js'
import { checkClose, toleranceOf } from '../../close.js'
import { interleave } from '../../interleave.js'
import { othersBetween, usage } from '../../usage.js'
import { QUICK, type Timed, those, timesOf, USUAL } from '../turns.js'
import { type WorkName, workNames, works } from './numbers.js'
import type { OpsSide } from './sides.js'

/** The result of one workload: microseconds per call of the op, or for all its ops. */
export interface OpsRow {
  about: string
  ours: number
  /** The fastest peer; null without one. */
  best: number | null
  peer: string | null
  /** best / ours */
  ratio: number | null
  /** The largest difference of a peer's results from ours; null without peers. */
  largestError: number | null
  /** All participants. */
  sides: Record<string, Timed & { ours: boolean }>
}

export interface OpsResults {
  rows: Partial<Record<WorkName, OpsRow>>
  /** Cores used by other processes meanwhile. */
  othersCores: number | null
  /** Sides that failed, with the workload if they had started, and the reason. */
  failed: Record<string, string>
}

export interface OpsOptions {
  rounds: number
  quick: boolean
  signal?: AbortSignal | undefined
  log(line: string): void
  /** For tests: fewer than all. */
  names?: readonly WorkName[]
}

interface OpsTurn {
  who: string
  times: number
  question: string
}

/**
 * Times workloads of a few ops. The first side is ours. All results are compared with its before timing. Closes the sides'
 * processes.
 *
 * @throws Error (rejects) if results differ
 */
export async function measureOps(sides: readonly OpsSide[], options: OpsOptions): Promise<OpsResults> {
  const { names = workNames, log } = options
  const failed: OpsResults['failed'] = {}
  const rows: OpsResults['rows'] = {}
  const rules = (name?: WorkName) => ({
    needed: (side: OpsSide) => side === sides[0],
    failed: ({ who }: OpsSide, reason: string) => {
      failed[name === undefined ? who : `${who}, ${works[name].about}`] = reason
    },
  })
  try {
    const ready = await those(sides, side => side.process.answer(), rules())
    const before = usage(sides)
    for (const name of names) {
      let wanted: Record<string, number[]> | null = null
      let largestError: number | null = null
      const check = async ({ process, who }: OpsSide) => {
        const answer = await process.ask(`check ${name}`)
        if (wanted === null) {
          wanted = Object.fromEntries(answer.names().map(array => [array, answer.numbers(array)]))
          return
        }
        const found = Object.fromEntries(Object.keys(wanted).map(array => [array, answer.numbers(array)]))
        const error = checkClose(found, wanted, toleranceOf('float32'), `${who}, ${works[name].about}`)
        largestError = Math.max(largestError ?? 0, error)
      }
      const working = await those(ready, check, rules(name))
      const row = { ...(await measureRow(name, working, options)), largestError }
      rows[name] = row
      const best = row.best === null ? '' : `, ${row.peer} ${row.best.toFixed(1)}`
      log(`  ${row.about}: ${row.ours.toFixed(1)} µs${best}`)
    }
    return { rows, othersCores: othersBetween(before, usage(sides)), failed }
  } finally {
    for (const { process } of sides) await process.close()
  }
}

async function measureRow(
  name: WorkName,
  sides: readonly OpsSide[],
  { rounds, quick, signal }: OpsOptions,
): Promise<Omit<OpsRow, 'largestError'>> {
  const { turn, patience } = quick ? QUICK : USUAL
  const takers: { process: OpsSide['process']; turns: OpsTurn[] }[] = []
  for (const { process, who } of sides) {
    const times = await timesOf(process, `time ${name}`, turn)
    takers.push({ process, turns: [{ who, times, question: `time ${name} ${times}` }] })
  }
  const samples = await interleave(takers, { rounds, patience, probe: async () => {}, signal })
  const { about, calls } = works[name]
  const timed = [...samples].map(([{ who, times }, taken]) => {
    const each = taken.map(sample => (1e6 * sample.seconds) / (times * calls))
    const ours = sides.some(side => side.who === who && side.ours)
    return { who, ours, microseconds: median(each), samples: each }
  })
  const ours = timed[0]!.microseconds
  const best = timed.filter(side => !side.ours).sort((a, b) => a.microseconds - b.microseconds)[0]
  return {
    ...{ about, ours, best: best?.microseconds ?? null, peer: best?.who ?? null },
    ratio: best === undefined ? null : best.microseconds / ours,
    sides: Object.fromEntries(timed.map(({ who, ...rest }) => [who, rest])),
  }
}
