import { type Device, device } from '../../device.js'
import { median } from '../../median.js'
import { checkClose, toleranceOf } from '../close.js'
import type { Answer } from '../process.js'
import { type Deadline, TIME_OVER } from './deadline.js'
import { checkAgainst, checkAgainstReference, Layer, type Passes } from './layer.js'
import type { Findings, PointFinding } from './records.js'
import type { Torch } from './torch.js'

/** Microseconds of a layer-step: an LSTM layer's passes over B sequences of T rows, divided by T. */

export interface Point {
  H: number
  B: number
  T: number
}

/** The points of the short run, the most important first. */
export const eightPoints: readonly Point[] = [
  [64, 256],
  [128, 256],
  [128, 1],
  [64, 64],
  [256, 64],
  [512, 64],
  [128, 64],
  [256, 256],
].map(([H, B]) => ({ H: H!, B: B!, T: 1024 }))

/** The points of the curves over T and B. */
export const gridPoints: readonly Point[] = [256, 1024, 32].flatMap(T =>
  [64, 128].flatMap(H => [256, 64, 8, 1].map(B => ({ H, B, T }))),
)

const ROUNDS = 5
/** Approximate seconds of a row of passes, and the bytes that they hold on the device. */
const ROUND_SECONDS = 0.05
const ROUND_BYTES = { cpu: 1e9, cuda: 16e9 }
const MOST_CALLS = 64
/** The maximum operations of a point on a CPU. */
const MOST_CPU_FLOPS = 3e11

/** Checks and then times each point while there is time. */
export async function measurePoints(
  on: Device,
  points: readonly Point[],
  { findings, torch, deadline }: { findings: Findings; torch: Torch | null; deadline: Deadline },
): Promise<void> {
  const checked = new Set<number>()
  for (const point of points) {
    const none = (who: string, reason: string): void =>
      findings.add({ finding: 'point', ...point, who, forward: null, backward: null, rounds: 0, reason })
    const { H, B, T } = point
    if (deadline.over) none('packed-rnn', TIME_OVER)
    else if (on.kind === 'cpu' && 48 * H * H * B * T > MOST_CPU_FLOPS)
      none('packed-rnn', 'left out: too large for a CPU')
    else {
      const right = await check(on, point, checked, findings)
      if (!right) none('packed-rnn', 'not timed: its results are wrong')
      else for (const finding of await time(on, point, torch, deadline, none)) findings.add(finding)
    }
  }
}

/** Compares with the float64 reference, and a GPU with the CPU. */
async function check(on: Device, point: Point, checked: Set<number>, findings: Findings): Promise<boolean> {
  const { H, B, T } = point
  let right = true
  const compare = async (what: string, against: string, act: () => Promise<number>) => {
    try {
      findings.add({ finding: 'check', what, against, error: await act(), reason: null })
    } catch (error) {
      right = false
      findings.add({ finding: 'check', what, against, error: null, reason: messageOf(error) })
    }
  }
  if (!checked.has(H)) {
    checked.add(H)
    await compare(`H ${H}`, 'the float64 reference', () => checkAgainstReference(on, H))
  }
  if (on.kind !== 'cpu') {
    const cpu = device('cpu')
    await compare(`H ${H}, B ${B}, T ${T}`, cpu.name, () => checkAgainst(on, cpu, point))
  }
  return right
}

interface Runner {
  who: string
  round: (calls: number) => Promise<Passes>
}

async function time(
  on: Device,
  point: Point,
  torch: Torch | null,
  deadline: Deadline,
  none: (who: string, reason: string) => void,
): Promise<PointFinding[]> {
  const { H, B, T } = point
  const layer = new Layer(on, H, new Array<number>(B).fill(T))
  try {
    const runners: Runner[] = [{ who: 'packed-rnn', round: calls => layer.round(calls) }]
    const own = torch === null ? {} : await layer.numbers()
    // On a CPU PyTorch's packed backward pass takes seconds.
    for (const mode of on.kind === 'cpu' ? ['padded'] : ['padded', 'packed']) {
      if (torch === null) break
      const who = `PyTorch ${mode}`
      try {
        const ask = (command: object) => torch.ask({ mode, ...command }, Math.max(1, deadline.seconds))
        await comparePeer(on, point, own, ask, who)
        runners.push({ who, round: calls => peerRound(ask, calls) })
      } catch (error) {
        none(who, messageOf(error))
      }
    }
    return await interleave(runners, point, ROUND_BYTES[on.kind], deadline)
  } finally {
    layer.dispose()
  }
}

type Ask = (command: object) => Promise<Answer>

async function peerRound(ask: Ask, calls: number): Promise<Passes> {
  const answer = await ask({ do: 'round', calls })
  return { forward: answer.number('forward'), backward: answer.number('backward') }
}

/** Compares the ends of its results with ours. Both round their operands, in different orders. */
async function comparePeer(
  on: Device,
  { H, B, T }: Point,
  found: Record<string, Float32Array>,
  ask: Ask,
  who: string,
): Promise<void> {
  const answer = await ask({ do: 'layer', H, B, T })
  const rowsOf = (values: Float32Array, t: number) =>
    [0, B - 1].flatMap(b => [...values.subarray((b * T + t) * H, (b * T + t + 1) * H)])
  const own = {
    output: rowsOf(found.output!, T - 1),
    dInput: rowsOf(found.dInput!, 0),
    dWIh: found.wIh!.slice(0, H),
    dWHh: found.wHh!.slice(0, H),
  }
  const sample = Object.fromEntries(Object.keys(own).map(name => [name, answer.numbers(name)]))
  checkClose(own, sample, 2 * toleranceOf(on.precision), `H ${H}, B ${B}, T ${T}, ${who}`)
}

/** Runs rounds of all participants in turn. A slow participant makes fewer calls per round, but all rounds. */
async function interleave(
  runners: readonly Runner[],
  point: Point,
  bytes: number,
  deadline: Deadline,
): Promise<PointFinding[]> {
  const { H, B, T } = point
  const mostCalls = Math.max(1, Math.min(MOST_CALLS, Math.floor(bytes / (40 * B * T * H))))
  const running = runners.map(runner => ({ ...runner, calls: 0, found: [] as Passes[], reason: '' }))
  for (let round = 0; round < ROUNDS && (round === 0 || !deadline.over); round++) {
    for (const one of running) {
      if (one.reason !== '') continue
      try {
        if (round === 0) {
          // The first call is the warm-up. The second one determines the calls per round; a third round allocates their memory.
          await one.round(1)
          const { forward, backward } = await one.round(1)
          const wanted = Math.floor(ROUND_SECONDS / (forward + backward))
          one.calls = Math.max(1, Math.min(mostCalls, wanted))
          if (one.calls > 1) await one.round(one.calls)
        }
        one.found.push(await one.round(one.calls))
      } catch (error) {
        one.reason = messageOf(error)
      }
    }
  }
  return running.map(({ who, found, reason }) => {
    const microseconds = (key: keyof Passes) => (median(found.map(one => one[key])) / T) * 1e6
    const [forward, backward] = [microseconds('forward'), microseconds('backward')]
    const finding = { finding: 'point', ...point, who, rounds: found.length } as const
    return found.length === 0
      ? { ...finding, forward: null, backward: null, reason }
      : { ...finding, forward, backward, reason: null }
  })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
