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

/** Times epochs of a workload. The losses of the first steps are compared before. */

const CHECKED_STEPS = 3
const ROUNDS = 3
/** The number of losses that are not awaited yet, as in `Trainer.fit`. */
const STEPS_AHEAD = 3

/** The result of a whole epoch, or of the steps that there was time for. */
interface Epoch {
  steps: number
  of: number
  tokens: number
  seconds: number
  javascript: number | null
}

interface Runner {
  who: string
  otherFunction: boolean
  /** @throws Error (rejects) if its results are wrong */
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
  const own = [ours(setting, 'shuffled'), ours(setting, 'bucketed')]
  try {
    // PyTorch starts while ours is compared. Timing begins when it is ready.
    const failed = await prepare(own, setting)
    const peers = (await isReady(setting)) ? await peersOf(setting) : []
    for (const [runner, reason] of await prepare(peers, setting)) failed.set(runner, reason)
    await interleave([...own, ...peers], failed, setting)
  } finally {
    for (const runner of own) runner.dispose()
    await rm(folder, { recursive: true, force: true })
  }
}

async function isReady({ torch, deadline, findings }: Setting): Promise<boolean> {
  if (torch === null) return false
  const finding = await torch.ready(deadline.seconds / 3)
  findings.add(finding)
  return finding.reason === null
}

async function peersOf(setting: Setting): Promise<Runner[]> {
  const { torch, folder, name, on, data } = setting
  if (torch === null) return []
  await writeDocuments(folder, data)
  await writeWorkload(folder, name, on, data, ROUNDS + 1)
  // On a CPU PyTorch's packed backward pass takes minutes.
  const modes = on.kind === 'cpu' ? ['padded'] : ['packed', 'padded']
  return modes.map(mode => theirs({ ...setting, torch }, mode))
}

/** The runners with wrong results, with the reason. */
async function prepare(runners: readonly Runner[], { deadline }: Setting): Promise<Map<Runner, string>> {
  const failed = new Map<Runner, string>()
  for (const runner of runners) {
    try {
      if (deadline.over) failed.set(runner, TIME_OVER)
      else await runner.prepare()
    } catch (error) {
      failed.set(runner, `failed: ${messageOf(error)}`)
    }
  }
  return failed
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
      // Buckets use the same code on other batches, so one comparison is enough.
      if (on.kind !== 'cpu' && order === 'shuffled') {
        const cpu = device('cpu')
        const [wanted, found] = [await firstLosses(setting, cpu, 2), await firstLosses(setting, on, 2)]
        checkLosses(found, wanted, toleranceOf(on.precision), cpu.name)
        findings.add(check(name, cpu.name))
      }
      trainer = makeTrainer(name, on, data)
    },
    /** Batches are packed when they are used, as in a user's program. */
    async epoch(number, seconds) {
      const epoch = batches.epoch(number)
      const iterator = epoch[Symbol.iterator]()
      await on.synchronize()
      const start = performance.now()
      const pending: Promise<number>[] = []
      let steps = 0
      let tokens = 0
      let javascript = 0
      const issueNext = () => {
        const began = performance.now()
        const { value: batch, done } = iterator.next()
        if (done !== true) {
          const loss = trainer!.step(batch)
          pending.push(loss.item())
          loss.dispose()
          steps++
          tokens += batch.ids.sequences.rows
        }
        javascript += performance.now() - began
        return done !== true
      }
      while (issueNext()) {
        if (pending.length > STEPS_AHEAD) await pending.shift()
        // Waits for the issued steps.
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
      return { steps, of: epoch.steps, tokens, seconds: spent, javascript: javascript / 1000 / spent }
    },
    dispose: () => trainer?.model.dispose(),
  }
}

function theirs({ torch, ...setting }: Setting & { torch: Torch }, mode: string): Runner {
  const { name, on, data, folder, findings, deadline } = setting
  const ask = (command: object) => torch.ask({ mode, ...command }, Math.max(1, deadline.seconds))
  const workload = workloads[name]
  // The second direction of a padded batch begins in the padding, see bench/peers/cuda_torch.py.
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
      const batches = batchesOf(data, name, 'shuffled').epoch(number)
      let tokens = 0
      for (const { ids } of [...batches].slice(0, steps)) tokens += ids.sequences.rows
      return { steps, of, tokens, seconds: spent, javascript: null }
    },
    dispose: () => {},
  }
}

function check(workload: string, against: string) {
  return { finding: 'check', what: `${workload}: first losses`, against, error: null, reason: null } as const
}

/** Runs warm-up steps and then a timed epoch of each runner in turn. Ours is first, so a hanging peer cannot prevent its first epoch. */
async function interleave(
  runners: readonly Runner[],
  failed: ReadonlyMap<Runner, string>,
  { name, findings, deadline }: Setting,
) {
  const out = new Set<Runner>()
  const add = (runner: Runner, epoch: Epoch | null, reason: string | null) => {
    const { who, otherFunction } = runner
    const none: Pick<EpochFinding, keyof Epoch> = {
      ...{ steps: 0, of: 0, tokens: 0, seconds: null, javascript: null },
    }
    findings.add({ finding: 'epoch', workload: name, who, otherFunction, ...(epoch ?? none), reason })
    if (epoch === null || epoch.steps < epoch.of) out.add(runner)
  }
  for (const [runner, reason] of failed) add(runner, null, reason)
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [i, runner] of runners.entries()) {
      if (out.has(runner)) continue
      if (deadline.over) {
        if (round === 1) add(runner, null, TIME_OVER)
        continue
      }
      const share = deadline.seconds / (runners.length - i)
      try {
        if (round === 1) await runner.epoch(0, share / 4)
        add(runner, await runner.epoch(round, deadline.seconds / (runners.length - i)), null)
      } catch (error) {
        add(runner, null, `failed: ${messageOf(error)}`)
      }
    }
  }
}
