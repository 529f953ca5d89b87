import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** A short file that runs a long suite. */
const LONG = /\/test\/cpu\w*\.test\.ts$/

/**
 * Runs the long suites first. Without durations of an earlier run, vitest starts with the largest files, and
 * these would run last, with one core idle.
 */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const long = (file: TestSpecification) => LONG.test(file.moduleId)
    return [...sorted.filter(long), ...sorted.filter(file => !long(file))]
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    sequence: { sequencer: LongFirst },
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
