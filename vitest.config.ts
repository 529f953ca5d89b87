import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    // Whoever names no device runs on the CPU, also where there is a better one: that has tests of its own.
    env: { PACKED_RNN_DEVICE: process.env.PACKED_RNN_DEVICE ?? 'cpu' },
    testTimeout: 180_000,
  },
})
