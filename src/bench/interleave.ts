import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchProcess } from './process.js'
import type { Sample } from './results.js'

/** Threads that wait for their next work spin for some milliseconds; the next turn begins when that is over. */
const PAUSE_MS = 50
const REWARMED_S = 5

/** Who takes turns: a question for each that its process is asked. */
interface Taker<T> {
  process: BenchProcess
  turns: readonly T[]
}

interface Rules {
  rounds: number
  /** Seconds that one's turns may take, before it sits out the other rounds. It has one turn that counts at least. */
  patience: number
  /** At the beginning of each round. */
  probe(): Promise<void>
  signal: AbortSignal | undefined
}

/**
 * One turn of everybody that warms, then rounds that count. In a round everybody goes twice and the second time counts:
 * on some virtual machines memory that was idle for seconds is dear to touch again, by half of a step that uses a gigabyte.
 * Whoever takes longer than `REWARMED_S` goes once.
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
