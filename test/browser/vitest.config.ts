import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** `npm run test:browser`: what opens pages in Chromium. Its tests are no part of `npm test`, which needs no browser. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/browser/**/*.browser.ts'],
    pool: 'forks',
    maxWorkers: 2,
    env: { PACKED_RNN_DEVICE: 'cpu' },
    testTimeout: 120_000,
  },
})
