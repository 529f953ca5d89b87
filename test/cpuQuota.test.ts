import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cpuQuota, usableCores } from '../src/cpuQuota.js'
import { device } from '../src/device.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'packed-rnn-quota-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), `${text}\n`)
  }
}

/** What a process in these groups reads from the kernel; mounts are the group and where it is mounted. */
function processIn(groups: string[], mounts: { v1?: [string, string]; v2?: [string, string] }): void {
  const { v1, v2 } = mounts
  const lines = ['22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw']
  if (v2) lines.push(`31 22 0:26 ${v2[0]} ${v2[1]} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate`)
  if (v1) {
    lines.push(`33 22 0:28 ${v1[0]} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`)
    lines.push(`34 22 0:29 ${v1[0]} ${v1[1]} rw,relatime - cgroup cgroup rw,cpu,cpuacct`)
  }
  write({ 'proc/self/cgroup': groups.join('\n'), 'proc/self/mountinfo': lines.join('\n') })
}

const V2 = '/sys/fs/cgroup'
const V1 = '/sys/fs/cgroup/cpu,cpuacct'
const quota = (quota: number, period = 100_000) => ({
  'cpu.cfs_quota_us': String(quota),
  'cpu.cfs_period_us': String(period),
})
const inFolder = (folder: string, files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [join(folder, name), text]))

describe('cgroup v2', () => {
  test('reads cpu.max in a container, which sees its group as the root', () => {
    processIn(['0::/'], { v2: ['/', V2] })
    write({ [`${V2}/cpu.max`]: '150000 100000' })
    expect(cpuQuota(root)).toBe(1.5)
    expect(usableCores(root, 64)).toBe(2)
  })

  test('the quota is the smallest of a group and its ancestors', () => {
    processIn(['0::/kube/pod/app'], { v2: ['/', V2] })
    write({
      [`${V2}/kube/cpu.max`]: '800000 100000',
      [`${V2}/kube/pod/cpu.max`]: '50000 200000',
      [`${V2}/kube/pod/app/cpu.max`]: 'max 100000',
      [`${V2}/kube/other/cpu.max`]: '1000 100000',
    })
    expect(cpuQuota(root)).toBe(0.25)
    expect(usableCores(root, 64)).toBe(1)
  })

  test('"max" means no quota', () => {
    processIn(['0::/user.slice'], { v2: ['/', V2] })
    write({ [`${V2}/user.slice/cpu.max`]: 'max 100000' })
    expect(cpuQuota(root)).toBe(Infinity)
    expect(usableCores(root, 6)).toBe(6)
  })

  test('for a group that the process cannot see, the mount point is read', () => {
    processIn(['0::/../../other'], { v2: ['/', V2] })
    write({ [`${V2}/cpu.max`]: '300000 100000', 'sys/other/cpu.max': '1000 100000' })
    expect(cpuQuota(root)).toBe(3)
  })
})

describe('cgroup v1', () => {
  test('reads the quota in a container whose group is mounted as the root', () => {
    processIn(['9:memory:/docker/abc', '4:cpu,cpuacct:/docker/abc', '0::/'], { v1: ['/docker/abc', V1] })
    write(inFolder(V1, quota(250_000)))
    expect(cpuQuota(root)).toBe(2.5)
    expect(usableCores(root, 64)).toBe(3)
  })

  test('the quota is the smallest of a group and its ancestors', () => {
    processIn(['4:cpuacct,cpu:/jobs/one'], { v1: ['/', V1] })
    write({
      ...inFolder(V1, quota(-1)),
      ...inFolder(`${V1}/jobs`, quota(400_000)),
      ...inFolder(`${V1}/jobs/one`, quota(700_000)),
    })
    expect(cpuQuota(root)).toBe(4)
  })

  test('-1 means no quota, and the quota of another controller is ignored', () => {
    processIn(['3:cpuset:/set', '4:cpu,cpuacct:/'], { v1: ['/', V1] })
    write({ ...inFolder(V1, quota(-1)), ...inFolder(`${V1}/set`, quota(1000)) })
    expect(cpuQuota(root)).toBe(Infinity)
  })

  test('next to v2, the smaller quota counts', () => {
    processIn(['4:cpu,cpuacct:/a', '0::/a'], { v1: ['/', V1], v2: ['/', `${V2}/unified`] })
    write({ ...inFolder(`${V1}/a`, quota(200_000)), [`${V2}/unified/a/cpu.max`]: '700000 100000' })
    expect(cpuQuota(root)).toBe(2)
  })
})

test('there is no quota without control groups, or if their files are not numbers', () => {
  expect(cpuQuota(root)).toBe(Infinity)
  processIn(['', 'nonsense', '0::/'], { v2: ['/', V2] })
  write({ [`${V2}/cpu.max`]: 'abc' })
  expect(cpuQuota(root)).toBe(Infinity)
  write({ [`${V2}/cpu.max`]: '0 0' })
  expect(cpuQuota(root)).toBe(Infinity)
  expect(usableCores(root, 3)).toBe(3)
})

test('the quota is the default number of threads', () => {
  expect(device('cpu').threads).toBe(Math.min(usableCores(), 256))
})
