/** Seconds of an epoch of the workloads: the losses of the first steps are compared before anything is timed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkLosses, toleranceOf } from '../../dist/bench/close.js'
import { writeDocuments } from '../../dist/bench/documents.js'
import { median } from '../../dist/median.js'
import { Deadline, TIME_OVER } from './clock.js'
import { batchesOf, batchIndices, makeDocuments, makeTrainer, specOf, workloads } from './workloads.js'

const CHECKED_STEPS = 3
const ROUNDS = 3
/** Losses that are not awaited yet, as in `Trainer.fit`. */
const STEPS_AHEAD = 3

const ORDERS = ['shuffled', 'bucketed']
/** PyTorch's ways: bench/peers/cuda_torch.py. */
const MODES = ['packed', 'padded', 'bucketed']

/** @returns `{ documents, tokens, words, workloads: [{ name, rows: [{ who, seconds | reason }] }] }` */
export async function measureEpochs({ device, cpu }, peer, count, deadline, log) {
  const data = makeDocuments(count)
  const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-gpu-'))
  try {
    if (peer !== null) await writeDocuments(folder, data)
    const results = []
    const names = Object.keys(workloads)
    for (const [i, name] of names.entries()) {
      const share = new Deadline((deadline.seconds * 1000) / (names.length - i))
      results.push({
        name,
        rows: await measureWorkload(workloads[name], { device, cpu, peer, folder, data, share }),
      })
      for (const row of results.at(-1).rows) log(`${name}: ${row.who}: ${told(row)}`)
    }
    const { documents, tokens, words, about } = data
    return { documents: documents.length, tokens, words, lengths: about, workloads: results }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function told({ seconds, reason, steps, of }) {
  if (reason !== undefined) return reason
  return seconds === null ? `${steps} of ${of} steps` : `${seconds.toFixed(3)} s an epoch`
}

async function measureWorkload(workload, { device, cpu, peer, folder, data, share }) {
  const runners = ORDERS.map(order => ours(workload, { device, cpu, data, order }))
  const peers = []
  try {
    if (peer !== null && !share.over) {
      await writeParameters(folder, workload, device, data)
      await writeOrders(folder, workload, data)
      peers.push(...MODES.map(mode => peerRunner(peer, mode, { workload, folder, device, data })))
    }
    return await interleave([...runners, ...peers], share)
  } finally {
    for (const runner of runners) runner.dispose()
  }
}

async function firstLosses(workload, device, data, order, steps) {
  const trainer = makeTrainer(workload, device, data)
  const losses = []
  for (const batch of batchesOf(data, orderOf(workload, order)).epoch(0)) {
    if (losses.length === steps) break
    const loss = trainer.step(batch)
    losses.push(await loss.item())
    loss.dispose()
  }
  trainer.model.dispose()
  return losses
}

function orderOf({ batchSize }, order) {
  return { batchSize, bucketByLength: order === 'bucketed' }
}

function ours(workload, { device, cpu, data, order }) {
  const batches = batchesOf(data, orderOf(workload, order))
  let trainer = null
  return {
    who: `packed-rnn${order === 'bucketed' ? ' bucketed' : ''}`,
    async prepare() {
      let checked = null
      // In buckets it is the same code on other batches: one comparison will do.
      if (cpu !== null && order === 'shuffled') {
        const wanted = await firstLosses(workload, cpu, data, order, 2)
        const found = await firstLosses(workload, device, data, order, 2)
        checkLosses(found, wanted, toleranceOf(device.precision), cpu.name)
        checked = cpu.name
      }
      trainer = makeTrainer(workload, device, data)
      return { checked }
    },
    /** Batches are packed when their turn comes, as a user's are. */
    async epoch(number, seconds) {
      const epoch = batches.epoch(number)
      const iterator = epoch[Symbol.iterator]()
      await device.synchronize()
      const start = performance.now()
      const pending = []
      let steps = 0
      let javascript = 0
      const issueNext = () => {
        const began = performance.now()
        const { value: batch, done } = iterator.next()
        if (!done) {
          const loss = trainer.step(batch)
          pending.push(loss.item())
          loss.dispose()
          steps++
        }
        javascript += performance.now() - began
        return !done
      }
      while (issueNext()) {
        if (pending.length > STEPS_AHEAD) await pending.shift()
        if (performance.now() - start > seconds * 1000) break
      }
      await Promise.all(pending)
      await device.synchronize()
      const spent = (performance.now() - start) / 1000
      return { steps, of: epoch.steps, seconds: spent, javascript: javascript / 1000 / spent }
    },
    dispose: () => trainer?.model.dispose(),
  }
}

function peerRunner(peer, mode, { workload, folder, device, data }) {
  return {
    who: `PyTorch ${mode}`,
    async prepare() {
      await peer.ask({ do: 'workload', mode, spec: specOf(workload, data), folder })
      // What cuda_torch.py computes then is not what ours computes: it says why.
      if (mode !== 'packed' && workload.bidirectional) return { checked: null, otherFunction: true }
      const { losses } = await peer.ask({ do: 'losses', mode, steps: CHECKED_STEPS })
      const order = mode === 'bucketed' ? 'bucketed' : 'shuffled'
      const wanted = await firstLosses(workload, device, data, order, CHECKED_STEPS)
      checkLosses(losses, wanted, 2 * toleranceOf(device.precision), 'packed-rnn')
      return { checked: 'packed-rnn' }
    },
    epoch: (number, seconds) => peer.ask({ do: 'epoch', mode, number, seconds }, seconds + 300),
  }
}

/** Some steps that warm, then epochs that count, of each in turn. */
async function interleave(runners, deadline) {
  const rows = runners.map(({ who }) => ({ who, epochs: [] }))
  const attempt = async (row, act) => {
    try {
      await act()
    } catch (error) {
      Object.assign(row, { reason: `failed: ${error.message}`, wrong: true })
    }
  }
  for (const [i, runner] of runners.entries()) {
    if (deadline.over) rows[i].reason = TIME_OVER
    else await attempt(rows[i], async () => Object.assign(rows[i], await runner.prepare()))
    if (rows[i].reason !== undefined) continue
    await attempt(rows[i], () => runner.epoch(0, deadline.seconds / (8 * runners.length)))
  }
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [i, runner] of runners.entries()) {
      const row = rows[i]
      if (row.reason !== undefined || row.cut) continue
      if (deadline.over) {
        if (round === 1) row.reason = TIME_OVER
        continue
      }
      await attempt(row, async () => {
        const found = await runner.epoch(round, deadline.seconds / (runners.length - i))
        row.epochs.push(found)
        row.cut = found.steps < found.of
      })
    }
  }
  return rows.map(summary)
}

/** Seconds of an epoch where a whole one ran, and only there. */
function summary({ who, epochs, reason, wrong, checked, otherFunction }) {
  if (reason !== undefined) return { who, reason, ...(wrong && { wrong }) }
  const whole = epochs.filter(({ steps, of }) => steps === of)
  const [{ of }] = epochs
  const most = epochs.reduce((a, b) => (b.steps > a.steps ? b : a))
  return {
    ...{ who, seconds: whole.length === 0 ? null : median(whole.map(({ seconds }) => seconds)) },
    ...{ epochs: whole.length, steps: most.steps, of, secondsOfSteps: most.seconds },
    ...(most.javascript !== undefined && { javascript: median(epochs.map(({ javascript }) => javascript)) }),
    checked,
    ...(otherFunction && { otherFunction }),
  }
}

async function writeParameters(folder, workload, device, data) {
  const { model } = makeTrainer(workload, device, data)
  const parameters = {}
  for (const [name, { data }] of await model.stateDict()) {
    if (!name.startsWith('embedding.')) parameters[name] = [...data]
  }
  model.dispose()
  await writeFile(join(folder, 'parameters.json'), JSON.stringify(parameters))
}

async function writeOrders(folder, workload, data) {
  for (const order of ORDERS) {
    const epochs = batchIndices(data, { ...orderOf(workload, order), epochs: ROUNDS + 1 })
    await writeFile(join(folder, `${order}.json`), JSON.stringify(epochs))
  }
}
