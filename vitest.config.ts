import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Short files that run a long suite, and the longest of those that share processes. */
const LONG = /\/test\/(cpu(Bfloat16)?|pages)\.test\.ts$/

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

/**
 * Files that count no tensors and leave nothing behind. They share processes, because loading the
 * package takes longer than most of them. The others need their own: garbage of one file would change the
 * counts of the next.
 */
const TOGETHER = [
  'test/{files,reference,reports,scores,scripts,text,types}/**/*.test.ts',
  'test/bench/{check,multiplications}.test.ts',
  'test/device/{gates,mark,sequences}.test.ts',
  'test/explain/{page,reading}.test.ts',
  'test/formats/{fastai,safetensors,stateDict,torch}.test.ts',
  'test/{native/assembly,optim/schedules}.test.ts',
  'test/tasks/{classificationMetrics,classificationReport}.test.ts',
  'test/training/{earlier,format,loader,nonMonotonic,notebookProgress,pairs,progress,records}.test.ts',
  'test/{cpuQuota,documented,examples,pages,random}.test.ts',
]

export default defineConfig({
  test: {
    pool: 'forks',
    sequence: { sequencer: LongFirst },
    // Vitest's own choice is one less than there are cores: on two, half of them would wait for the loading of modules.
    maxWorkers: availableParallelism(),
    setupFiles: ['test/setup.ts'],
    execArgv: ['--expose-gc'],
    // The default device is the CPU, also where there is a better one. Others have separate tests.
    env: { PACKED_RNN_DEVICE: process.env.PACKED_RNN_DEVICE ?? 'cpu' },
    testTimeout: 180_000,
    // Some compile the package, which a busy machine takes its time for.
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: TOGETHER },
      },
      { extends: true, test: { name: 'together', include: TOGETHER, isolate: false } },
    ],
  },
})
