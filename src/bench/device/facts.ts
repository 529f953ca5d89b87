import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { basename } from 'node:path'
import { packageVersion } from '../../version.js'

/** The code of a run. The commit is known if `npm run build:gpu` has recorded it. */
export interface CodeFacts {
  version: string
  commit: string | null
  date: string | null
  changed: boolean | null
}

export function codeFacts(): CodeFacts {
  const unknown = { version: packageVersion(), commit: null, date: null, changed: null }
  try {
    const file = new URL('../../../build/gpu/code.json', import.meta.url)
    return { ...unknown, ...JSON.parse(readFileSync(file, 'utf8')) }
  } catch {
    return unknown
  }
}

/** The machine of a device. */
export interface HostFacts {
  cpu: string
  cores: number
  memoryGiB: number
  kernel: string
  node: string
  /** The file in PACKED_RNN_CUDA_LIBRARY. It may be a stand-in, whose times are meaningless for a GPU. */
  cudaLibrary: string | null
  /** nvidia-smi's output, a line per card; null without nvidia-smi. */
  cards: string[] | null
}

export function hostFacts(): HostFacts {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    cudaLibrary: basename(process.env.PACKED_RNN_CUDA_LIBRARY ?? '') || null,
    cards: cards(),
  }
}

function cards(): string[] | null {
  const fields = 'name,driver_version,memory.total,clocks.max.sm,power.limit,mig.mode.current'
  const { status, stdout } = spawnSync('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader'], {
    encoding: 'utf8',
    timeout: 10_000,
  })
  return status === 0 ? stdout.trim().split('\n') : null
}
