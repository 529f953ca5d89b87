import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Device, device } from '../../device.js'
import { checkLosses, toleranceOf } from '../close.js'
import { type Documents, writeDocuments } from '../documents.js'
import { type Deadline, TIME_OVER } from './deadline.js'
import { messageOf } from './points.js'
import type { EpochFinding, Findings } from './records.js'
import type { Torch } from './torch.js'
import {
  batchesOf,
  makeDocuments,
  makeTrainer,
  type Order,
  type WorkloadName,
  workloads,
  writeWorkload,
} from './workload.js'

/** Seconds of an epoch of a workload: the losses of the first steps are compared before anything is timed. */

const CHECKED_STEPS = 3
const ROUNDS = 3
/** Losses that are not awaited yet, as in `Trainer.fit`. */
const STEPS_AHEAD = 3

/** Of a whole epoch, or of what there was time for. */
interface Epoch {
  steps: number
  of: number
  seconds: number
  javascript: number | null
}

interface Runner {
  who: string
  otherFunction: boolean
  /** @throws Error where it computes something else than it should */
  prepare(): Promise<void>
  epoch(number: number, seconds: number): Promise<Epoch>
  dispose(): void
}

interface Setting {
  name: WorkloadName
  on: Device
  data: Documents
  findings: Findings
  torch: Torch | null
  deadline: Deadline
  folder: string
}

export async function measureEpochs(
  name: WorkloadName,
  on: Device,
  run: { documents: number; findings: Findings; torch: Torch | null; deadline: Deadline },
): Promise<void> {
  const data = makeDocuments(run.documents)
  const { documents, tokens, words, about } = data
  run.findings.add({ finding: 'data', documents: documents.length, tokens, words, about })
  const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-epochs-'))
  const setting: Setting = { ...run, name, on, data, folder }
  const runners = [ours(setting, 'shuffled'), ours(setting, 'bucketed')]
  try {
    if (run.torch !== null) {
      await writeDocuments(folder, data)
      await writeWorkload(folder, name, on, data, ROUNDS + 1)
      const torch = run.torch
      // On a CPU its packed backward pass takes minutes.
      const modes = on.kind === 'cpu' ? ['padded'] : ['packed', 'padded']
      runners.push(...modes.map(mode => theirs({ ...setting, torch }, mode)))
    }
    await interleave(runners, setting)
  } finally {
    for (const runner of runners) runner.dispose()
    await rm(folder, { recursive: true, force: true })
  }
}

async function firstLosses({ name, data }: Setting, on: Device, steps: number): Promise<number[]> {
  const trainer = makeTrainer(name, on, data)
  const losses: number[] = []
  for (const batch of batchesOf(data, name, 'shuffled').epoch(0)) {
    if (losses.length === steps) break
    const loss = trainer.step(batch)
    losses.push(await loss.item())
    loss.dispose()
  }
  trainer.model.dispose()
  return losses
}

function ours(setting: Setting, order: Order): Runner {
  const { name, on, data, findings } = setting
  const batches = batchesOf(data, name, order)
  let trainer: ReturnType<typeof makeTrainer> | null = null
  return {
    who: order === 'bucketed' ? 'packed-rnn bucketed' : 'packed-rnn',
    otherFunction: false,
    async prepare() {
      // In buckets it is the same code on other batches: one comparison will do.
      if (on.kind !== 'cpu' && order === 'shuffled') {
        const cpu = device('cpu')
        const [wanted, found] = [await firstLosses(setting, cpu, 2), await firstLosses(setting, on, 2)]
        checkLosses(found, wanted, toleranceOf(on.precision), cpu.name)
        findings.add(check(name, cpu.name))
      }
      trainer = makeTrainer(name, on, data)
    },
    /** Batches are packed when their turn comes, as a user's are. */
    async epoch(number, seconds) {
      const epoch = batches.epoch(number)
      const iterator = epoch[Symbol.iterator]()
      await on.synchronize()
      const start = performance.now()
      const pending: Promise<number>[] = []
      let steps = 0
      let javascript = 0
      const issueNext = () => {
        const began = performance.now()
        const { value: batch, done } = iterator.next()
        if (done !== true) {
          const loss = trainer!.step(batch)
          pending.push(loss.item())
          loss.dispose()
          steps++
        }
        javascript += performance.now() - began
        return done !== true
      }
      while (issueNext()) {
        if (pending.length > STEPS_AHEAD) await pending.shift()
        // Those that are issued are made.
        const done = steps - pending.length
        if (
          done === 0
            ? steps === epoch.steps
            : performance.now() - start > (seconds * 1000 * done) / (steps + 1)
        )
          break
      }
      await Promise.all(pending)
      await on.synchronize()
      const spent = (performance.now() - start) / 1000
      return { steps, of: epoch.steps, seconds: spent, javascript: javascript / 1000 / spent }
    },
    dispose: () => trainer?.model.dispose(),
  }
}

function theirs({ torch, ...setting }: Setting & { torch: Torch }, mode: string): Runner {
  const { name, on, data, folder, findings, deadline } = setting
  const ask = (command: object) => torch.ask({ mode, ...command }, Math.max(1, deadline.seconds))
  const workload = workloads[name]
  // A padded batch's second direction begins in the padding: bench/peers/cuda_torch.py.
  const otherFunction = mode !== 'packed' && workload.bidirectional
  return {
    who: `PyTorch ${mode}`,
    otherFunction,
    async prepare() {
      const spec = { ...workload, vocabularySize: data.words, classes: data.classes }
      await ask({ do: 'workload', spec, folder })
      if (otherFunction) return
      const losses = (await ask({ do: 'losses', steps: CHECKED_STEPS })).numbers('losses')
      const wanted = await firstLosses({ ...setting, torch }, on, losses.length)
      checkLosses(losses, wanted, 2 * toleranceOf(on.precision), 'packed-rnn')
      findings.add(check(`${name}, PyTorch ${mode}`, 'packed-rnn'))
    },
    async epoch(number, seconds) {
      const answer = await ask({ do: 'epoch', number, seconds })
      const [steps, of, spent] = [answer.number('steps'), answer.number('of'), answer.number('seconds')]
      return { steps, of, seconds: spent, javascript: null }
    },
    dispose: () => {},
  }
}

function check(workload: string, against: string) {
  return { finding: 'check', what: `${workload}: first losses`, against, error: null, reason: null } as const
}

/** Each begins with an epoch right after the steps that warm it, so that whoever hangs afterwards costs nobody's; then all take turns. */
async function interleave(runners: readonly Runner[], { name, findings, deadline }: Setting) {
  const out = new Set<Runner>()
  const add = (runner: Runner, epoch: Epoch | null, reason: string | null) => {
    const { who, otherFunction } = runner
    const none: Pick<EpochFinding, keyof Epoch> = { steps: 0, of: 0, seconds: null, javascript: null }
    findings.add({ finding: 'epoch', workload: name, who, otherFunction, ...(epoch ?? none), reason })
    if (epoch === null || epoch.steps < epoch.of) out.add(runner)
  }
  const measure = async (runner: Runner, number: number, share: number) => {
    try {
      if (number === 1) {
        await runner.prepare()
        await runner.epoch(0, (share * deadline.seconds) / 4)
      }
      add(runner, await runner.epoch(number, share * deadline.seconds), null)
    } catch (error) {
      add(runner, null, `failed: ${messageOf(error)}`)
    }
  }
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [i, runner] of runners.entries()) {
      if (out.has(runner)) continue
      // In the first round nobody knows what the others take.
      const share = round === 1 ? 1 / (2 * (runners.length - i)) : 1 / (runners.length - i)
      if (!deadline.over) await measure(runner, round, share)
      else if (round === 1) add(runner, null, TIME_OVER)
    }
  }
}
