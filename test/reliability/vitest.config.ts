import { defineConfig, mergeConfig } from 'vitest/config'
import suite from '../../vitest.config.js'

/** `npm run test:reliability`: the tests of this folder in their long form, one file after the other for the memory's sake. */
export default mergeConfig(
  { ...suite, test: { ...suite.test, projects: undefined } },
  defineConfig({
    test: {
      include: ['test/reliability/**/*.test.ts', 'test/cli/runs.test.ts', 'test/plain/plain.test.ts'],
      env: { PACKED_RNN_RELIABILITY: 'long' },
      fileParallelism: false,
      testTimeout: 900_000,
    },
  }),
)
