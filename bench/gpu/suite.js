/** The device suite in a process of its own: as it is, and under compute-sanitizer. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../build/gpu/', import.meta.url))
const runner = join(folder, 'test/plain/run.js')

/** The test files of a kind of device, compiled; none where `npm run build:gpu` did not make them. */
function compiledSuite(kind) {
  const files = [`${kind}.test.js`, `training/${kind}.test.js`]
  return files.filter(file => existsSync(join(folder, 'test', file)))
}

/** @returns `{ passed, failed, skipped, notRun, seconds, outcomes, wrong }` or `{ reason }` */
export async function runSuite(kind, deadline, log) {
  const files = compiledSuite(kind)
  if (files.length === 0) return { reason: 'not run: npm run build:gpu makes it' }
  const { result, output } = await runTests([], files, deadline.seconds)
  log(output.trimEnd().split('\n').at(-1))
  if (result === null) {
    return { reason: 'failed: the process ended without a result', output: output.slice(-4000), wrong: true }
  }
  const wrong = result.failed > 0 || result.passed === 0
  return { ...result, wrong, ...(wrong && { output: output.slice(-20_000) }) }
}

/** Every 8th test is enough for each kernel to run, in several shapes. */
const EVERY = 8

/** @returns rows `{ tool, summary, passed | reason, wrong? }` */
export async function runSanitizers(kind, deadline, log) {
  const files = compiledSuite(kind)
  const tools = ['memcheck', 'racecheck', 'synccheck']
  const reason =
    kind === 'cpu'
      ? 'not run: it is for CUDA'
      : spawnSync('compute-sanitizer', ['--version']).status !== 0
        ? 'not installed: no compute-sanitizer'
        : files.length === 0
          ? 'not run: npm run build:gpu makes the suite'
          : null
  if (reason !== null) return tools.map(tool => ({ tool, reason }))
  const rows = []
  for (const [i, tool] of tools.entries()) {
    const seconds = deadline.seconds / (tools.length - i)
    const wrap = ['compute-sanitizer', '--tool', tool, '--error-exitcode', '99', '--print-limit', '20']
    const { result, output } = await runTests(wrap, files, seconds, ['--every', String(EVERY)])
    const summary = /(?:ERROR|RACECHECK) SUMMARY: (.*)/.exec(output)?.[1]
    const clean = summary !== undefined && /^0 (errors|hazards)/.test(summary)
    const row = { tool, summary: summary ?? 'no summary', clean, ...result }
    if (!clean || result === null || result.failed > 0) {
      Object.assign(row, { wrong: true, output: output.slice(-20_000) })
    }
    rows.push(row)
    log(
      `compute-sanitizer ${tool}: ${row.summary}; ${result?.passed ?? 0} tests passed, ${result?.notRun ?? 0} not run`,
    )
  }
  return rows
}

/** Runs test files, under another program where `wrap` names one. A process that hangs is ended. */
async function runTests(wrap, files, seconds, options = []) {
  const results = await mkdtemp(join(tmpdir(), 'packed-rnn-suite-'))
  try {
    const json = join(results, 'result.json')
    const command = [process.execPath, '--expose-gc', runner, '--json', json, '--seconds', String(seconds)]
    const [program, ...args] = [...wrap, ...command, ...options, ...files]
    const child = spawn(program, args, { cwd: folder })
    // Within its time it starts no more tests; the last one may take its own.
    const timer = setTimeout(() => child.kill('SIGKILL'), (seconds + 240) * 1000)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += text))
    await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject))
    clearTimeout(timer)
    return { output, result: existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')) : null }
  } finally {
    await rm(results, { recursive: true, force: true })
  }
}
