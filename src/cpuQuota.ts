import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * Returns how many threads of this process can run at once: one for each core, and at most the CPU quota of
 * its container, rounded up. With more threads than the quota, the kernel would stop all of them for a part
 * of each period.
 *
 * @param root the folder to use as `/`, for tests.
 * @param cores the number of cores that the process may use.
 */
export function usableCores(root = '/', cores = availableParallelism()): number {
  return Math.max(1, Math.min(cores, Math.ceil(cpuQuota(root))))
}

/**
 * Returns the CPUs that the control groups of this process allow, which may be a fraction; Infinity without a
 * quota.
 */
export function cpuQuota(root = '/'): number {
  const mounts = cgroupMounts(root)
  let quota = Infinity
  for (const line of lines(root, 'proc/self/cgroup')) {
    // hierarchy:controllers:path; version 2 has no controllers
    const [, controllers, ...rest] = line.split(':')
    const version = controllers === '' ? 2 : 1
    if (version === 1 && controllers?.split(',').includes('cpu') !== true) continue
    const mount = mounts.find(each => each.version === version)
    if (mount === undefined) continue
    for (const folder of foldersUp(mount, rest.join(':'))) {
      quota = Math.min(quota, quotaOf(version, join(root, folder)))
    }
  }
  return quota
}

interface Mount {
  version: 1 | 2
  /** The group at the mount point: in a container this is often not the root of all groups. */
  group: string
  point: string
}

/** Returns the mounts of groups that can have a CPU quota. */
function cgroupMounts(root: string): Mount[] {
  return lines(root, 'proc/self/mountinfo').flatMap((line): Mount[] => {
    const [fields = '', system = ''] = line.split(' - ')
    const [, , , group = '/', point = '/'] = fields.split(' ')
    const [type, , options = ''] = system.split(' ')
    if (type === 'cgroup2') return [{ version: 2, group, point }]
    if (type === 'cgroup' && options.split(',').includes('cpu')) return [{ version: 1, group, point }]
    return []
  })
}

/** Returns the folder of a group and those above it, up to the mount point: each can have a quota. */
function foldersUp({ group, point }: Mount, path: string): string[] {
  const shown = group === '/' ? path : path.slice(group.length)
  const isInside = group === '/' || path === group || path.startsWith(`${group}/`)
  // A path with .. is outside of what this process can see.
  const names = isInside ? shown.split('/').filter(name => name !== '') : []
  let folder = names.includes('..') ? point : join(point, ...names)
  const folders = [folder]
  while (folder !== point && folder !== '/') {
    folder = dirname(folder)
    folders.push(folder)
  }
  return folders
}

function quotaOf(version: 1 | 2, folder: string): number {
  const [quota, period] =
    version === 2
      ? (lines(folder, 'cpu.max')[0] ?? '').split(' ')
      : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map(name => lines(folder, name)[0])
  const cpus = Number(quota) / Number(period)
  // `max`, -1 and a missing file mean no quota.
  return Number.isFinite(cpus) && cpus > 0 ? cpus : Infinity
}

/** Returns the lines of a file; no lines if it cannot be read. */
function lines(folder: string, name: string): string[] {
  try {
    return readFileSync(join(folder, name), 'utf8').split('\n')
  } catch {
    return []
  }
}
