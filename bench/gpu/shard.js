// A shard of the device suite, in as many processes as it takes: a device that is lost, a crash and a test that hangs cost that test, and
// the next process goes on behind it.
//
//   node bench/gpu/shard.js FINDINGS KIND K/N SECONDS
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Deadline } from '../../dist/bench/device/deadline.js'
import { Findings } from '../../dist/bench/device/records.js'

const [file, kind, shard, seconds] = process.argv.slice(2)
const folder = fileURLToPath(new URL('../../build/gpu/', import.meta.url))
const files = [`${kind}.test.js`, `training/${kind}.test.js`].filter(name =>
  existsSync(join(folder, 'test', name)),
)
const deadline = new Deadline(0.9 * Number(seconds))
const scratch = mkdtempSync(join(tmpdir(), 'packed-rnn-shard-'))

const counts = { passed: 0, skipped: 0, processes: 0 }
const failures = []
let [from, notRun] = [0, 0]
let cutOff = null
for (let more = true; more; ) {
  const progress = join(scratch, `progress-${counts.processes++}`)
  const left = Math.max(1, deadline.seconds)
  const run = ['--expose-gc', join(folder, 'test/plain/run.js'), '--shard', shard, '--from', String(from)]
  const { status, signal, stdout, error } = spawnSync(
    process.execPath,
    [...run, '--seconds', String(0.8 * left), '--progress', progress, ...files],
    {
      cwd: folder,
      encoding: 'utf8',
      timeout: Math.ceil(left * 1000),
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  process.stdout.write(stdout)
  const ended = readLines(progress)
  for (const { name, state, reason } of ended.filter(({ state }) => state !== 'begun')) {
    if (state === 'failed') failures.push({ name, reason })
    else counts[state]++
    from++
  }
  const last = ended.at(-1)
  // In its time it says itself what it did not run.
  notRun = Number(/(\d+) not run/.exec(stdout)?.[1] ?? 0)
  const died = last?.state === 'begun'
  if (died && error?.code === 'ETIMEDOUT') cutOff = last.name
  else if (died) {
    failures.push({ name: last.name, reason: `its process ended: ${signal ?? `exit ${status}`}` })
    from++
  }
  more = (died || status === 3) && !deadline.over
}
rmSync(scratch, { recursive: true })
new Findings(file).add({ finding: 'suite', shard, ...counts, notRun, cutOff, failures })
process.exitCode = failures.length > 0 ? 1 : 0

function readLines(file) {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}
