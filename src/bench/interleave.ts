import { setTimeout as sleep } from 'node:timers/promises'
import type { Participant, Turn } from './context.js'
import type { Sample } from './results.js'

/** Threads that wait for their next work spin for some milliseconds; the next turn begins when that is over. */
const PAUSE_MS = 50
const REWARMED_S = 5

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
export async function interleave(
  participants: readonly Participant[],
  { rounds, patience, probe, signal }: Rules,
): Promise<Map<Turn, Sample[]>> {
  const all = participants.flatMap(({ process, turns }) => turns.map(turn => ({ process, turn })))
  const samples = new Map<Turn, Sample[]>(all.map(({ turn }) => [turn, []]))
  const spent = new Map<Turn, number>()
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
