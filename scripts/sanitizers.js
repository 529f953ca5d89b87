// The CUDA kernels, compiled for the host, under the sanitizers, and the CPU backend under both:
// npm run test:sanitizers [-- address] [thread] [cpu].
//
// ThreadSanitizer and the leak check follow a plain C++ driver of every op; under AddressSanitizer the device suite
// runs too. Float32 is left to the driver and the random cases there: its products are three, and take three times as long.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const library = folder => join(folder, 'libpacked_rnn_cuda_host.so')

/** Resolves with the exit code, 0 also where a report says otherwise, and all that was printed. */
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

async function build(sanitizer, backend = 'packed_rnn_cuda_host') {
  const folder = join(root, 'build', `host-${sanitizer}`)
  await mustRun(['cmake', '-S', 'test/native', '-B', folder, `-DSANITIZE=${sanitizer}`])
  const jobs = String(availableParallelism())
  const targets = [backend, 'driver']
  await mustRun(['cmake', '--build', folder, '--parallel', jobs, '--target', ...targets])
  return folder
}

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

async function driver(name, folder, { prefix = [], file = library(folder), env = {} } = {}) {
  const start = Date.now()
  tell(name, await run([...prefix, join(folder, 'driver'), file], env), start)
}

/** On each instruction set that this machine has. */
async function cpu(name, folder, options = {}) {
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const sets = [
    'portable',
    ...(/\bavx2\b/.test(flags) ? ['avx2'] : []),
    ...(/\bavx512bw\b/.test(flags) ? ['avx512'] : []),
  ]
  for (const set of sets) {
    const file = join(folder, 'libpacked_rnn_cpu.so')
    await driver(`every op of the CPU backend on ${set} under ${name}`, folder, {
      ...options,
      file,
      env: { PACKED_RNN_CPU: set },
    })
  }
}

async function suite(folder) {
  const start = Date.now()
  const reports = join(folder, 'report')
  const left = () => readdirSync(folder).filter(file => file.startsWith('report.'))
  for (const file of left()) rmSync(join(folder, file))
  const runtime = (await mustRun([process.env.CXX ?? 'g++', '-print-file-name=libasan.so'])).trim()
  const result = await run(
    ['npx', 'vitest', 'run', 'test/cuda.test.ts', '--reporter=tap-flat', '-t', 'in tf32|in bfloat16|random'],
    {
      LD_PRELOAD: runtime,
      // Node leaks by design, when it exits.
      ASAN_OPTIONS: `detect_leaks=0:log_path=${reports}`,
      PACKED_RNN_CUDA_LIBRARY: library(folder),
    },
  )
  for (const file of left()) result.output += readFileSync(join(folder, file), 'utf8')
  tell('the device suite under AddressSanitizer', result, start)
}

/** ThreadSanitizer knows where memory lies; with more random bits than these it may lie elsewhere. */
function withoutRandomPlaces() {
  const bits = '/proc/sys/vm/mmap_rnd_bits'
  const many = existsSync(bits) && Number(readFileSync(bits, 'utf8')) > 28
  return many ? ['setarch', '--addr-no-randomize'] : []
}

const sanitizers = {
  address: async () => {
    const folder = await build('address')
    await driver('every op under AddressSanitizer, with leaks', folder)
    await suite(folder)
  },
  thread: async () => {
    const prefix = withoutRandomPlaces()
    await driver('every op under ThreadSanitizer', await build('thread'), { prefix })
  },
  cpu: async () => {
    await cpu('AddressSanitizer, with leaks', await build('address', 'packed_rnn_cpu'))
    await cpu('ThreadSanitizer', await build('thread', 'packed_rnn_cpu'), { prefix: withoutRandomPlaces() })
  },
}
const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(sanitizers)
for (const name of chosen) {
  if (!Object.hasOwn(sanitizers, name))
    throw new Error(`sanitizers: wanted some of ${Object.keys(sanitizers).join(', ')}, got ${name}`)
}
for (const name of chosen) await sanitizers[name]()
process.exit(failed ? 1 : 0)
