// The stand-in for CUDA proves that it finds what it is there for: kernels with a fault to plant, each run with the
// fault and without, under the watcher that its folder is named after.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'

const here = import.meta.dirname
const watchers = ['plain', 'address', 'thread'] as const
type Watcher = (typeof watchers)[number]

/** What the report says of the fault; where the fault is a line of a kernel, that is named too. */
const reports: Readonly<Record<string, RegExp>> = {
  captured_wait: /cudaStreamSynchronize.*operation not permitted when stream is capturing/,
  denormal_operand: /error: an operand of a product is denormal: 1\.1\d+e-41/,
  divergent_barrier: /error: divergent barrier/,
  divergent_warp: /error: threads wait for others that never come/,
  ended_early: /error: threads wait at a barrier that others ended without/,
  pending_group: /output\[0\]: wanted 0, got -?nan/,
  red_zone: /error: written 1 bytes past the shared array of 256 bytes/,
  reused_buffer: /wanted 0 and 1, got 1 and 1/,
  unasked_shared_total:
    /error: a block has 128 bytes of shared arrays and 49152 of the launch's, and 49152 were asked for/,
  unasked_shared: /cudaLaunchKernelEx.*invalid argument/,
  unrounded_operand: /error: an operand of a TF32 product was not rounded: 1.00000095/,
  unwaited_copy: /error: the thread ended without waiting for this asynchronous copy/,
  dynamic_overrun: /AddressSanitizer: heap-buffer-overflow/,
  early_read: /AddressSanitizer: use-after-poison/,
  global_overrun: /AddressSanitizer: heap-buffer-overflow/,
  host_pointer: /AddressSanitizer: use-after-poison/,
  host_read: /AddressSanitizer: use-after-poison/,
  shared_overrun: /AddressSanitizer: heap-buffer-overflow/,
  missing_barrier: /ThreadSanitizer: data race/,
  missing_warp_barrier: /ThreadSanitizer: data race/,
  two_blocks: /ThreadSanitizer: data race/,
}

const buildFolder = (watcher: Watcher) =>
  join(here, '..', '..', 'build', watcher === 'plain' ? 'host' : `host-${watcher}`)

async function build(watcher: Watcher): Promise<void> {
  const run = promisify(execFile)
  const folder = buildFolder(watcher)
  await run('cmake', ['-S', here, '-B', folder, `-DSANITIZE=${watcher === 'plain' ? '' : watcher}`])
  await run('cmake', ['--build', folder, '--target', 'faults'])
}

function runFault(watcher: Watcher, ...words: string[]): Promise<{ code: number; stderr: string }> {
  const command = [join(buildFolder(watcher), 'faults'), ...words]
  // ThreadSanitizer knows where memory lies; with more random bits than these it may lie elsewhere.
  const randomBits = watcher === 'thread' ? Number(readFileSync('/proc/sys/vm/mmap_rnd_bits', 'utf8')) : 0
  if (randomBits > 28) command.unshift('setarch', '--addr-no-randomize')
  const [file, ...rest] = command
  return new Promise(resolve => {
    execFile(file!, rest, (error, _stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stderr })
    })
  })
}

describe.skipIf(process.platform !== 'linux')('the stand-in for CUDA', () => {
  beforeAll(async () => {
    await Promise.all(watchers.map(build))
  }, 180_000)

  for (const watcher of watchers) {
    const folder = join(here, 'faults', watcher)
    for (const file of readdirSync(folder)) {
      const name = basename(file, '.cu')
      it(`${watcher}: ${name.replaceAll('_', ' ')}`, async () => {
        const [correct, planted] = await Promise.all([
          runFault(watcher, name),
          runFault(watcher, name, 'planted'),
        ])
        expect(correct).toEqual({ code: 0, stderr: '' })
        expect(planted.code).not.toBe(0)
        expect(planted.stderr).toMatch(reports[name]!)
        const lines = readFileSync(join(folder, file), 'utf8').split('\n')
        const marked = lines.flatMap((line, i) => (line.includes('REPORTED') ? [`${file}:${i + 1}`] : []))
        if (marked.length > 0) expect(marked.some(place => planted.stderr.includes(place))).toBe(true)
      })
    }
  }
})
