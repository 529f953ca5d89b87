import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import type { Device } from '../device.js'

/** Linux's units of CPU time per second. */
export const TICKS = 100

/** The properties of the machine that times depend on. */
export function machineFacts({ instructions }: Device) {
  return {
    cpu: `${cpus()[0]?.model ?? 'unknown'}${familyOf()}`,
    cores: cpus().length,
    instructions,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    load: loadavg(),
  }
}

/** CPU time that all processes of this machine have used; null if Linux does not provide it. */
export function busySeconds(): number | null {
  try {
    const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]!
      .split(/ +/)
      .slice(1)
      .map(Number)
    return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS
  } catch {
    return null
  }
}

/** The CPU's family and model, because virtual machines often hide its name. */
function familyOf(): string {
  try {
    const info = readFileSync('/proc/cpuinfo', 'utf8')
    const [family, model] = ['cpu family', 'model'].map(
      name => new RegExp(`^${name}\\s*: (\\d+)`, 'm').exec(info)?.[1],
    )
    return family === undefined ? '' : `, family ${family}, model ${model}`
  } catch {
    return ''
  }
}
