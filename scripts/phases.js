// Checks that a training step can use many threads, by counting tasks instead of measuring time: npm run test:phases [-- A B C].
//
// Builds the addon with a team that runs all tasks on one thread and records its phases (test/native/phases), and trains the
// benchmark's cases with 64 threads. A phase must have as many tasks as there are threads (or sequences in all directions, if
// those are fewer), or take less than 2 % of the step. Work of one thread between two phases counts as a phase of one task.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { cases } from '../dist/bench/cases.js'
import { inventDocuments, renumbered, writeDocuments } from '../dist/bench/documents.js'
import { OWN_LIBRARY } from '../dist/bench/library.js'
import { BenchProcess } from '../dist/bench/process.js'

const THREADS = 64
const LEAST_SHARE = 0.02
const root = join(import.meta.dirname, '..')
const folder = join(root, 'build', 'phases')

function mustRun(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

/** The names of functions at addresses in the addon; the addresses if addr2line is not installed. */
function namesOf(places) {
  const addon = join(folder, 'build', 'Release', 'addon.node')
  const { status, stdout } = spawnSync('addr2line', ['-sfCpie', addon, ...places], { encoding: 'utf8' })
  if (status !== 0) return places
  // An address has one line, and one more for each function that it is inlined into. The last is the function that was called.
  const names = []
  for (const line of stdout.trim().split('\n')) {
    if (!line.startsWith(' (inlined by)')) names.push('')
    names[names.length - 1] = line.replace(' (inlined by) ', '')
  }
  return names.map(name =>
    name.replace(/packed_rnn::(\w+::)?|\(anonymous namespace\)::/g, '').replace(/\(.*\)/, ''),
  )
}

/** The phases of a case's training step; the log has two identical steps. */
async function phasesOf(name, data, temporary) {
  const log = join(temporary, `${name}.phases`)
  const setting = {
    ...{
      name,
      threads: THREADS,
      folder: temporary,
      words: data.words,
      classes: data.classes,
      checkedSteps: 0,
    },
    ...{
      precision: 'float32',
      library: OWN_LIBRARY,
      parameters: '',
      documents: data.documents.length,
      tokens: data.tokens,
    },
    few: { documents: 0, tokens: 0 },
  }
  const env = { ...process.env, PACKED_RNN_PREBUILD: folder, PACKED_RNN_PHASES: log }
  const ours = new BenchProcess(
    name,
    process.execPath,
    [join(root, 'dist/bench/ours.js'), JSON.stringify(setting)],
    env,
  )
  await ours.answer()
  await ours.ask('step')
  writeFileSync(log, '')
  await ours.ask('step')
  await ours.close()
  return readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map(line => line.split(' '))
    .map(([tasks, seconds, before, place]) => ({
      ...{ tasks: Number(tasks), seconds: Number(seconds), before: Number(before), place },
    }))
}

function report(name, phases, sequences) {
  const wanted = Math.min(THREADS, sequences * (cases[name].bidirectional ? 2 : 1))
  const total = phases.reduce((sum, { seconds, before }) => sum + seconds + before, 0) / 2
  const names = namesOf(phases.map(({ place }) => place))
  // By caller: the share of the step, the fewest tasks of a phase that counts, and the longest time of one thread before one.
  const rows = new Map()
  phases.forEach(({ tasks, seconds, before }, i) => {
    const row = rows.get(names[i]) ?? { calls: 0, share: 0, tasks: Infinity, alone: 0 }
    rows.set(names[i], row)
    row.calls += 1
    row.share += seconds / total / 2
    if (seconds >= LEAST_SHARE * total) row.tasks = Math.min(row.tasks, tasks)
    row.alone = Math.max(row.alone, before / total)
  })
  let bad = 0
  process.stdout.write(
    `\n${name}: ${sequences} sequences, wanted ${wanted} tasks; ${total.toFixed(2)} s a step of one thread\n`,
  )
  const percent = share => `${(100 * share).toFixed(1)} %`.padStart(8)
  for (const [caller, row] of [...rows].sort((a, b) => b[1].share - a[1].share)) {
    const failed = row.tasks < wanted || row.alone >= LEAST_SHARE
    if (failed) bad++
    if (!failed && row.share < LEAST_SHARE) continue
    const tasks = row.tasks === Infinity ? 'small' : `${row.tasks} tasks`
    process.stdout.write(
      `${failed ? 'FAILED' : 'ok    '} ${percent(row.share)} ${tasks.padStart(12)}, one thread before it ${percent(row.alone)}: ${caller}\n`,
    )
  }
  return bad
}

mustRun('cmake', ['-S', 'test/native/phases', '-B', folder])
mustRun('cmake', ['--build', folder, '--parallel', String(availableParallelism())])
const temporary = mkdtempSync(join(tmpdir(), 'packed-rnn-phases-'))
const names = process.argv.length > 2 ? process.argv.slice(2) : ['A', 'B', 'C']
try {
  const data = renumbered(inventDocuments(256))
  await writeDocuments(temporary, data)
  let bad = 0
  for (const name of names) bad += report(name, await phasesOf(name, data, temporary), data.documents.length)
  process.stdout.write(bad === 0 ? '\nevery phase has work for all threads\n' : `\n${bad} FAILED\n`)
  process.exitCode = bad === 0 ? 0 : 1
} finally {
  rmSync(temporary, { recursive: true })
}
