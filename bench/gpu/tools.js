/** The parts of bench/gpu.js that need more than the package: the driver, alone and with NVIDIA's tools, and the device suite. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const at = path => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const SHARDS = 4
const SANITIZERS = ['memcheck', 'racecheck', 'synccheck']
/** Parts of the names of `driver --profile` cases, and their seconds. */
const PROFILED = { lstm: 15, product: 10, sums: 10 }

/** Messages of tools that are not allowed on this machine. This is a result, not an error. */
const REFUSAL = /ERR_NVGPUCTRPERM|LibraryNotLoaded|Device not supported/
const refusalIn = output =>
  output
    .split('\n')
    .find(line => REFUSAL.test(line))
    ?.trim() ?? null

/** A command that ends when the process that runs the parts ends. */
const watched = (seconds, command) => [
  process.execPath,
  at('bench/gpu/watched.js'),
  String(seconds),
  ...command,
]

/** The metrics that ncu measures, and the name of each in the results. */
const METRICS = {
  'gpu__time_duration.sum': 'time',
  'sm__throughput.avg.pct_of_peak_sustained_elapsed': 'SM',
  'dram__throughput.avg.pct_of_peak_sustained_elapsed': 'DRAM',
  'sm__warps_active.avg.pct_of_peak_sustained_active': 'warps',
  launch__registers_per_thread: 'registers',
}

/** Every op on small shapes in C++, without Node or a queue. The driver opens the library itself. */
export function driverPart(library) {
  const driver = at('build/gpu/driver')
  return {
    ...{ name: 'driver', seconds: 20, needsDevice: false },
    command: missing(driver, library) ?? (seconds => watched(seconds, [driver, library])),
  }
}

export function suiteParts(findings, kind) {
  return Array.from({ length: SHARDS }, (_, i) => ({
    ...{ name: `suite ${i + 1} of ${SHARDS}`, seconds: 70 / SHARDS, needsDevice: true },
    command: existsSync(at('build/gpu/test/plain/run.js'))
      ? seconds => [
          process.execPath,
          at('bench/gpu/shard.js'),
          findings.file,
          kind,
          `${i + 1}/${SHARDS}`,
          String(seconds),
        ]
      : { missing: 'npm run build:gpu was not run' },
  }))
}

/** The resident kernels, the product and sumRows at the sizes of a training step. */
export function profileParts(findings, library, kind) {
  const driver = at('build/gpu/driver')
  const ncu = toolOf('ncu')
  // By default ncu changes the clocks. This machine's clocks must stay unchanged.
  const options = [
    '--csv',
    '--page',
    'raw',
    '--clock-control',
    'none',
    '--metrics',
    Object.keys(METRICS).join(','),
  ]
  return Object.entries(PROFILED).map(([part, seconds]) => ({
    ...{ name: `ncu ${part}`, seconds, needsDevice: true },
    command:
      noTool(kind, 'ncu', ncu) ??
      missing(driver, library) ??
      (limit => watched(limit, [ncu, ...options, driver, '--profile', library, part])),
    after(output) {
      const refusal = refusalIn(output)
      if (refusal !== null) return refusal
      findings.add({ finding: 'tool', tool: `ncu ${part}`, ...profileOf(output), wrong: false })
      return null
    },
  }))
}

/** Parses lines of CSV. The first names the columns, the second the units. */
function profileOf(output) {
  const lines = output.split('\n').filter(line => line.startsWith('"'))
  const cells = lines.map(line => [...line.matchAll(/"((?:[^"]|"")*)"/g)].map(([, cell]) => cell))
  const [heads, units, ...kernels] = cells
  if (heads === undefined)
    return { summary: output.trim().split('\n').at(-1) || 'it printed nothing', rows: [] }
  const rows = kernels.map(row => {
    const cell = name => row[heads.indexOf(name)] ?? ''
    const numbers = Object.entries(METRICS).map(([metric, name]) => [
      name,
      `${cell(metric)} ${units?.[heads.indexOf(metric)] ?? ''}`.trim(),
    ])
    return { kernel: cell('Kernel Name').replace(/^.*?(\w+Kernel).*$/, '$1'), ...Object.fromEntries(numbers) }
  })
  return { summary: `${rows.length} launches`, rows }
}

export function sanitizerParts(findings, library, kind) {
  const driver = at('build/gpu/driver')
  const program = toolOf('compute-sanitizer')
  return SANITIZERS.map(tool => ({
    ...{ name: tool, seconds: 10 / SANITIZERS.length, needsDevice: true },
    command:
      noTool(kind, 'compute-sanitizer', program) ??
      missing(driver, library) ??
      (limit => {
        const options = ['--tool', tool, '--error-exitcode', '99', '--print-limit', '20']
        return watched(limit, [program, ...options, driver, library])
      }),
    after(output) {
      const refusal = refusalIn(output)
      if (refusal !== null) return refusal
      const summary = /(?:ERROR|RACECHECK) SUMMARY: (.*)/.exec(output)?.[1] ?? 'no summary'
      const cases = (output.match(/^ *[\d.]+ s {2}/gm) ?? []).length
      // A run that was cut off has no summary, but its lines show what it had found.
      const wrong =
        /^[1-9]\d* (errors?|hazards?)/.test(summary) ||
        /========= (Invalid|Error: |Race|Barrier|Program hit)/.test(output)
      findings.add({ finding: 'tool', tool, summary: `${summary}; ${cases} cases`, wrong, rows: [] })
      return null
    },
  }))
}

/** The path of a tool of the toolkit, or null if it is not installed. */
function toolOf(name) {
  const versions = '/opt/nvidia/nsight-compute'
  const places = [
    name,
    `/usr/local/cuda/bin/${name}`,
    ...(existsSync(versions) ? readdirSync(versions).map(version => join(versions, version, name)) : []),
  ]
  return places.find(place => spawnSync(place, ['--version'], { timeout: 5000 }).status === 0) ?? null
}

function noTool(kind, name, found) {
  if (kind === 'cpu') return { missing: 'it is for CUDA' }
  return found === null ? { missing: `not installed: no ${name}` } : null
}

function missing(driver, library) {
  if (library === null) return { missing: 'it is for CUDA' }
  for (const file of [driver, library])
    if (!existsSync(file)) return { missing: `no ${join(file)}: npm run build:gpu` }
  return null
}
