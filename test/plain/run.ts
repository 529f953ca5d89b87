// Runs test files of the suite in plain Node, one test after the other:
//
//   node run.js [--filter PATTERN] [--shard K/N] [--from N] [--seconds N] [--progress FILE] [--findings FILE] [--json FILE] cuda.test.js…
//
//   --filter    only tests whose full name matches
//   --shard     every Nth of them, from the Kth on; each shard begins at another place and comes round to it
//   --from      without the first N of those
//   --seconds   starts no test after that; those left out are counted as not run
//   --progress  appends a line of JSON with how many tests there are, and when one begins and when it has ended
//   --findings  appends a finding of src/bench/device/records.ts where a test fails
//   --json      writes the counts at the end
//
// Exits with 1 where a test fails, or none passes; with 3 where the device is lost, which no later test could use.
import { appendFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { collected, Skipped, type Test } from './collect.js'

interface Outcome {
  name: string
  state: 'passed' | 'failed' | 'skipped' | 'not run'
  milliseconds: number
  /** What failed, or why it was skipped. */
  reason: string | null
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    filter: { type: 'string' },
    shard: { type: 'string', default: '1/1' },
    from: { type: 'string', default: '0' },
    seconds: { type: 'string', default: 'Infinity' },
    progress: { type: 'string' },
    findings: { type: 'string' },
    json: { type: 'string' },
  },
})

const start = performance.now()
// As in vitest.config.ts.
process.env.PACKED_RNN_DEVICE ??= 'cpu'
for (const file of positionals) await import(new URL(`../${file}`, import.meta.url).href)
const { tests, beforeAll, afterAll } = collected()
const pattern = new RegExp(values.filter ?? '')
const [shard, shards] = values.shard.split('/').map(Number)
const ofShard = tests
  .filter(({ path }) => pattern.test(path.join(' > ')))
  .filter((_, i) => i % shards! === shard! - 1)
// Where there is no time for all, each shard leaves out others.
const first = Math.floor(((shard! - 1) * ofShard.length) / shards!)
const chosen = [...ofShard.slice(first), ...ofShard.slice(0, first)].slice(Number(values.from))
tell({ found: ofShard.length })

const outcomes: Outcome[] = []
for (const hook of beforeAll) await hook()
/** Unhandled errors of the test that is running. Before and after the tests they end the process. */
let astray: unknown[] = []
const goAstray = (error: unknown) => void astray.push(error)
process.on('unhandledRejection', goAstray).on('uncaughtException', goAstray)
let lost = false
for (const each of chosen) {
  const late = performance.now() - start > Number(values.seconds) * 1000
  if (!late && !lost) tell({ name: each.path.join(' > '), state: 'begun' })
  const outcome: Outcome = lost
    ? untouched(each, 'not run', 'the device was lost')
    : late
      ? untouched(each, 'not run', 'the time was over')
      : await runOne(each)
  outcomes.push(outcome)
  if (outcome.state !== 'not run') tell(outcome)
  if (outcome.state === 'failed' && values.findings !== undefined) {
    const { name, reason } = outcome
    appendFileSync(values.findings, `${JSON.stringify({ finding: 'test', name, reason })}\n`)
  }
  lost ||= outcome.reason?.includes('ERR_DEVICE_LOST') === true
  if (outcome.state === 'failed')
    process.stdout.write(`failed: ${outcome.name}\n${indent(outcome.reason!)}\n`)
}
process.off('unhandledRejection', goAstray).off('uncaughtException', goAstray)
for (const hook of afterAll) await hook()

const count = (state: Outcome['state']) => outcomes.filter(outcome => outcome.state === state).length
const summary = {
  found: tests.length,
  passed: count('passed'),
  failed: count('failed'),
  skipped: count('skipped'),
  notRun: count('not run'),
  seconds: (performance.now() - start) / 1000,
}
for (const [reason, number] of skipReasons()) process.stdout.write(`skipped: ${number}: ${reason}\n`)
process.stdout.write(
  `${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped, ${summary.notRun} not run ` +
    `in ${summary.seconds.toFixed(1)} s\n`,
)
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(summary)}\n`)
process.exitCode = lost ? 3 : summary.failed > 0 || summary.passed === 0 ? 1 : 0
// The queue of a device that was lost would wait for ever.
if (lost) process.exit()

function tell(what: Outcome | { name: string; state: 'begun' } | { found: number }): void {
  if (values.progress !== undefined) appendFileSync(values.progress, `${JSON.stringify(what)}\n`)
}

async function runOne(test: Test): Promise<Outcome> {
  if (test.skipped !== null) return untouched(test, 'skipped', test.skipped)
  const began = performance.now()
  const done = (state: Outcome['state'], reason: string | null): Outcome => {
    return { name: test.path.join(' > '), state, milliseconds: performance.now() - began, reason }
  }
  astray = []
  try {
    for (const hook of test.beforeEach) await hook()
    await inTime(test)
    for (const hook of test.afterEach) await hook()
    // An unhandled rejection is reported after the microtasks of this turn.
    await new Promise(resolve => setImmediate(resolve))
    if (astray.length > 0) return done('failed', astray.map(describe).join('\n'))
    return done('passed', null)
  } catch (error) {
    return error instanceof Skipped ? done('skipped', error.message) : done('failed', describe(error))
  }
}

async function inTime(test: Test): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took more than ${test.timeoutMs} ms`)), test.timeoutMs)
  })
  const skip = (reason: string | boolean = true, note = 'no reason given') => {
    if (reason !== false) throw new Skipped(typeof reason === 'string' ? reason : note)
  }
  try {
    await Promise.race([late, Promise.resolve().then(() => test.body({ skip }))])
  } finally {
    clearTimeout(timer)
  }
}

function untouched(test: Test, state: Outcome['state'], reason: string): Outcome {
  return { name: test.path.join(' > '), state, milliseconds: 0, reason }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const text = error.stack ?? error.message
  return 'code' in error ? `${error.code}: ${text}` : text
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}

function skipReasons(): Map<string, number> {
  const reasons = new Map<string, number>()
  for (const { state, reason } of outcomes) {
    if (state === 'skipped') reasons.set(reason!, (reasons.get(reason!) ?? 0) + 1)
  }
  return reasons
}
