// Runs the native code under AddressSanitizer with UndefinedBehaviorSanitizer, and under ThreadSanitizer:
// npm run test:sanitizers [-- address] [thread] [cpu] [addon] [--under address|thread] [--short].
//
//   address   the CUDA kernels compiled for the host: every op, with leaks, by a driver in plain C++, the random cases, and the
//             suites whose products have a precision, in tf32 and bfloat16. Float32 runs in the driver and the random cases only,
//             because its three products take three times as long.
//   thread    the same driver under ThreadSanitizer
//   cpu       the CPU backend and its threads, by the same driver, under both, on each instruction set
//   addon     the addon in Node, with its queue, under both: the device suite, workers, hostile calls, sudden ends
//   --under   runs cpu and addon under this sanitizer only. Runs under different ones share no folder and can go side by side.
//   --short   for CI: without the device suite in bfloat16 (its random cases stay), and without the device suite, hostile calls and
//             sudden ends of the addon under ThreadSanitizer
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { under: { type: 'string' }, short: { type: 'boolean', default: false } },
})
const { short } = options
const root = join(import.meta.dirname, '..')
const library = folder => join(folder, 'libpacked_rnn_cuda_host.so')

/** Resolves with the exit code and the output. The code may be 0 although a sanitizer reported something. */
function run(command, env = {}) {
  const options = { cwd: root, env: { ...process.env, ...env }, maxBuffer: 1 << 28 }
  return new Promise(resolve => {
    execFile(command[0], command.slice(1), options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? -1), output: stdout + stderr })
    })
  })
}

async function mustRun(command) {
  const { code, output } = await run(command)
  if (code !== 0) throw new Error(`${command.join(' ')}\n${output}`)
  return output
}

async function build(sanitizer, ...targets) {
  const folder = join(root, 'build', `host-${sanitizer}`)
  await mustRun(['cmake', '-S', 'test/native', '-B', folder, `-DSANITIZE=${sanitizer}`])
  const jobs = String(availableParallelism())
  await mustRun(['cmake', '--build', folder, '--parallel', jobs, '--target', ...targets])
  return folder
}

/** Tests that reach the addon. Calls that the checks in TypeScript reject never do. */
const ADDON_TESTS = {
  'the device suite': ['test/cpu.test.ts'],
  'queue, failures and lifetimes': ['queue', 'failure', 'lifetime', 'scope', 'tape'].map(
    name => `test/device/${name}.test.ts`,
  ),
  workers: ['test/worker'],
  'hostile calls': ['test/reliability/api.test.ts'],
  'sudden ends': ['test/reliability/concurrency.test.ts'],
}

/** What ThreadSanitizer is for; `--short` leaves out the rest under it. */
const OF_THREADS = ['queue, failures and lifetimes', 'workers']

let failed = false
function tell(name, { code, output }, start) {
  const reported = /ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:/.test(output)
  const good = code === 0 && !reported
  const seconds = Math.round((Date.now() - start) / 1000)
  process.stdout.write(`${good ? 'clean' : `FAILED (${code})`} in ${seconds} s: ${name}\n`)
  if (good) return
  process.stdout.write(output)
  failed = true
}

async function driver(name, folder, { prefix = [], words = [], file = library(folder), env = {} } = {}) {
  const start = Date.now()
  tell(name, await run([...prefix, join(folder, 'driver'), ...words, file], env), start)
}

/** Runs the driver of the CPU backend under a sanitizer on each instruction set that this machine has. */
async function cpu(sanitizer) {
  const folder = await build(sanitizer, 'packed_rnn_cpu', 'driver')
  const [name, prefix] =
    sanitizer === 'address'
      ? ['AddressSanitizer, with leaks', []]
      : ['ThreadSanitizer', withoutRandomPlaces()]
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const sets = [
    'portable',
    ...(/\bavx2\b/.test(flags) ? ['avx2'] : []),
    ...(/\bavx512bw\b/.test(flags) ? ['avx512'] : []),
    // With tiles in memory: test/native/amx.
    ...(/\bavx512_bf16\b/.test(flags) ? ['amx'] : []),
  ]
  for (const set of sets) {
    const file = join(folder, 'libpacked_rnn_cpu.so')
    const on = { prefix, file, env: { PACKED_RNN_CPU: set } }
    await driver(`every op of the CPU backend on ${set} under ${name}`, folder, on)
    await driver(`the same on ${set} without the host's memory`, folder, { ...on, words: ['--starve'] })
  }
}

/**
 * Runs Node with these arguments and a preloaded sanitizer, which writes its reports to files. Node itself is not compiled for
 * the sanitizer, and leaks by design when it exits.
 */
async function watched(sanitizer, folder, words, env = {}) {
  const kind = { address: 'asan', thread: 'tsan' }[sanitizer]
  const runtime = (await mustRun([process.env.CXX ?? 'g++', `-print-file-name=lib${kind}.so`])).trim()
  const left = () => readdirSync(folder).filter(file => file.startsWith('report.'))
  for (const file of left()) rmSync(join(folder, file))
  const prefix = sanitizer === 'thread' ? withoutRandomPlaces() : []
  const result = await run([...prefix, process.execPath, ...words], {
    LD_PRELOAD: runtime,
    ASAN_OPTIONS: `detect_leaks=0:log_path=${join(folder, 'report')}`,
    // Node's own races must not fail the run: `ours` selects the addon's reports.
    TSAN_OPTIONS: `exitcode=0:history_size=7:log_path=${join(folder, 'report')}`,
    ...env,
  })
  const reports = left().map(file => readFileSync(join(folder, file), 'utf8'))
  result.output += sanitizer === 'thread' ? reports.flatMap(ours).join('\n') : reports.join('')
  return result
}

const vitest = words => ['node_modules/vitest/vitest.mjs', 'run', '--reporter=tap-flat', ...words]

/**
 * Those of ThreadSanitizer's reports in which an addon's code does what races, itself or by a function of the standard libraries:
 * Node's own code is not compiled for it.
 */
function ours(reports) {
  const inAddon = stack => {
    const frames = stack
      .split('\n')
      .filter(line => /^\s+#\d+ /.test(line) && !/lib(tsan|stdc\+\+|c)\.so/.test(line))
    return /\((addon|addon_faults)\.node\+0x/.test(frames[0] ?? '')
  }
  const made = /^\s*(Thread T|Mutex M\d+ .*created|Location is)/
  return reports
    .split(/^=+$/m)
    .filter(report => report.split(/\n\s*\n|\n(?= {2}\S)/).some(part => !made.test(part) && inAddon(part)))
}

/** Checks that the sanitizer finds a planted fault. */
async function finds(sanitizer, folder, fault, report) {
  const source = `require(${JSON.stringify(join(folder, 'addon_faults.node'))}).${fault}`
  const { output } = await watched(sanitizer, folder, ['--eval', source])
  if (!report.test(output)) throw new Error(`${source} under ${sanitizer}: wanted ${report}, got\n${output}`)
}

async function suite(folder) {
  const start = Date.now()
  const words = vitest([
    'test/cuda.test.ts',
    'test/cudaPrecisions.test.ts',
    '-t',
    `^(?!vanished|.*threads that share).*(in tf32|${short ? '' : 'in bfloat16|'}random)`,
  ])
  const result = await watched('address', folder, words, { PACKED_RNN_CUDA_LIBRARY: library(folder) })
  tell('the device suite under AddressSanitizer', result, start)
}

/** Tests the addon in Node with the CPU backend: its queue, its handles, and sudden ends. */
async function addon(sanitizer) {
  const folder = await build(sanitizer, 'addon', 'addon_faults')
  if (sanitizer === 'address') {
    await finds(sanitizer, folder, 'overrun(100)', /AddressSanitizer: heap-buffer-overflow/)
    await finds(sanitizer, folder, 'overflow(0x7fffffff)', /runtime error: signed integer overflow/)
  } else await finds(sanitizer, folder, 'race()', /ThreadSanitizer: data race/)

  const env = { PACKED_RNN_PREBUILD: folder }
  const where = `import('./dist/addon.js').then(({ addonFile }) => console.log(addonFile()))`
  const { output } = await watched(sanitizer, folder, ['--eval', where], env)
  if (!output.startsWith(folder)) throw new Error(`wanted the addon of ${folder}, got ${output}`)
  for (const [name, tests] of Object.entries(ADDON_TESTS)) {
    if (short && sanitizer === 'thread' && !OF_THREADS.includes(name)) continue
    const start = Date.now()
    tell(
      `the addon, ${name}, under ${sanitizer}`,
      await watched(sanitizer, folder, vitest(tests), env),
      start,
    )
  }
}

/** ThreadSanitizer expects a fixed memory layout, which more random bits than these would break. */
function withoutRandomPlaces() {
  const bits = '/proc/sys/vm/mmap_rnd_bits'
  const many = existsSync(bits) && Number(readFileSync(bits, 'utf8')) > 28
  return many ? ['setarch', '--addr-no-randomize'] : []
}

const under = options.under === undefined ? ['address', 'thread'] : [options.under]
if (!under.every(name => ['address', 'thread'].includes(name)))
  throw new Error(`sanitizers: --under: wanted address or thread, got ${options.under}`)
const parts = {
  address: async () => {
    const folder = await build('address', 'packed_rnn_cuda_host', 'driver')
    await driver('every op under AddressSanitizer, with leaks', folder)
    await suite(folder)
  },
  thread: async () => {
    const prefix = withoutRandomPlaces()
    await driver('every op under ThreadSanitizer', await build('thread', 'packed_rnn_cuda_host', 'driver'), {
      prefix,
      env: { PACKED_RNN_STANDIN_PROCESSORS: '2' }, // two, so that slots take a second sequence
    })
  },
  cpu: async () => {
    for (const sanitizer of under) await cpu(sanitizer)
  },
  addon: async () => {
    for (const sanitizer of under) await addon(sanitizer)
  },
}
const chosen = positionals.length > 0 ? positionals : Object.keys(parts)
for (const name of chosen) {
  if (!Object.hasOwn(parts, name))
    throw new Error(`sanitizers: wanted some of ${Object.keys(parts).join(', ')}, got ${name}`)
}
for (const name of chosen) await parts[name]()
process.exit(failed ? 1 : 0)
