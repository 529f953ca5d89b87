import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { device } from '../../src/device.js'
import { Classifier } from '../../src/models/classifier.js'
import { Generator } from '../../src/random.js'
import { loadRun, type Run, saveRun } from '../../src/tasks/classifierRun.js'
import { classify } from '../../src/tasks/classify.js'
import { loadCheckpoint } from '../../src/training/checkpoint.js'
import { taskOfRun } from '../../src/training/runFiles.js'
import { data as articles, labels, shortClassifier, vocabulary } from './short.js'

/** What the version before wrote is still read. */

const fixture = fileURLToPath(new URL('../fixtures/earlier', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-earlier-'))
afterAll(() => rm(folder, { recursive: true }))
const cpu = device('cpu', { threads: 1 })

describe('a checkpoint of format 3', () => {
  // As the fixture was made, in the second epoch of three; whole.json is what the undisturbed run came to.
  const preset = {
    ...{ hiddenSize: 3, numLayers: 2, bidirectional: true, dropout: 0.2, tuneEmbedding: true },
    ...{ optimizer: { kind: 'adam', lr: 0.01 } as const, clip: 0.5, batchSize: 1, epochs: 3 },
  }
  const documents = Array.from({ length: 11 }, (_, i) =>
    Int32Array.from({ length: i % 5 }, (_, k) => (3 * i + k) % 6),
  )
  const data = { documents, labels: Int32Array.from(documents, (_, i) => i % 3) }
  const newTrainer = () => {
    const sizes = { vocabularySize: 6, classes: 3, embeddingDim: 2 }
    const model = new Classifier({ preset, ...sizes, device: cpu, generator: new Generator(7) })
    return new Trainer(model, preset)
  }

  test('resumes in the middle of its epoch with the numbers of the original run', async () => {
    const { state, about } = await loadCheckpoint(fixture)
    expect(about).toEqual({ of: 'format 3' })
    expect(state.position).toMatchObject({ epoch: 1, step: 6 })
    expect(state.masks['lstm.masks']).toBe(17)
    const trainer = newTrainer()
    trainer.restore(state)
    const order = { epochs: 3, shuffleSeed: 4, test: { data, every: 2 } }
    for await (const _ of trainer.fit(data, order));
    const wanted = JSON.parse(await readFile(join(fixture, 'whole.json'), 'utf8'))
    // Another instruction set rounds in another order.
    const close = (_: string, value: unknown) =>
      typeof value === 'number' && !Number.isInteger(value) ? expect.closeTo(value, 5) : value
    expect(trainer.history).toMatchObject(JSON.parse(JSON.stringify(wanted.history), close))
    const bias = (await trainer.model.stateDict()).get('classifier.bias')!.data
    expect([...bias]).toEqual(wanted.bias.map((value: number) => expect.closeTo(value, 5)))
  })

  test('is rejected with another order of batches', async () => {
    const trainer = newTrainer()
    trainer.restore((await loadCheckpoint(fixture)).state)
    await expect(trainer.fit(data, { epochs: 3, shuffleSeed: 5 }).next()).rejects.toThrow(
      /the batch order of the begun epoch, \{"items":11,"batchSize":1,.*"seed":4/,
    )
  })
})

describe('a run', () => {
  const model = shortClassifier('lstm64-adam', { on: cpu })
  const rest = { dialect: 'csv', posts: null, tokenizer: 'words', vocabulary, labels } as const
  const run: Run = { preset: 'lstm64-adam', ...rest, model }

  test('of format 1 loads as a classifier of its preset', async () => {
    await saveRun(run, folder)
    const file = join(folder, 'config.json')
    const { task: _, layers: __, ...config } = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...config, format: 'packed-rnn run 1' }))
    expect(await taskOfRun(folder)).toBe('classification')
    const read = await loadRun(folder, { device: cpu })
    expect(read.preset).toBe('lstm64-adam')
    expect(await read.model.stateDict()).toEqual(await model.stateDict())
  })

  test('may have any layers, without a preset', async () => {
    const layers = { hiddenSize: 5, numLayers: 3, bidirectional: true, dropout: 0.25, tuneEmbedding: true }
    const other = new Classifier({
      ...{ preset: layers, vocabularySize: vocabulary.size, classes: labels.classes.length },
      ...{ embeddingDim: 4, device: cpu, pooling: 'concat' },
    })
    await saveRun({ ...run, preset: null, model: other }, folder)
    const read = await loadRun(folder, { device: cpu })
    expect(read.preset).toBeNull()
    expect([read.model.lstm.dropout, read.model.pooling]).toEqual([0.25, 'concat'])
    const ids = articles.documents.slice(0, 3)
    const some = { documents: ids, labels: articles.labels.slice(0, 3) }
    expect(await classify(read.model, some)).toEqual(await classify(other, some))
  })

  test('of an unknown task is rejected with an error that names the task', async () => {
    await saveRun(run, folder)
    const file = join(folder, 'config.json')
    const config = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...config, task: 'telepathy' }))
    expect(await taskOfRun(folder)).toBe('telepathy')
    await expect(loadRun(folder)).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/config\.json: wanted .*classification.* in task, got "telepathy"/),
    })
  })
})
