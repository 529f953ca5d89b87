// Runs the device suite on the CUDA kernels compiled for the host: npm run test:cuda-on-host [-- --cases N] [arguments of
// vitest]. N is the number of random cases for each precision.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

// The tests that use a CUDA device if one opens.
const TESTS = [
  'test/cuda.test.ts',
  'test/cudaPrecisions.test.ts',
  'test/cli/cuda.test.ts',
  'test/decoding',
  'test/device/cuda.test.ts',
  'test/native/gpuProgram.test.ts',
  'test/native/hostLibrary.test.ts',
  'test/native/waits.test.ts',
  'test/nn/attention.test.ts',
  'test/nn/attentionKinds.test.ts',
  'test/reliability/api.test.ts',
  'test/training/cuda.test.ts',
]
const root = join(import.meta.dirname, '..')
const words = process.argv.slice(2)
const env = {
  ...process.env,
  PACKED_RNN_CUDA_LIBRARY: join(root, 'build', 'host', 'libpacked_rnn_cuda_host.so'),
}
const cases = words.indexOf('--cases')
if (cases >= 0) {
  const count = words.splice(cases, 2)[1]
  if (!/^\d+$/.test(count ?? '')) throw new Error(`--cases: wanted a number, got ${count}`)
  env.PACKED_RNN_RANDOM_CASES = count
}

for (const command of [
  ['npm', 'run', '--silent', 'build:cuda-on-host'],
  ['npx', 'vitest', 'run', ...TESTS, ...words],
]) {
  const { status, error } = spawnSync(command[0], command.slice(1), { cwd: root, env, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}
