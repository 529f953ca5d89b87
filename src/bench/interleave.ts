import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchProcess } from './process.js'

/** Idle threads spin for some milliseconds. The next turn begins after that. */
const PAUSE_MS = 50
const REWARMED_S = 5

/** One turn: seconds, and for our own process the seconds spent in JavaScript. */
export interface Sample {
  seconds: number
  javascript: number | null
}

/** A participant's turns: requests to its process. */
interface Taker<T> {
  process: BenchProcess
  turns: readonly T[]
}

interface Rules {
  rounds: number
  /** Seconds of turns after which a participant skips the other rounds. It has at least one turn that counts. */
  patience: number
  /** Called at the beginning of each round. */
  probe(): Promise<void>
  signal: AbortSignal | undefined
}

/**
 * Runs a warm-up turn of each participant, then the rounds that count. In a round each participant runs twice and the second
 * turn counts. On some virtual machines, touching memory that was idle for seconds is slow, by half the time of a step
 * that uses a gigabyte. A participant that takes longer than `REWARMED_S` runs once.
 */
export async function interleave<T extends { question: string }>(
  participants: readonly Taker<T>[],
  { rounds, patience, probe, signal }: Rules,
): Promise<Map<T, Sample[]>> {
  const all = participants.flatMap(({ process, turns }) => turns.map(turn => ({ process, turn })))
  const samples = new Map<T, Sample[]>(all.map(({ turn }) => [turn, []]))
  const spent = new Map<T, number>()
  for (let round = 0; round <= rounds; round++) {
    if (round > 0) await probe()
    for (const { process, turn } of all) {
      const used = spent.get(turn) ?? 0
      if (used > patience) continue
      signal?.throwIfAborted()
      await sleep(PAUSE_MS)
      let answer = await process.ask(turn.question)
      if (round > 0 && answer.number('seconds') < REWARMED_S) answer = await process.ask(turn.question)
      const seconds = answer.number('seconds')
      const javascript = answer.optional('javascript') === undefined ? null : answer.number('javascript')
      if (round === 0) continue
      spent.set(turn, used + seconds)
      samples.get(turn)?.push({ seconds, javascript })
    }
  }
  return samples
}
