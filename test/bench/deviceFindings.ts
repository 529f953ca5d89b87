import type { EpochFinding, Finding } from '../../src/bench/device/records.js'

/** Invented findings of a run on a GPU. */

export function epoch(
  who: string,
  steps: number,
  seconds: number | null,
  more: Partial<EpochFinding> = {},
): Finding {
  return {
    ...{
      finding: 'epoch',
      workload: 'A',
      who,
      steps,
      of: 4,
      tokens: 10 * steps,
      seconds,
      javascript: null,
      otherFunction: false,
    },
    ...{ reason: null, ...more },
  }
}

/** All participants at every shape; ours is twice as fast as the next. */
export function points(names: readonly string[], H = 64): Finding[] {
  return [32, 256, 1024].flatMap(T =>
    [1, 8, 256].flatMap(B =>
      names.map((who, i): Finding => {
        const passes = { forward: 1.25 * (i + 1) + B / 8, backward: 200 * (i + 1) + B / 4 }
        return { finding: 'point', H, B, T, who, ...passes, rounds: 5, reason: null }
      }),
    ),
  )
}

export const run: Finding = {
  ...{ finding: 'run', format: 'packed-rnn device bench 1', started: '2026-11-29T10:00:00.000Z' },
  ...{ device: 'cuda', precision: null, seconds: 330, parts: ['device', 'steps'] },
  code: { version: '0.1.0', commit: null, date: null, changed: null },
  host: {
    ...{ cpu: 'A CPU', cores: 16, memoryGiB: 128, kernel: '6', node: 'v20' },
    ...{ cudaLibrary: null, cards: ['NVIDIA Nothing, 580.1, 80 GiB'] },
  },
}

export const deviceFinding: Finding = {
  ...{ finding: 'device', name: 'cuda:0 (NVIDIA Nothing, tf32)', instructions: 'sm_90', reason: null },
}
