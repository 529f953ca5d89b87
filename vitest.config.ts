import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Vitest's own choice is one less than there are cores: on two, half of them would wait for the loading of modules.
    maxWorkers: availableParallelism(),
    execArgv: ['--expose-gc'],
    // Whoever names no device runs on the CPU, also where there is a better one: that has tests of its own.
    env: { PACKED_RNN_DEVICE: process.env.PACKED_RNN_DEVICE ?? 'cpu' },
    testTimeout: 180_000,
    // Some compile the package, which a busy machine takes its time for.
    hookTimeout: 120_000,
  },
})
