// A part of a run on a device, in its own process: node part.js NAME '{"device": "cuda", …}'
import { type Device, type DeviceOptions, device } from '../../device.js'
import { Deadline } from './deadline.js'
import { measureEpochs } from './epochs.js'
import { checkAgainstReference } from './layer.js'
import type { PartOptions } from './parts.js'
import { eightPoints, gridPoints, measurePoints, messageOf } from './points.js'
import { Findings } from './records.js'
import { Torch } from './torch.js'
import { workloadNames } from './workload.js'

const [name, json] = process.argv.slice(2)
const options: PartOptions = JSON.parse(json!)
const findings = new Findings(options.findings)
/** Seconds for ending the process. The parent enforces its limit. */
const deadline = new Deadline(0.9 * options.seconds)

// If the parent is killed, this process ends too.
const parent = process.ppid
setInterval(() => process.ppid !== parent && process.exit(1), 250).unref()

const on = open()
if (name === 'device') await checkDevice(on)
else if (name === 'steps') {
  await beside(async torch => {
    const finding = await torch.ready(deadline.seconds / 3)
    findings.add(finding)
    const points = options.points === 'eight' ? eightPoints : gridPoints
    await measurePoints(on, points, { findings, torch: finding.reason === null ? torch : null, deadline })
  })
} else {
  const workload = workloadNames.find(each => name === `epochs ${each}`)!
  const run = (torch: Torch | null) =>
    measureEpochs(workload, on, { documents: options.documents, findings, torch, deadline })
  // On a CPU PyTorch's padded batch takes a minute and its packed one an hour. npm run bench compares there.
  if (on.kind === 'cpu' && options.documents > 64) await run(null)
  else await beside(run)
}
// The queue of a lost device would wait for ever.
process.exit(0)

function open(): Device {
  const told = { finding: 'device', name: null, instructions: null, reason: null } as const
  try {
    const { precision, device: kind } = options
    const wanted: DeviceOptions = precision === null ? {} : { precision }
    const found = device(kind, wanted)
    if (name === 'device') findings.add({ ...told, name: found.name, instructions: found.instructions })
    return found
  } catch (error) {
    if (name === 'device') findings.add({ ...told, reason: messageOf(error) })
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(1)
  }
}

/** Compares both paths through a layer with the float64 reference. */
async function checkDevice(found: Device): Promise<void> {
  const paths = [found]
  if (found.kind === 'cuda') {
    paths.push(device(options.device, { precision: found.precision, path: 'stepwise' }))
  }
  let failed = false
  for (const each of paths) {
    for (const H of [32, 64, 100, 128, 256]) {
      const about = {
        finding: 'check',
        what: `H ${H} on ${each.name}`,
        against: 'the float64 reference',
      } as const
      try {
        findings.add({ ...about, error: await checkAgainstReference(each, H), reason: null })
      } catch (error) {
        failed = true
        findings.add({ ...about, error: null, reason: messageOf(error) })
      }
    }
  }
  if (failed) process.exit(1)
}

async function beside(run: (torch: Torch) => Promise<void>): Promise<void> {
  const torch = new Torch(on)
  try {
    await run(torch)
  } finally {
    await torch.close()
  }
}
