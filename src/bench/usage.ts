import { busySeconds } from './machine.js'
import type { BenchProcess } from './process.js'

export interface Usage {
  wall: number
  /** CPU time of the machine and of the benchmark's processes. */
  all: number | null
  own: number
}

export function usage(participants: readonly { process: BenchProcess }[]): Usage {
  const { user, system } = process.cpuUsage()
  const children = participants.map(one => one.process.cpuSeconds() ?? 0)
  const own = children.reduce((sum, seconds) => sum + seconds, (user + system) / 1e6)
  return { wall: performance.now() / 1000, all: busySeconds(), own }
}

/** The difference of the two per second, in cores. */
export function othersBetween(before: Usage, after: Usage): number | null {
  if (before.all === null || after.all === null) return null
  return Math.max(0, (after.all - before.all - (after.own - before.own)) / (after.wall - before.wall))
}
