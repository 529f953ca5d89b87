// Runs a shard of the device suite, in as many processes as needed. A lost device, a crash or a test that hangs only costs
// that test, and the next process continues after it. A test that fails is recorded as a finding at once.
//
//   node bench/gpu/shard.js FINDINGS KIND K/N SECONDS
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChild } from '../../dist/bench/device/child.js'
import { Deadline } from '../../dist/bench/device/deadline.js'
import { Findings } from '../../dist/bench/device/records.js'

const [file, kind, shard, seconds] = process.argv.slice(2)
const findings = new Findings(file)
const folder = fileURLToPath(new URL('../../build/gpu/', import.meta.url))
const suites = {
  cpu: ['cpu.test.js', 'cpuBfloat16.test.js', 'device/gates.test.js'],
  cuda: ['cuda.test.js', 'cudaPrecisions.test.js', 'training/cuda.test.js'],
}
const files = suites[kind]
const deadline = new Deadline(0.9 * Number(seconds))
const scratch = mkdtempSync(join(tmpdir(), 'packed-rnn-shard-'))

const counts = { passed: 0, failed: 0, skipped: 0, processes: 0 }
let [from, found] = [0, 0]
let cutOff = null
for (let more = true; more; ) {
  const progress = join(scratch, `progress-${counts.processes++}`)
  const left = Math.max(1, deadline.seconds)
  const run = ['--expose-gc', join(folder, 'test/plain/run.js'), '--shard', shard, '--from', String(from)]
  const ending = await runChild(
    [
      process.execPath,
      ...run,
      '--seconds',
      String(0.8 * left),
      '--progress',
      progress,
      '--findings',
      file,
      ...files,
    ],
    { seconds: left, cwd: folder },
  )
  const lines = readLines(progress)
  found = lines[0]?.found ?? found
  for (const { state } of lines.filter(({ state }) => state in counts)) {
    counts[state]++
    from++
  }
  const last = lines.at(-1)
  const died = last?.state === 'begun'
  if (died && ending.late) cutOff = last.name
  else if (died) {
    const reason = `its process ended: ${ending.signal ?? `exit ${ending.code}`}`
    findings.add({ finding: 'test', name: last.name, reason })
    counts.failed++
    from++
  }
  more = (died || ending.code === 3) && !deadline.over
}
rmSync(scratch, { recursive: true })
const { failed, ...rest } = counts
findings.add({ finding: 'suite', shard, ...rest, notRun: found - from, cutOff })
process.exitCode = failed > 0 ? 1 : 0

function readLines(file) {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}
