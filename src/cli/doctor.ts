import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addonFile, addonPlaces, glibcVersion } from '../addon.js'
import type { CpuListing, CudaListing } from '../device.js'
import { describe, noPositionals, parse, switchOption, usageOf } from './options.js'
import type { PrecisionTimes } from './precisionSpeed.js'

const table = { json: switchOption('as JSON') } as const

export const usage = `packed-rnn doctor [--json]

Shows versions, the native addon, instruction sets and devices, with the reason if something does not work. If the
CPU has bfloat16, measures for about a second how fast it is compared with float32. The exit code is 1 if the addon
does not load.

${usageOf(table)}`

/** What this machine offers; a reason says in one sentence why something does not work. */
interface Findings {
  package: string
  node: string
  nodeApi: string | null
  platform: string
  /** null where Node does not report it */
  libc: string | null
  /** What was tried, in this order, until there was one: files, and folders where none is. */
  addon: { file: string | null; reason: string | null; attempts: Attempt[] }
  instructionSets: { supported: string[]; used: string | null; forced: string | null }
  /** The file that is, or would be, the CUDA backend's library; PACKED_RNN_CUDA_LIBRARY may name it. */
  cuda: { library: string | null; named: string | null }
  /** PACKED_RNN_DEVICE, which says what is used where no device is named */
  chosen: string | null
  devices: (CpuListing | CudaListing)[]
  /** How fast the precisions of the CPU are; null where it has no bfloat16 */
  precisions: PrecisionFindings | null
}

interface PrecisionFindings {
  /** Milliseconds; null where they cannot be measured */
  float32: number | null
  bfloat16: number | null
  summary: string
  products: (PrecisionTimes['products'] & { summary: string }) | null
}

interface Attempt {
  path: string
  result: string
}

export async function execute(args: string[]): Promise<void> {
  const { values, positionals } = parse(args, table)
  noPositionals(positionals)
  const findings = await examine()
  process.stdout.write(values.json ? `${JSON.stringify(findings, null, 2)}\n` : render(findings))
  if (findings.addon.reason !== null) process.exitCode = 1
}

async function examine(): Promise<Findings> {
  const forced = process.env.PACKED_RNN_CPU ?? null
  const findings: Findings = {
    package: await packageVersion(),
    node: process.version,
    nodeApi: process.versions.napi ?? null,
    platform: `${process.platform}-${process.arch}`,
    libc: libc(),
    addon: { file: null, reason: null, attempts: [] },
    instructionSets: { supported: [], used: null, forced },
    cuda: { library: null, named: process.env.PACKED_RNN_CUDA_LIBRARY || null },
    chosen: process.env.PACKED_RNN_DEVICE || null,
    devices: [],
    precisions: null,
  }
  try {
    findings.addon.file = addonFile()
    // Not at the top: it loads the addon, and that may be what fails.
    const { cudaLibraryFile, devices, instructionSets } = await import('../device.js')
    findings.instructionSets.supported = instructionSets()
    findings.cuda.library = cudaLibraryFile()
    findings.devices = devices()
    const cpu = findings.devices.find(({ kind }) => kind === 'cpu')
    if (cpu?.kind === 'cpu') findings.instructionSets.used = cpu.instructions
  } catch (error) {
    findings.addon.reason = describe(error)
  }
  findings.addon.attempts = attempts(findings.addon)
  if (findings.devices.some(each => each.kind === 'cpu' && each.precisions.includes('bfloat16')))
    findings.precisions = await precisionSpeed()
  return findings
}

async function precisionSpeed(): Promise<Findings['precisions']> {
  const { comparePrecisions, describeProducts, describeTimes } = await import('./precisionSpeed.js')
  try {
    const times = await comparePrecisions()
    const products = { ...times.products, summary: describeProducts(times) }
    return { ...times, summary: describeTimes(times), products }
  } catch (error) {
    return {
      float32: null,
      bfloat16: null,
      summary: `cannot be measured: ${describe(error)}`,
      products: null,
    }
  }
}

function attempts({ file, reason }: Findings['addon']): Attempt[] {
  const found: Attempt[] = []
  for (const { folder, files } of addonPlaces()) {
    if (files === null) found.push({ path: folder, result: 'not looked at: PREBUILDS_ONLY is set' })
    if (files?.length === 0) found.push({ path: folder, result: 'no addon there' })
    for (const name of files ?? []) {
      const path = join(folder, name)
      if (path === file) return [...found, { path, result: reason ?? 'loaded' }]
      found.push({ path, result: 'not for this platform' })
    }
  }
  return found
}

function render(findings: Findings): string {
  const { addon, instructionSets, cuda, chosen, devices, precisions } = findings
  const { supported, used, forced } = instructionSets
  const rows: [string, string | null][] = [
    ['packed-rnn', findings.package],
    ['Node', `${findings.node}, Node-API ${findings.nodeApi ?? 'unknown'}`],
    ['platform', findings.libc === null ? findings.platform : `${findings.platform}, ${findings.libc}`],
    ['addon', addon.reason === null ? addon.file : `does not load: ${addon.reason}`],
    ...addon.attempts.map(({ path, result }): [string, string] => ['tried', `${path}: ${result}`]),
    ['CPU supports', supported.join(', ')],
    ['in use', used],
    ['PACKED_RNN_CPU', forced === null ? 'not set: the best is used' : `forces ${forced}`],
    ['CUDA library', devices.some(opensNoLibrary) ? null : cuda.library],
    ['PACKED_RNN_DEVICE', chosen === null ? 'not set: the first of these is used' : `asks for ${chosen}`],
    ...devices.map(deviceRow),
    ['CPU precisions', precisions?.summary ?? null],
    ['', precisions?.products?.summary ?? null],
  ]
  const width = Math.max(...rows.map(([heading]) => heading.length))
  return rows
    .filter(([, text]) => text !== null && text !== '')
    .map(([heading, text]) => `${heading.padEnd(width)}  ${text}\n`)
    .join('')
}

/** Then the reason names the file, or what should be one. */
function opensNoLibrary({ code }: CpuListing | CudaListing): boolean {
  return code === 'ERR_CUDA_NO_LIBRARY' || code === 'ERR_CUDA_WRONG_STAMP'
}

function deviceRow(device: CpuListing | CudaListing): [string, string] {
  const ordinal = device.kind === 'cuda' && device.ordinal !== null ? `:${device.ordinal}` : ''
  const heading = `device ${device.kind}${ordinal}`
  if (device.reason !== null) return [heading, `does not open: ${device.reason}`]
  if (device.kind === 'cpu')
    return [
      heading,
      `${device.threads} ${device.threads === 1 ? 'thread' : 'threads'}, ${device.precisions.join(' or ')}`,
    ]
  const gib = ((device.memoryBytes ?? 0) / 2 ** 30).toFixed(1)
  return [heading, `${device.name}, compute capability ${device.computeCapability}, ${gib} GiB`]
}

async function packageVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(property(manifest, 'version'))
}

function libc(): string | null {
  const version = glibcVersion()
  return version === null ? null : `glibc ${version}`
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
