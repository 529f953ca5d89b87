import { readFile } from 'node:fs/promises'
import { addonFile } from '../addon.js'
import { describe, noPositionals, parse } from './options.js'

export const usage = `packed-rnn doctor [--json]

Tells what packed-rnn runs on here: versions, the native addon, instruction sets and devices, and where
something does not work, why. Exits with 1 where the addon does not load.

  --json  as JSON`

/** What this machine offers; a reason says in one sentence why something does not work. */
interface Findings {
  package: string
  node: string
  nodeApi: string | null
  platform: string
  /** null where Node does not tell */
  libc: string | null
  addon: { file: string | null; reason: string | null }
  instructionSets: { supported: string[]; used: string | null; forced: string | null }
  devices: { kind: string; name: string | null; threads: number | null; reason: string | null }[]
}

export async function execute(args: string[]): Promise<void> {
  const { values, positionals } = parse(args, { json: { type: 'boolean', default: false } })
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
    addon: { file: null, reason: null },
    instructionSets: { supported: [], used: null, forced },
    devices: [],
  }
  try {
    findings.addon.file = addonFile()
    // Not at the top: it loads the addon, and that may be what fails.
    const { device, instructionSets } = await import('../device.js')
    findings.instructionSets.supported = instructionSets()
    try {
      const { kind, name, threads, instructions } = device('cpu')
      findings.instructionSets.used = instructions
      findings.devices.push({ kind, name, threads, reason: null })
    } catch (error) {
      findings.devices.push({ kind: 'cpu', name: null, threads: null, reason: describe(error) })
    }
  } catch (error) {
    findings.addon.reason = describe(error)
  }
  return findings
}

function render(findings: Findings): string {
  const { addon, instructionSets, devices } = findings
  const { supported, used, forced } = instructionSets
  const rows: [string, string | null][] = [
    ['packed-rnn', findings.package],
    ['Node', `${findings.node}, Node-API ${findings.nodeApi ?? 'unknown'}`],
    ['platform', findings.libc === null ? findings.platform : `${findings.platform}, ${findings.libc}`],
    ['addon', addon.reason === null ? addon.file : `does not load: ${addon.reason}`],
    ['CPU supports', supported.join(', ')],
    ['in use', used],
    ['PACKED_RNN_CPU', forced === null ? 'not set: the best is used' : `forces ${forced}`],
    ...devices.map(({ kind, name, reason }): [string, string] => [
      `device ${kind}`,
      name ?? `does not open: ${reason}`,
    ]),
  ]
  const width = Math.max(...rows.map(([heading]) => heading.length))
  return rows
    .filter(([, text]) => text !== null && text !== '')
    .map(([heading, text]) => `${heading.padEnd(width)}  ${text}\n`)
    .join('')
}

async function packageVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(property(manifest, 'version'))
}

function libc(): string | null {
  const version = property(property(process.report.getReport(), 'header'), 'glibcVersionRuntime')
  return typeof version === 'string' ? `glibc ${version}` : null
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
