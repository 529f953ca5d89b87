/** The parts of bench/gpu.js that need more than the package: the driver, alone and under NVIDIA's tools, and the device suite. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const at = path => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const SHARDS = 4
const SANITIZERS = ['memcheck', 'racecheck', 'synccheck']

/** What ncu is asked for, and the name of each in the results. */
const METRICS = {
  'gpu__time_duration.sum': 'time',
  'sm__throughput.avg.pct_of_peak_sustained_elapsed': 'SM',
  'dram__throughput.avg.pct_of_peak_sustained_elapsed': 'DRAM',
  'sm__warps_active.avg.pct_of_peak_sustained_active': 'warps',
  'sm__inst_executed_pipe_tensor.sum': 'tensor instructions',
  launch__registers_per_thread: 'registers',
}

/** Every op on small shapes, in C++: no Node, no queue. It opens the library by itself. */
export function driverPart(library) {
  const driver = at('build/gpu/driver')
  return {
    ...{ name: 'driver', seconds: 20, needsDevice: false },
    command: missing(driver, library) ?? (() => [driver, library]),
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
export function profilePart(findings, library, kind) {
  const driver = at('build/gpu/driver')
  const options = [
    '--csv',
    '--page',
    'raw',
    '--metrics',
    Object.keys(METRICS).join(','),
    '--target-processes',
    'all',
  ]
  return {
    ...{ name: 'ncu', seconds: 40, needsDevice: true },
    command:
      noTool(kind, 'ncu') ??
      missing(driver, library) ??
      (() => ['ncu', ...options, driver, '--profile', library]),
    after: output => findings.add({ finding: 'tool', tool: 'ncu', ...profileOf(output), wrong: false }),
  }
}

/** Lines of CSV, of which the first names the columns; where it may not count, it says so instead, and that is a result. */
function profileOf(output) {
  const refusal = /ERR_NVGPUCTRPERM[^\n]*/.exec(output)?.[0]
  if (refusal !== undefined) return { summary: refusal, rows: [] }
  const lines = output.split('\n').filter(line => line.startsWith('"'))
  const cells = lines.map(line => [...line.matchAll(/"((?:[^"]|"")*)"/g)].map(([, cell]) => cell))
  const [heads, units, ...kernels] = cells
  if (heads === undefined) return { summary: output.trim().split('\n').at(-1) ?? 'nothing', rows: [] }
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
  return SANITIZERS.map(tool => ({
    ...{ name: tool, seconds: 20 / SANITIZERS.length, needsDevice: true },
    command:
      noTool(kind, 'compute-sanitizer') ??
      missing(driver, library) ??
      (() => [
        'compute-sanitizer',
        '--tool',
        tool,
        '--error-exitcode',
        '99',
        '--print-limit',
        '20',
        driver,
        library,
      ]),
    after(output) {
      const summary = /(?:ERROR|RACECHECK) SUMMARY: (.*)/.exec(output)?.[1] ?? 'no summary'
      const cases = (output.match(/^ *[\d.]+ s {2}/gm) ?? []).length
      // Cut off it has none, and what it had found until then is in its lines.
      const wrong =
        /^[1-9]\d* (errors|hazards)/.test(summary) || /========= (Invalid|Error: |Race|Barrier)/.test(output)
      findings.add({ finding: 'tool', tool, summary: `${summary}; ${cases} cases`, wrong, rows: [] })
    },
  }))
}

function noTool(kind, name) {
  if (kind === 'cpu') return { missing: 'it is for CUDA' }
  return spawnSync(name, ['--version']).status === 0 ? null : { missing: `not installed: no ${name}` }
}

function missing(driver, library) {
  if (library === null) return { missing: 'it is for CUDA' }
  for (const file of [driver, library])
    if (!existsSync(file)) return { missing: `no ${join(file)}: npm run build:gpu` }
  return null
}
