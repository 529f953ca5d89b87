// Runs test files of the suite in plain Node, one test after the other:
//
//   node run.js [--filter PATTERN] [--every N] [--seconds N] [--json FILE] cuda.test.js…
//
//   --filter   only tests whose full name matches
//   --every    every Nth of them
//   --seconds  starts no test after that; those left out are counted as not run
//
// Exits with 1 where a test fails, or none passes.
import { writeFileSync } from 'node:fs'
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
    every: { type: 'string', default: '1' },
    seconds: { type: 'string', default: 'Infinity' },
    json: { type: 'string' },
  },
})

const start = performance.now()
// As in vitest.config.ts.
process.env.PACKED_RNN_DEVICE ??= 'cpu'
for (const file of positionals) await import(new URL(`../${file}`, import.meta.url).href)
const { tests, beforeAll, afterAll } = collected()
const pattern = new RegExp(values.filter ?? '')
const chosen = tests
  .filter(({ path }) => pattern.test(path.join(' > ')))
  .filter((_, i) => i % Number(values.every) === 0)

const outcomes: Outcome[] = []
for (const hook of beforeAll) await hook()
/** Errors that nobody awaits, of the test that is running. Before and after the tests they end the process. */
let astray: unknown[] = []
const goAstray = (error: unknown) => void astray.push(error)
process.on('unhandledRejection', goAstray).on('uncaughtException', goAstray)
for (const each of chosen) {
  const late = performance.now() - start > Number(values.seconds) * 1000
  const outcome = late ? untouched(each, 'not run', 'the time was over') : await runOne(each)
  outcomes.push(outcome)
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
if (values.json !== undefined) {
  const told = outcomes.filter(({ state }) => state !== 'passed')
  writeFileSync(values.json, `${JSON.stringify({ ...summary, outcomes: told }, null, 2)}\n`)
}
process.exitCode = summary.failed > 0 || summary.passed === 0 ? 1 : 0

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
    // A rejection that nobody handles is told after the microtasks of this turn.
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
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
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
