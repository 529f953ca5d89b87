import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Precision } from '../../device.js'
import { Deadline } from './deadline.js'
import { codeFacts, hostFacts } from './facts.js'
import { markdown } from './markdown.js'
import { type Finding, Findings, FORMAT } from './records.js'
import { type Part, runParts } from './runner.js'

/** The files of a run. */
export const FILES = {
  /** Written during the run. */
  findings: 'results.jsonl',
  json: 'results.json',
  markdown: 'results.md',
  page: 'results.html',
  /** The output of the parts. */
  log: 'parts.log',
} as const

export interface DeviceRun {
  out: string
  device: string
  precision: Precision | null
  /** Seconds of all parts together. */
  seconds: number
  parts: (findings: Findings) => readonly Part[]
  /** Whether to draw the page, which needs the plotting packages; default true. */
  page?: boolean
  log: (line: string) => void
  signal: AbortSignal
}

/** Runs the parts and writes their findings. Creates the folder, and replaces the files of an earlier run. */
export async function runOnDevice(run: DeviceRun): Promise<Finding[]> {
  const { out, device, precision, seconds, log, signal } = run
  const deadline = new Deadline(seconds)
  await mkdir(out, { recursive: true })
  for (const name of Object.values(FILES)) await rm(join(out, name), { force: true })
  const findings = new Findings(join(out, FILES.findings))
  const parts = run.parts(findings)
  findings.add({
    ...{ finding: 'run', format: FORMAT, started: new Date().toISOString(), device, precision, seconds },
    ...{ parts: parts.map(({ name }) => name), code: codeFacts(), host: hostFacts() },
  })
  await runParts(parts, { out, logFile: FILES.log, findings, deadline, log, signal })
  return await writeResults(out, run.page)
}

/** Writes the other files from the findings. Also works for an interrupted run, and on another machine. */
export async function writeResults(out: string, withPage = true): Promise<Finding[]> {
  const file = join(out, FILES.findings)
  const findings = existsSync(file) ? new Findings(file).read() : []
  await writeFile(join(out, FILES.json), `${JSON.stringify(findings, null, 1)}\n`)
  await writeFile(join(out, FILES.markdown), markdown(findings))
  if (withPage) {
    const { devicePage } = await import('./page.js')
    await writeFile(join(out, FILES.page), devicePage(findings))
  }
  return findings
}
