// How often a training loop makes the host wait for the GPU: counted on the stand-in, which records its calls.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compiledPackage, loader } from '../worker/compiled.js'

const library = join(import.meta.dirname, '..', '..', 'build', 'host', 'libpacked_rnn_cuda_host.so')
const STEPS = 8

describe.skipIf(process.env.PACKED_RNN_CUDA_LIBRARY !== library)('a training loop on the host', () => {
  let folder: string
  let traces: string
  beforeAll(() => {
    folder = compiledPackage()
    traces = mkdtempSync(join(tmpdir(), 'packed-rnn-waits-'))
  })
  afterAll(() => {
    for (const each of [folder, traces]) rmSync(each, { recursive: true })
  })

  /** The calls of an epoch: up to the first step's figures, and all. */
  function trace(onNonFinite: string) {
    const file = join(traces, onNonFinite)
    const source = `${loader(folder)}
      import { readFileSync, writeFileSync } from 'node:fs'
      const { device } = await load('device.js')
      const { Classifier, Trainer, presets } = await load('compat/training.js')
      const { Generator } = await load('random.js')
      const preset = { ...presets['bilstm128x2-adam'], hiddenSize: 8, batchSize: 4 }
      const documents = Array.from({ length: ${STEPS} * 4 }, (_, i) => Int32Array.of(i % 9, (3 * i) % 9, 4))
      const data = { documents, labels: Int32Array.from(documents, (_, i) => i % 2) }
      const gpu = device('cuda')
      const model = new Classifier({ preset, device: gpu, generator: new Generator(1), vocabularySize: 9, classes: 2, embeddingDim: 6 })
      const trainer = new Trainer(model, { ...preset, onNonFinite: '${onNonFinite}' })
      await gpu.synchronize()
      writeFileSync(${JSON.stringify(file)}, '')
      const counts = () => {
        const lines = readFileSync(${JSON.stringify(file)}, 'utf8').split('\\n')
        return Object.fromEntries(['launch', 'wait', 'download'].map(what => [what, lines.filter(line => line.startsWith(what)).length]))
      }
      const seen = []
      for await (const _ of trainer.fit(data, { epochs: 1 })) seen.push(counts())
      console.log(JSON.stringify({ first: seen[0], last: seen.at(-1), steps: seen.length }))`
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
      env: { ...process.env, PACKED_RNN_STANDIN_TRACE: file },
      encoding: 'utf8',
    })
    return JSON.parse(output)
  }

  it.each(['throw', 'skip', 'ignore'])(
    'reads three numbers a step and waits for none if onNonFinite is %s',
    onNonFinite => {
      const { first, last, steps } = trace(onNonFinite)
      expect(steps).toBe(STEPS)
      expect(last).toMatchObject({ wait: 0, download: 3 * STEPS })
      // Three more steps are under way when the first one's figures come.
      expect(first.launch).toBeGreaterThanOrEqual((4 / STEPS) * last.launch - 1)
    },
  )
})
