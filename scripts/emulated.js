// Runs the device suite on other CPUs, emulated by qemu-user. Checks that the right instruction set is chosen on each, and
// that it works without the newer ones.
//
//   npm run test:emulated [-- --filter PATTERN]
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const EMULATOR = 'qemu-x86_64'
const CPUS = [
  { cpu: 'Haswell', instructions: 'avx2' },
  { cpu: 'Nehalem', instructions: 'portable' },
]
const root = join(import.meta.dirname, '..')
const suite = join(root, 'build', 'gpu')

if (spawnSync(EMULATOR, ['--version']).status !== 0) {
  throw new Error(`${EMULATOR}: wanted this emulator (Debian: qemu-user), got none`)
}
run(process.execPath, [join(root, 'scripts', 'build-gpu.js')], root)
for (const { cpu, instructions } of CPUS) {
  const chosen = `import('${join(suite, 'src', 'device.js')}').then(({ device }) => console.log(device('cpu').instructions))`
  const found = emulate(cpu, ['--eval', chosen], { stdio: 'pipe' }).trim()
  if (found !== instructions) throw new Error(`${cpu}: wanted ${instructions}, got ${found}`)
  console.log(`\n== ${cpu}, ${instructions}`)
  emulate(cpu, ['test/plain/run.js', ...process.argv.slice(2), 'cpu.test.js'])
}

function emulate(cpu, words, options) {
  return run(EMULATOR, ['-cpu', cpu, process.execPath, ...words], suite, options)
}

function run(command, words, cwd, options = { stdio: 'inherit' }) {
  const { status, stdout } = spawnSync(command, words, { cwd, encoding: 'utf8', ...options })
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: wanted exit code 0, got ${status}`)
  return stdout
}
