// All measurements and checks that need a GPU, in one run, on a machine that only has a driver and Node:
//
//   node bench/gpu.js [--device cuda] [--precision tf32] [--seconds 330] [--documents 9245] [--out DIR]
//   node bench/gpu.js --report DIR
//
//   device     opens the device, and compares layers with a float64 reference
//   driver     every op on small shapes in C++, without Node
//   suite      the device suite, with a runner that needs no package
//   epochs     seconds of an epoch of the workloads A, B and C, and PyTorch's if python3 (or PYTHON) has it
//   steps      microseconds of a layer-step of long texts, measured with events
//   ncu        the resident kernels, the product and sumRows, if ncu is installed and allowed
//   memcheck, racecheck, synccheck
//              the driver under compute-sanitizer, if that is installed and allowed
//
// Each part is a process with its own time limit. It appends each result to DIR/results.jsonl at once, so a run that is cut
// off loses nothing. --seconds scales the limits. --report makes the Markdown and the page from the existing results. The
// exit code is 1 if something is wrong. A part that could not run reports the reason, which is not an error. `--device cpu`
// runs everything on the CPU.
//
// Before: npm install && npm run build:cuda && npm run build:gpu. For a machine without Node, npm run pack:gpu makes a
// folder that contains it.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { deviceParts } from '../dist/bench/device/parts.js'
import { FILES, runOnDevice, writeResults } from '../dist/bench/device/run.js'
import { faults } from '../dist/bench/device/summary.js'
import { DOCUMENTS } from '../dist/bench/device/workload.js'
import { driverPart, profileParts, sanitizerParts, suiteParts } from './gpu/tools.js'

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    precision: { type: 'string' },
    seconds: { type: 'string', default: '330' },
    documents: { type: 'string', default: String(DOCUMENTS) },
    out: { type: 'string' },
    report: { type: 'string' },
  },
})

// A packed folder has no library that draws pages.
const draws = existsSync(new URL('../node_modules/linkedom', import.meta.url))
if (values.report !== undefined) {
  await writeResults(values.report, draws)
  process.stdout.write(`${join(values.report, FILES.markdown)}\n`)
} else {
  await run()
}

async function run() {
  const [seconds, documents] = ['seconds', 'documents'].map(name => {
    const value = Number(values[name])
    if (!(value > 0)) throw new Error(`--${name}: wanted a positive number, got '${values[name]}'`)
    return value
  })
  const { device, precision = null } = values
  const kind = device.split(':')[0]
  // npm and run.sh change the working directory first.
  const out =
    values.out === undefined
      ? fileURLToPath(new URL('./results/gpu', import.meta.url))
      : resolve(process.env.INIT_CWD ?? '.', values.out)
  const own = fileURLToPath(new URL('../build/Release/libpacked_rnn_cuda.so', import.meta.url))
  const library = kind === 'cpu' ? null : process.env.PACKED_RNN_CUDA_LIBRARY || own
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => interrupt.abort())
  const findings = await runOnDevice({
    ...{ out, device, precision, seconds, signal: interrupt.signal },
    log: line => process.stdout.write(`${line}\n`),
    page: draws,
    parts: found => {
      const options = { device, precision, documents, points: 'eight' }
      const parts = deviceParts(found, options)
      return [
        driverPart(library),
        parts.device,
        ...suiteParts(found, kind),
        ...parts.epochs,
        parts.steps,
        ...profileParts(found, library, kind),
        ...sanitizerParts(found, library, kind),
      ]
    },
  })
  const wrong = faults(findings)
  for (const line of wrong) process.stdout.write(`wrong: ${line}\n`)
  process.exitCode = wrong.length > 0 ? 1 : 0
}
