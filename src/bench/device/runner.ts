import { appendFileSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ending, runChild } from './child.js'
import type { Deadline } from './deadline.js'
import { markdown } from './markdown.js'
import type { Findings } from './records.js'
import { inShort } from './summary.js'

/** A part of a run: a process of its own, which appends what it finds. */
export interface Part {
  name: string
  /** Its share of the time, in seconds of the default. */
  seconds: number
  /** The program and its arguments for so many seconds; or why it is left out. */
  command: ((seconds: number) => string[]) | { missing: string }
  /** It is left out where the device does not open. */
  needsDevice: boolean
  /** Reads what the part has written. Returns why it refused to run, or null. */
  after?: (output: string) => string | null
}

/** What is kept of the output of a part that failed. */
const TOLD = 4000

/**
 * Runs parts one after the other. Each has its share of the time that is left and is killed at its end, so that one that hangs costs the
 * others nothing. What they write is in one log, and the Markdown is made anew after each part.
 *
 * @param out the folder, which is there.
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
