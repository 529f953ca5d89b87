/** What machine a run is on, and which code: for the head of its results. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)

/** The commit that `npm run build:gpu` wrote down. */
export function codeFacts() {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  try {
    return { version, ...JSON.parse(readFileSync(new URL('build/gpu/code.json', root), 'utf8')) }
  } catch {
    return { version, commit: null, date: null, changed: null }
  }
}

export function machineFacts() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    // Somebody else's library, a stand-in for one: then what is measured here says nothing of a GPU.
    cudaLibrary: process.env.PACKED_RNN_CUDA_LIBRARY || null,
    nvidiaSmi: nvidiaSmi(),
    doctor: doctor(),
  }
}

/** By its own names; null where there is none. */
function nvidiaSmi() {
  const fields = [
    'name',
    'driver_version',
    'memory.total',
    'clocks.max.sm',
    'power.limit',
    'mig.mode.current',
  ]
  const { status, stdout } = spawnSync('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader'], {
    encoding: 'utf8',
  })
  if (status !== 0) return null
  return stdout
    .trim()
    .split('\n')
    .map(line => Object.fromEntries(line.split(', ').map((value, i) => [fields[i], value])))
}

function doctor() {
  const main = fileURLToPath(new URL('dist/cli/main.js', root))
  const { stdout } = spawnSync(process.execPath, [main, 'doctor', '--json'], { encoding: 'utf8' })
  try {
    return JSON.parse(stdout)
  } catch {
    return null
  }
}
