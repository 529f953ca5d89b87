import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Deadline } from './deadline.js'
import { markdown } from './markdown.js'
import type { Findings } from './records.js'
import { inShort } from './summary.js'

/** A part of a run: a process of its own, which appends what it finds. */
export interface Part {
  name: string
  /** That it takes by default, beside the others. */
  seconds: number
  /** The program and its arguments for so many seconds; or why it is left out. */
  command: ((seconds: number) => string[]) | { missing: string }
  env?: NodeJS.ProcessEnv
  /** It is left out where the device does not open. */
  needsDevice: boolean
  /** Reads what the part has written, when it has ended. */
  after?: (output: string, failed: boolean) => void
}

/** What is told of a part that failed. */
const TOLD = 4000

/**
 * Runs parts one after the other. Each has its share of the time that is left, and is killed at its end, so that one that hangs takes
 * nothing from the others. What it writes is in `NAME.log`, and the Markdown is made anew after each part.
 *
 * @param out the folder, which is there.
 */
export async function runParts(
  parts: readonly Part[],
  run: {
    out: string
    findings: Findings
    seconds: number
    log: (line: string) => void
    signal: AbortSignal
  },
): Promise<void> {
  const { out, findings, log, signal } = run
  const whole = new Deadline(run.seconds)
  for (const [i, part] of parts.entries()) {
    if (signal.aborted) break
    const rest = parts.slice(i).reduce((sum, { seconds }) => sum + seconds, 0)
    const seconds = (whole.seconds * part.seconds) / rest
    const told = (state: 'begun' | 'ended' | 'failed' | 'cut off' | 'left out', spent: number) => ({
      ...({ finding: 'part', part: part.name, state, reason: null, output: null } as const),
      seconds: spent,
    })
    const missing = 'missing' in part.command ? part.command.missing : reasonAgainst(part, findings)
    if (missing !== null || 'missing' in part.command) {
      findings.add({ ...told('left out', 0), reason: missing })
      log(`${part.name}: ${missing}`)
      continue
    }
    log(`${part.name}: ${seconds.toFixed(0)} s`)
    findings.add(told('begun', seconds))
    const file = join(out, `${part.name.replaceAll(' ', '-')}.log`)
    const known = findings.read().length
    const began = performance.now()
    const { reason, late } = await runProcess(part.command(seconds), part.env, file, seconds, signal)
    const output = readFileSync(file, 'utf8')
    part.after?.(output, reason !== null)
    const spent = (performance.now() - began) / 1000
    if (reason === null) findings.add(told('ended', spent))
    else findings.add({ ...told(late ? 'cut off' : 'failed', spent), reason, output: output.slice(-TOLD) })
    for (const line of findings
      .read()
      .slice(known)
      .flatMap(told => inShort(told) ?? []))
      log(`  ${line}`)
    log(`${part.name}: ${reason ?? `ended after ${spent.toFixed(1)} s`}`)
    writeFileSync(join(out, 'results.md'), markdown(findings.read()))
  }
}

function reasonAgainst({ needsDevice }: Part, findings: Findings): string | null {
  if (!needsDevice) return null
  const closed = findings.read().find(each => each.finding === 'device' && each.reason !== null)
  return closed === undefined ? null : 'the device does not open'
}

/** Why it did not end well; null where it did. Its children end with it. */
function runProcess(
  [program, ...args]: string[],
  env: NodeJS.ProcessEnv | undefined,
  file: string,
  seconds: number,
  signal: AbortSignal,
): Promise<{ reason: string | null; late: boolean }> {
  const log = openSync(file, 'w')
  return new Promise(resolve => {
    const child = spawn(program!, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    let late = false
    const kill = () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }
    const timer = setTimeout(() => {
      late = true
      kill()
    }, seconds * 1000)
    signal.addEventListener('abort', kill, { once: true })
    const end = (reason: string | null) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', kill)
      resolve({ reason: late ? `killed after ${seconds.toFixed(0)} s` : reason, late })
    }
    child.on('error', error => end(error.message))
    child.on('exit', (code, by) => end(code === 0 ? null : `exit ${by ?? code}`))
  })
}
