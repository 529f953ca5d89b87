/** What those who time small work have in common: how long a turn is, and who takes part. */
import { type BenchProcess, ProcessFailure } from '../process.js'

/** Seconds that a turn takes about, and that somebody's turns may take in a cell; and those of a quick run. */
export const USUAL = { turn: 0.05, patience: 10 }
export const QUICK = { turn: 0.01, patience: 1 }
/** Turns that are not timed, and how often the first does its work. Each says how often the next does. */
const WARM_TURNS = 4
const FIRST_TIMES = 8
const LEAST_TIMES = 4
const MOST_TIMES = 20_000

/** Microseconds. */
export interface Timed {
  microseconds: number
  samples: number[]
}

/**
 * Asks some turns that do not count.
 *
 * @param ask a question that lacks how often
 * @returns how often a turn of so many seconds does its work
 */
export async function timesOf(process: BenchProcess, ask: string, seconds: number): Promise<number> {
  // From the second on these are turns as they will be timed: by then compilers and caches are warm.
  let times = FIRST_TIMES
  for (let turn = 0; turn < WARM_TURNS; turn++) {
    const took = (await process.ask(`${ask} ${times}`)).number('seconds')
    const wanted = Math.round((seconds * times) / took)
    times = Math.min(MOST_TIMES, Math.max(LEAST_TIMES, wanted))
  }
  return times
}

/** Those sides that f works for; one that fails is left out, and told, unless it is needed. */
export async function those<S extends { process: BenchProcess }>(
  sides: readonly S[],
  f: (side: S) => Promise<unknown>,
  { needed, failed }: { needed(side: S): boolean; failed(side: S, reason: string): void },
): Promise<S[]> {
  const working: S[] = []
  for (const side of sides) {
    try {
      await f(side)
      working.push(side)
    } catch (error) {
      if (needed(side) || !(error instanceof ProcessFailure)) throw error
      failed(side, error.message)
    }
  }
  return working
}
