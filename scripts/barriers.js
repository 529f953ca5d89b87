// Removes each barrier of the CUDA kernels, one at a time, and checks that ThreadSanitizer reports it on the host:
// npm run test:barriers [-- a part of FILE:LINE]. Works on a copy in build/barriers; takes some minutes.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const tree = join(root, 'build', 'barriers', 'tree')
const build = join(root, 'build', 'barriers', 'build')
const BARRIER = /__sync(threads|warp)\(\);/

/** Parts of the names of the driver's cases that launch a file's kernels. */
const CASES = {
  'gemm.cu': ['matmul'],
  'optimizer.cu': ['adam'],
  'pooling.cu': ['pooling'],
  'reduce.cuh': ['clip', 'cross entropy'],
  'resident_backward.cu': ['of 64 units'],
  'resident_forward.cu': ['of 64 units'],
  'rows.cu': ['sum of many rows', 'columns'],
  'stepwise.cu': ['projection'],
}
/** Comments of the barriers that the host does not need: test/native/README.md explains why. */
const UNSEEN = [/the product needs them together/, /may still read the parts of the previous call/]

function run(command, env = {}) {
  const options = { cwd: root, env: { ...process.env, ...env }, maxBuffer: 1 << 28 }
  return new Promise(resolve => {
    execFile(command[0], command.slice(1), options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? -1), output: stdout + stderr })
    })
  })
}
async function mustRun(...command) {
  const { code, output } = await run(command)
  if (code !== 0) throw new Error(`${command.join(' ')}\n${output}`)
}

/** Returns the first line of the report, or null if there is none. */
async function report(file) {
  await mustRun(
    'cmake',
    '--build',
    build,
    '--parallel',
    String(availableParallelism()),
    '--target',
    'packed_rnn_cuda_host',
  )
  for (const part of CASES[file]) {
    const words = [join(build, 'driver'), join(build, 'libpacked_rnn_cuda_host.so'), part]
    // Two multiprocessors, so that slots take a second sequence. One report is enough.
    const env = { PACKED_RNN_STANDIN_PROCESSORS: '2', TSAN_OPTIONS: 'halt_on_error=1' }
    const { code, output } = await run([...withoutRandomPlaces(), ...words], env)
    if (code !== 0) return /WARNING: .*|.*error: .*|.* on .*: .*/.exec(output)?.[0] ?? output.slice(-500)
  }
  return null
}

/** ThreadSanitizer expects a fixed memory layout, which more random bits than these would break. */
function withoutRandomPlaces() {
  const bits = '/proc/sys/vm/mmap_rnd_bits'
  const many = existsSync(bits) && Number(readFileSync(bits, 'utf8')) > 28
  return many ? ['setarch', '--addr-no-randomize'] : []
}

mkdirSync(tree, { recursive: true })
for (const folder of ['native', join('test', 'native')])
  cpSync(join(root, folder), join(tree, folder), { recursive: true, preserveTimestamps: true })
if (!existsSync(join(tree, 'node_modules')))
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
await mustRun('cmake', '-S', join(tree, 'test', 'native'), '-B', build, '-DSANITIZE=thread')
await mustRun('cmake', '--build', build, '--parallel', String(availableParallelism()), '--target', 'driver')

const wanted = process.argv[2] ?? ''
let failed = false
function tell(good, text) {
  process.stdout.write(`${good ? 'ok' : 'FAILED'}: ${text}\n`)
  if (!good) failed = true
}
const folder = join(tree, 'native', 'cuda')
for (const file of readdirSync(folder)) {
  if (!/\.cuh?$/.test(file)) continue
  const source = readFileSync(join(folder, file), 'utf8')
  const lines = source.split('\n')
  const barriers = lines.flatMap((line, i) => (BARRIER.test(line) ? [i] : []))
  const chosen = barriers.filter(i => `${file}:${i + 1}`.includes(wanted))
  if (chosen.length === 0) continue
  if (!Object.hasOwn(CASES, file)) {
    tell(false, `${file} has barriers and no cases in CASES`)
    continue
  }
  const clean = await report(file)
  tell(clean === null, `${file} as it is${clean === null ? '' : `: ${clean}`}`)
  for (const i of chosen) {
    writeFileSync(join(folder, file), lines.with(i, lines[i].replace(BARRIER, '')).join('\n'))
    const found = await report(file).finally(() => writeFileSync(join(folder, file), source))
    const unseen = UNSEEN.some(comment => comment.test(lines[i]))
    const what = `${file}:${i + 1}: ${lines[i].trim()}`
    tell(
      (found === null) === unseen,
      `${what} ${found ?? (unseen ? 'not reported, as expected' : 'not reported')}`,
    )
  }
}
process.exit(failed ? 1 : 0)
