import { appendFileSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ending, runChild } from './child.js'
import type { Deadline } from './deadline.js'
import { markdown } from './markdown.js'
import type { Findings } from './records.js'
import { inShort } from './summary.js'

/** A part of a run: a process that appends its findings. */
export interface Part {
  name: string
  /** Its share of the time, as seconds of the default time limit. */
  seconds: number
  /** The program and its arguments for a time limit in seconds, or the reason why the part is left out. */
  command: ((seconds: number) => string[]) | { missing: string }
  /** Whether it is left out if the device does not open. */
  needsDevice: boolean
  /** Reads the part's output. Returns the reason why the part could not run, or null. */
  after?: (output: string) => string | null
}

/** Characters that are kept of a failed part's output. */
const TOLD = 4000

/**
 * Runs parts one after the other. Each part has its share of the remaining time and is killed when that has passed, so a hanging part does
 * not cost the others time. All output goes to one log. The Markdown is rewritten after each part.
 *
 * @param out the existing folder.
 */
export async function runParts(
  parts: readonly Part[],
  run: {
    out: string
    logFile: string
    findings: Findings
    deadline: Deadline
    log: (line: string) => void
    signal: AbortSignal
  },
): Promise<void> {
  const { out, findings, deadline, log, signal } = run
  const logFile = join(out, run.logFile)
  for (const [i, part] of parts.entries()) {
    if (signal.aborted) break
    const rest = parts.slice(i).reduce((sum, { seconds }) => sum + seconds, 0)
    const seconds = (deadline.seconds * part.seconds) / rest
    const told = { finding: 'part', part: part.name, reason: null, output: null } as const
    const missing = 'missing' in part.command ? part.command.missing : reasonAgainst(part, findings)
    if (missing !== null || 'missing' in part.command) {
      findings.add({ ...told, state: 'left out', seconds: 0, reason: missing })
      log(`${part.name}: ${missing}`)
      continue
    }
    log(`${part.name}: ${seconds.toFixed(0)} s`)
    findings.add({ ...told, state: 'begun', seconds })
    const known = findings.read().length
    const began = performance.now()
    appendFileSync(logFile, `== ${part.name}\n`)
    const offset = statSync(logFile).size
    const file = openSync(logFile, 'a')
    const ending = await runChild(part.command(seconds), { seconds, output: file, signal })
    closeSync(file)
    const output = readFileSync(logFile).subarray(offset).toString('utf8')
    const refusal = part.after?.(output) ?? null
    const reason = refusal ?? reasonOf(ending, seconds)
    const state =
      refusal !== null ? 'left out' : reason === null ? 'ended' : ending.late ? 'cut off' : 'failed'
    findings.add({
      ...{ ...told, state, seconds: (performance.now() - began) / 1000, reason },
      output: state === 'failed' || state === 'cut off' ? output.slice(-TOLD) : null,
    })
    for (const line of findings
      .read()
      .slice(known)
      .flatMap(told => inShort(told) ?? []))
      log(`  ${line}`)
    log(`${part.name}: ${reason ?? `ended after ${((performance.now() - began) / 1000).toFixed(1)} s`}`)
    writeFileSync(join(out, 'results.md'), markdown(findings.read()))
  }
}

function reasonAgainst({ needsDevice }: Part, findings: Findings): string | null {
  if (!needsDevice) return null
  const closed = findings.read().find(each => each.finding === 'device' && each.reason !== null)
  return closed === undefined ? null : 'the device does not open'
}

function reasonOf({ code, signal, late, error }: Ending, seconds: number): string | null {
  if (error !== null) return error
  if (late) return `killed after ${seconds.toFixed(0)} s`
  return code === 0 ? null : `exit ${signal ?? code}`
}
