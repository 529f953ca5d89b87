/** Common functions for timing small workloads: the length of a turn, and the participants. */
import { type BenchProcess, ProcessFailure } from '../process.js'

/** Approximate seconds of a turn, and seconds of a participant's turns per cell; then those of a quick run. */
export const USUAL = { turn: 0.05, patience: 10 }
export const QUICK = { turn: 0.01, patience: 1 }
/** Warm-up turns, and the repetitions of the first. Each turn determines the repetitions of the next. */
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
 * Runs the warm-up turns.
 *
 * @param ask a request without the number of repetitions
 * @returns the number of repetitions for a turn of the given seconds
 */
export async function timesOf(process: BenchProcess, ask: string, seconds: number): Promise<number> {
  // From the second turn on, compilers and caches are warm, as in timed turns.
  let times = FIRST_TIMES
  for (let turn = 0; turn < WARM_TURNS; turn++) {
    const took = (await process.ask(`${ask} ${times}`)).number('seconds')
    const wanted = Math.round((seconds * times) / took)
    times = Math.min(MOST_TIMES, Math.max(LEAST_TIMES, wanted))
  }
  return times
}

/** The sides for which f succeeds. A side that fails is skipped and reported, unless it is needed. */
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
