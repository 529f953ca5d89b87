// Everything that only a GPU can tell, in one run, on a machine with a driver and Node and nothing else:
//
//   node bench/gpu.js [--device cuda] [--precision tf32] [--seconds 1500] [--only suite,sanitizer,steps,epochs,torch]
//                     [--documents 9245] [--out bench/results]
//
//   suite      the device suite, by a runner that needs no package
//   sanitizer  every 8th test of it under compute-sanitizer, where that is installed
//   steps      microseconds of a layer-step over H, B and T; checked against the float64 reference and the CPU first
//   epochs     seconds of an epoch of the workloads A, B and C; the first losses are compared with the CPU's first
//   torch      PyTorch with cuDNN beside both, interleaved, where python3 (or PYTHON) has it
//
// Before: npm install && npm run build:cuda && npm run build:gpu; or npm run pack:gpu, which makes a folder for a machine
// that has not even Node. Writes bench/results/gpu-DATE-DEVICE.json and .md. Exits with 1 where something is wrong; what
// could not be measured says why, and is not wrong. `--device cpu` tries it all on the CPU.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { device as openDevice } from '../dist/index.js'
import { Budget } from './gpu/clock.js'
import { measureEpochs } from './gpu/epochs.js'
import { codeFacts, machineFacts } from './gpu/machine.js'
import { startPeer } from './gpu/peer.js'
import { markdown } from './gpu/report.js'
import { measureSteps } from './gpu/steps.js'
import { runSanitizers, runSuite } from './gpu/suite.js'
import { DOCUMENTS } from './gpu/workloads.js'

const PARTS = ['suite', 'sanitizer', 'steps', 'epochs', 'torch']

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    precision: { type: 'string' },
    seconds: { type: 'string', default: '1500' },
    only: { type: 'string', default: PARTS.join(',') },
    documents: { type: 'string', default: String(DOCUMENTS) },
    out: { type: 'string', default: fileURLToPath(new URL('./results', import.meta.url)) },
  },
})

const only = values.only.split(',')
for (const part of only) {
  if (!PARTS.includes(part)) throw new Error(`--only: wanted some of ${PARTS.join(', ')}, got '${part}'`)
}
if (!(Number(values.seconds) > 0))
  throw new Error(`--seconds: wanted a positive number, got '${values.seconds}'`)

const log = line => process.stdout.write(`${line}\n`)
const started = new Date()
const devices = openDevices()
const { device } = devices
const results = {
  format: 'packed-rnn gpu bench 1',
  started: started.toISOString(),
  seconds: 0,
  only,
  code: codeFacts(),
  machine: machineFacts(),
  device: {
    name: device.name,
    kind: device.kind,
    precision: device.precision,
    instructions: device.instructions,
  },
  torch: { reason: 'not asked for' },
}
log(`${device.name}, ${device.instructions}`)

const weights = { suite: 3, sanitizer: 2, steps: 4, epochs: 4 }
const budget = new Budget(
  Number(values.seconds),
  Object.fromEntries(Object.entries(weights).filter(([part]) => only.includes(part))),
)
if (only.includes('suite')) results.suite = await runSuite(device.kind, budget.start('suite'), log)
if (only.includes('sanitizer')) {
  results.sanitizers = await runSanitizers(device.kind, budget.start('sanitizer'), log)
}
const peer = await findPeer()
if (only.includes('steps')) {
  results.steps = await measureSteps(devices, peer, await readReference(), budget.start('steps'), log)
}
if (only.includes('epochs')) {
  const documents = Number(values.documents)
  // On a CPU its padded batch takes a minute, its packed one an hour: npm run bench compares there.
  const without = peer !== null && device.kind === 'cpu' && documents > 64
  if (without) log('PyTorch is left out of the epochs: on a CPU they take hours')
  const deadline = budget.start('epochs')
  results.epochs = await measureEpochs(devices, without ? null : peer, documents, deadline, log)
  if (without) results.epochs.withoutPeer = 'PyTorch was left out: on a CPU its epochs take hours'
}
peer?.close()

results.seconds = (Date.now() - started) / 1000
await mkdir(values.out, { recursive: true })
const name = `gpu-${results.started.slice(0, 10)}-${fileName(device.name)}`
await writeFile(join(values.out, `${name}.json`), `${JSON.stringify(results, null, 2)}\n`)
await writeFile(join(values.out, `${name}.md`), markdown(results))
log(`${join(values.out, name)}.json and .md`)
const wrong = failures(results)
for (const line of wrong) log(`wrong: ${line}`)
process.exitCode = wrong.length > 0 ? 1 : 0

function openDevices() {
  try {
    if (values.device === 'cpu') return { device: openDevice('cpu'), stepwise: null, cpu: null }
    const { precision = 'tf32' } = values
    return {
      device: openDevice(values.device, { precision }),
      stepwise: openDevice(values.device, { precision, path: 'stepwise' }),
      cpu: openDevice('cpu'),
    }
  } catch (error) {
    log(error.message)
    process.exit(1)
  }
}

async function findPeer() {
  if (!only.includes('torch')) return null
  const { peer, versions, reason } = await startPeer({
    kind: device.kind,
    precision: results.device.precision,
  })
  results.torch = versions ?? { reason }
  log(`PyTorch: ${reason ?? versions.torch}`)
  return peer ?? null
}

/** The float64 reference of the tests; null where `npm run build:gpu` did not compile it, and the results say so. */
async function readReference() {
  try {
    return await import('../build/gpu/test/reference/lstm.js')
  } catch {
    log('no float64 reference: npm run build:gpu')
    return null
  }
}

function failures({ suite, sanitizers = [], steps = [], epochs }) {
  const lines = []
  if (suite?.wrong)
    lines.push(`the suite: ${suite.reason ?? `${suite.failed} failed, ${suite.passed} passed`}`)
  for (const { tool, wrong } of sanitizers) if (wrong) lines.push(`compute-sanitizer ${tool}`)
  for (const { H, B, T, wrong, reason } of steps) if (wrong) lines.push(`H ${H}, B ${B}, T ${T}: ${reason}`)
  for (const { name, rows } of epochs?.workloads ?? []) {
    for (const { who, wrong, reason } of rows) {
      // What PyTorch cannot do is no fault of ours.
      if (wrong && who.startsWith('packed-rnn')) lines.push(`${name}: ${who}: ${reason}`)
    }
  }
  return lines
}

function fileName(text) {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}
