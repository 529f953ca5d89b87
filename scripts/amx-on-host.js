// Runs the bfloat16 suites on the kernels for AMX, with tiles in memory: npm run test:amx-on-host [-- arguments of vitest]. It
// needs a CPU with AVX512-BF16.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'build', 'host')
const env = { ...process.env, PACKED_RNN_PREBUILD: folder }

function run(command, ...words) {
  const { status, error, stdout } = spawnSync(command, words, {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  process.stdout.write(stdout)
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
  return stdout
}

run('cmake', '-S', 'test/native', '-B', folder)
run('cmake', '--build', folder, '--parallel', '2', '--target', 'addon')
const where = `import('./dist/index.js').then(({ device }) => console.log(device('cpu', { precision: 'bfloat16' }).instructions))`
const used = run(process.execPath, '--eval', where).trim()
if (used !== 'amx') throw new Error(`wanted amx for bfloat16, got ${used}`)
run('npx', 'vitest', 'run', 'test/cpuBfloat16.test.ts', 'test/device/gates.test.ts', ...process.argv.slice(2))
