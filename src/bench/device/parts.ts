import { fileURLToPath } from 'node:url'
import type { Precision } from '../../device.js'
import type { Findings } from './records.js'
import type { Part } from './runner.js'
import { workloadNames } from './workload.js'

/** The arguments of a process of part.ts. */
export interface PartOptions {
  device: string
  precision: Precision | null
  /** The file of the findings. */
  findings: string
  seconds: number
  documents: number
  points: 'eight' | 'grid'
}

/** Seconds of the parts that need neither a compiler nor the tests. */
const SECONDS = { device: 15, epochs: { A: 25, B: 60, C: 55 }, steps: 40 }

/** The parts: the device with its checks; epochs of the workloads; layer-steps. */
export function deviceParts(
  findings: Findings,
  options: Omit<PartOptions, 'findings' | 'seconds'>,
): { device: Part; epochs: Part[]; steps: Part } {
  const program = fileURLToPath(new URL('./part.js', import.meta.url))
  const part = (name: string, seconds: number): Part => ({
    ...{ name, seconds, needsDevice: name !== 'device' },
    command: limit => {
      const told: PartOptions = { ...options, findings: findings.file, seconds: limit }
      return [process.execPath, program, name, JSON.stringify(told)]
    },
  })
  return {
    device: part('device', SECONDS.device),
    epochs: workloadNames.map(name => part(`epochs ${name}`, SECONDS.epochs[name])),
    steps: part('steps', SECONDS.steps),
  }
}
